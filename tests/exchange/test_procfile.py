"""Procfiles, read again as foreman, honcho and a shell read them."""

import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import UsageError
from registry.exchange.exporter import NotExportableError
from registry.exchange.exporting import export_definitions
from registry.exchange.fields import is_reference
from registry.exchange.procfile import EXPORTER
from registry.model.pointer import steps_of
from tests.support.hostile_text import ENVIRONMENTS, NAMES, PROGRAMS, TEXTS, exportable


class Host(dict[str, str]):
    """The variables of the manager: each name has a value."""

    def __missing__(self, name: str) -> str:
        """Return a value that shows which variable it is of."""
        return f"value of {name}"


HOST = Host({"TOKEN": "t'\"$HOME %", "OTHER": "", "HOME": "/h", "PORT": "5000", "A": "x"})
LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$")


def processes(text: str) -> dict[str, str]:
    """The commands by name, as honcho reads them."""
    found = [LINE.match(line) for line in text.splitlines()]
    return {match[1]: match[2] for match in found if match and not match[0].startswith("#")}


def started(line: str, host: dict[str, str], literals: int) -> tuple[str | None, dict[str, str], list[str]]:
    """Folder, variables and command of a line, as foreman and then a shell read it.

    `literals` is the number of variables with fixed values.
    """
    line = re.sub(r"\$(\w+)", lambda match: host[match[1]], line, flags=re.ASCII)
    words = shlex.split(line)
    folder = None
    if words[0] == "cd":
        folder, words = words[1], words[3:]
    environment = {}
    while words[0] != "exec":
        name, _, value = words.pop(0).partition("=")
        reference = re.fullmatch(r"\$\{(\w+)\?\}", value)
        assert reference
        environment[name] = host[reference[1]]
    words = words[1:]
    if literals:
        assert words[0] == "env"
        environment |= dict(word.split("=", 1) for word in words[1 : literals + 1])
        words = words[literals + 1 :]
    return folder, environment, words


def test_a_service() -> None:
    one = exportable(
        title="Quality\n control",
        exec="/opt/qc",
        argv=["--all", "it's", "", "$PORT"],
        environment={"LEVEL": "2 3", "TOKEN": "${TOKEN}"},
        cwd="/srv/a b",
        process_type="service",
    )
    assert EXPORTER.export(one).text == (
        "# Quality control\n# weather/qc, id 7, revision 3, commit c0ffee\n"
        "weather-qc: cd '/srv/a b' && TOKEN=\"${TOKEN?}\" exec env 'LEVEL=2 3' "
        "/opt/qc --all 'it'\"'\"'s' '' '$''PORT'\n"
    )


def test_a_single_process_with_files_and_a_limit() -> None:
    adapter = {"input_type": "file", "input_params": {"file_path": "${input_file}", "suffix": ".wav"}}
    one = exportable(argv=["${input_file}"], timeout=1.5, input_adapter=adapter)
    exported = EXPORTER.export(one)
    assert exported.needs_wrapper
    assert "exec registry-run -t 1.5 -i -I .wav -- /bin/program '${input_file}'\n" in exported.text


@given(NAMES, PROGRAMS, st.lists(TEXTS, max_size=4), ENVIRONMENTS, TEXTS.map(lambda it: f"/{it}"))
def test_hostile_texts_arrive_as_written(
    name: str, program: str, argv: list[str], environment: dict[str, str], cwd: str
) -> None:
    one = exportable(name, exec=program, argv=argv, environment=environment, cwd=cwd)
    try:
        text = EXPORTER.export(one).text
    except NotExportableError as error:
        assert is_in_limits(error, one.inside)
        return
    lines = processes(text)
    assert len(lines) == 1
    wanted = {name: HOST[it[2:-1]] if is_reference(it) else it for name, it in environment.items()}
    literals = sum(not is_reference(it) for it in environment.values())
    assert started(next(iter(lines.values())), HOST, literals) == (cwd, wanted, [program, *argv])


def is_in_limits(error: NotExportableError, inside: Any) -> bool:
    """Whether the limits of the format name a value as the reason."""
    for step in steps_of(error.field)[1:]:
        inside = inside[int(step) if isinstance(inside, list) else step]
    if error.why == "a Procfile cannot contain a line break":
        return any(len(f"x{char}y".splitlines()) > 1 for char in str(inside))
    if error.field == "/definition/exec":
        return inside.startswith("-") or "=" in inside
    return error.why == "no shell can set this variable" and is_reference(inside)


@pytest.mark.parametrize(
    ("inside", "field"),
    [
        ({"argv": ["a", "b\n"]}, "/definition/argv/1"),
        ({"argv": ["\u2028"]}, "/definition/argv/0"),
        ({"environment": {"A": "\r"}}, "/definition/environment/A"),
        ({"environment": {"a-b": "${TOKEN}"}}, "/definition/environment/a-b"),
        ({"cwd": "/a\u0085"}, "/definition/cwd"),
        ({"exec": "-x"}, "/definition/exec"),
        ({"exec": "/bin/a=b", "environment": {"A": "1"}}, "/definition/exec"),
        ({"timeout": 1, "environment": {"a-b": "1"}}, "/definition/environment/a-b"),
    ],
)
def test_refusals(inside: dict[str, Any], field: str) -> None:
    with pytest.raises(NotExportableError) as caught:
        EXPORTER.export(exportable(**inside))
    assert caught.value.field == field


def test_definitions_are_in_one_file_in_their_order() -> None:
    files = export_definitions(EXPORTER, [exportable("b"), exportable("a/b")]).files
    assert list(files) == ["Procfile"]
    assert list(processes(files["Procfile"])) == ["b", "a-b"]


def test_two_definitions_with_one_name_are_wrong_use() -> None:
    with pytest.raises(UsageError, match="a/b and a-b would both be written to a-b"):
        export_definitions(EXPORTER, [exportable("a/b"), exportable("a-b")])
