"""systemd units, read again by the rules of systemd.syntax(7) and systemd.service(5)."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import UsageError
from registry.exchange.exporter import NotExportableError
from registry.exchange.exporting import export_definitions
from registry.exchange.fields import is_reference
from registry.exchange.systemd import EXPORTER
from registry.model.pointer import steps_of
from tests.support.hostile_text import ENVIRONMENTS, NAMES, PROGRAMS, TEXTS, exportable

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}


def settings(text: str) -> dict[str, list[str]]:
    """The values of all settings by name. A backslash at the end of a line would continue it."""
    found: dict[str, list[str]] = {}
    for line in text.split("\n"):
        assert not line.endswith("\\")
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value.strip(" \t"))
    return found


def words(value: str) -> list[str]:
    """The unquoted words of a value, with specifiers expanded."""
    pieces = re.findall(r'\s*("(?:[^"\\]|\\.)*"|[^\s"\'\\]+)', value)
    assert "".join(re.split(r"\s+", "".join(pieces))) == "".join(re.split(r"\s+", value))
    unquoted = [_unquoted(piece[1:-1]) if piece.startswith('"') else piece for piece in pieces]
    return [_expanded(word) for word in unquoted]


def _unquoted(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        return chr(int(match[1], 16)) if match[1] else ESCAPES[match[2]]

    return re.sub(r"\\(?:x([0-9a-f]{2})|(.))", replace, text)


def _expanded(text: str) -> str:
    assert "%" not in text.replace("%%", "")
    return text.replace("%%", "%")


def arguments(found: dict[str, list[str]]) -> list[str]:
    """The command that starts: variables would be expanded in all words but the first."""
    program, *rest = words(found["ExecStart"][0])
    assert not any("$" in word.replace("$$", "") for word in rest)
    return [program, *(word.replace("$$", "$") for word in rest)]


def variables(found: dict[str, list[str]]) -> dict[str, str]:
    """The variables with fixed values."""
    return dict(words(value)[0].split("=", 1) for value in found.get("Environment", ()))


def test_a_single_process() -> None:
    one = exportable(
        title="Encode\n100% as MP3",
        owners=["media"],
        links=[{"href": "https://example.org/a%20b", "title": "Guide"}],
        argv=["-i", "${input_file}", "$HOME"],
        timeout=90,
        cwd="/srv/media files",
        environment={"LEVEL": "2 3", "TOKEN": "${TOKEN}", "KEY": "${OTHER}"},
        input_adapter={"input_type": "file", "input_params": {"file_path": "${input_file}"}},
        application={"container_resources": {"cpu": "333m", "memory": "512Mi"}},
    )
    exported = EXPORTER.export(one)
    assert exported.needs_wrapper
    assert exported.text == (
        "[Unit]\n"
        "Description=Encode 100%% as MP3\n"
        "Documentation=https://example.org/a%%20b\n"
        "X-Registry-Name=weather/qc\n"
        "X-Registry-Id=7\n"
        "X-Registry-Revision=3\n"
        "X-Registry-Commit=c0ffee\n"
        "\n"
        "[Service]\n"
        "Type=oneshot\n"
        'ExecStart=registry-run -i -- /bin/program -i "$${input_file}" "$$HOME"\n'
        "WorkingDirectory=/srv/media files\n"
        'Environment="LEVEL=2 3"\n'
        "PassEnvironment=TOKEN\n"
        "EnvironmentFile=/etc/registry/weather-qc.env\n"
        "StandardInput=file:/run/weather-qc.input\n"
        "StandardOutput=truncate:/run/weather-qc.output\n"
        "TimeoutStartSec=90\n"
        "TimeoutStopSec=10\n"
        "CPUQuota=34%\n"
        "MemoryMax=536870912\n"
    )
    assert [loss.field for loss in exported.losses] == [
        "/owners",
        "/definition/application",
        "/links/0/title",
        "/definition/environment/KEY",
    ]


def test_a_service() -> None:
    text = EXPORTER.export(exportable(process_type="service", timeout=5)).text
    assert text.endswith(
        "\n[Service]\nType=exec\nExecStart=/bin/program\nRestart=on-failure\nTimeoutStopSec=10\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


@pytest.mark.parametrize(
    ("adapters", "streams"),
    [
        ({}, {"StandardInput": "file:/run/a.input", "StandardOutput": "truncate:/run/a.output"}),
        ({"input_adapter": {"input_type": "none"}}, {"StandardOutput": "truncate:/run/a.output"}),
        (
            {
                "input_adapter": {"input_type": "file", "input_params": {"file_path": "/srv/in"}},
                "output_adapter": {
                    "output_type": "file",
                    "output_params": {"file_type": "stream", "stream_name": "STDERR"},
                },
            },
            {"StandardError": "truncate:/run/a.output"},
        ),
    ],
)
def test_messages_of_a_single_process(adapters: dict[str, Any], streams: dict[str, str]) -> None:
    found = settings(EXPORTER.export(exportable("a", **adapters)).text)
    assert {key: value for key, (value, *_) in found.items() if key.startswith("Standard")} == streams


def test_a_short_limit_is_not_without_limit() -> None:
    found = settings(EXPORTER.export(exportable(timeout=1e-9)).text)
    assert found["TimeoutStartSec"] == ["0.000001"]


def test_addresses_have_the_characters_of_rfc_3986() -> None:
    links = [{"href": "https://example.org/a?b=c%20#d"}, {"href": "https://example.org/é'\\"}]
    found = settings(EXPORTER.export(exportable(links=links)).text)
    assert found["Documentation"] == [
        "https://example.org/a?b=c%%20#d https://example.org/%%C3%%A9%%27%%5C",
    ]


@given(NAMES, TEXTS, PROGRAMS, st.lists(TEXTS, max_size=4), ENVIRONMENTS, TEXTS.map(lambda it: f"/{it}"))
def test_hostile_texts_arrive_as_written(
    name: str, title: str, program: str, argv: list[str], environment: dict[str, str], cwd: str
) -> None:
    cwd = re.sub(r"[\x00-\x1f\x7f]", "", cwd)  # a definition cannot contain them
    one = exportable(name, title=title, exec=program, argv=argv, environment=environment, cwd=cwd)
    try:
        text = EXPORTER.export(one).text
    except NotExportableError as error:
        assert is_in_limits(error, one.inside)
        return
    found = settings(text)
    assert arguments(found) == [program, *argv]
    assert variables(found) == {key: it for key, it in environment.items() if not is_reference(it)}
    assert [_expanded(value) for value in found["WorkingDirectory"]] == [cwd]
    assert found["X-Registry-Name"] == [name]
    assert all(len(values) == 1 for key, values in found.items() if key != "Environment")


def is_in_limits(error: NotExportableError, inside: Any) -> object:
    """Whether the limits of the format name a value as the reason."""
    steps = steps_of(error.field)[1:]
    for step in steps:
        inside = inside[int(step) if isinstance(inside, list) else step]
    if steps == ("exec",):
        is_relative = "/" in inside and not inside.startswith("/")
        return (
            is_relative
            or inside.endswith("/")
            or inside in ("..", ";")
            or re.search(r"[\"'\\$]|^[-@:+!|]", inside)
        )
    if "noncharacter" in error.why:
        return any(0xFDD0 <= ord(char) <= 0xFDEF or ord(char) & 0xFFFF >= 0xFFFE for char in inside)
    if "name" in error.why:
        return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", steps[-1]) is None
    return steps == ("cwd",) and (inside.endswith((" ", "\\")) or ".." in inside.split("/"))


@pytest.mark.parametrize(
    "program",
    [
        "bin/x",
        "/bin/a'b",
        "/bin/a\\b",
        '"x"',
        "-x",
        "@x",
        ":x",
        "+x",
        "!x",
        "|x",
        "/bin/",
        "/bin/$x",
        "..",
        ";",
    ],
)
def test_programs_that_systemd_cannot_start(program: str) -> None:
    with pytest.raises(NotExportableError) as caught:
        EXPORTER.export(exportable(exec=program))
    assert caught.value.field == "/definition/exec"
    adapter = {"input_type": "file", "input_params": {"file_path": "${input_file}"}}
    found = settings(EXPORTER.export(exportable(exec=program, input_adapter=adapter)).text)
    assert arguments(found) == ["registry-run", "-i", "--", program]


@pytest.mark.parametrize(
    ("inside", "field"),
    [
        ({"argv": ["a", "\ufffe"]}, "/definition/argv/1"),
        ({"environment": {"a-b": "1"}}, "/definition/environment/a-b"),
        ({"environment": {"A": "\ufdd0"}}, "/definition/environment/A"),
        ({"cwd": "/a "}, "/definition/cwd"),
        ({"cwd": "/a\\"}, "/definition/cwd"),
        ({"cwd": "/a/../b"}, "/definition/cwd"),
    ],
)
def test_refusals(inside: dict[str, Any], field: str) -> None:
    with pytest.raises(NotExportableError) as caught:
        EXPORTER.export(exportable(**inside))
    assert caught.value.field == field


def test_each_definition_has_a_file() -> None:
    files = export_definitions(EXPORTER, [exportable("b/c"), exportable("a")]).files
    assert list(files) == ["b-c.service", "a.service"]
    with pytest.raises(UsageError, match="b/c and b-c would both be written to b-c"):
        export_definitions(EXPORTER, [exportable("b/c"), exportable("b-c")])
