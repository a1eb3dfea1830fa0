"""Sections of supervisord, read again by the rules of its manual."""

import configparser
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
from registry.exchange.supervisord import EXPORTER
from registry.model.pointer import steps_of
from tests.support.hostile_text import ENVIRONMENTS, NAMES, PROGRAMS, TEXTS, exportable


class Host(dict[str, str]):
    """The variables of supervisord: each name has a value."""

    def __missing__(self, name: str) -> str:
        """Return a value that shows which variable it is of."""
        return f"value of {name}"


HOST = Host({"ENV_TOKEN": "t'$HOME %(x)s;", "ENV_OTHER": ""})
NONE: dict[str, Any] = {"input_adapter": {"input_type": "none"}, "output_adapter": {"output_type": "none"}}


def programs(text: str) -> dict[str, dict[str, str]]:
    """The settings of each program, with its expressions expanded."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=True)
    parser.read_string(text)
    return {
        section.removeprefix("program:"): {key: value % HOST for key, value in parser[section].items()}
        for section in parser.sections()
    }


def variables(text: str) -> dict[str, str]:
    """The variables of `environment`."""
    found = {}
    while text:
        match = re.match(r"""([^=,'"\s]+)=("[^"]*"|'[^']*')(?:,|\Z)""", text)
        assert match, text
        found[match[1]] = match[2].strip("'\"")
        text = text[match.end() :]
    return found


def test_a_service() -> None:
    one = exportable(
        title="Quality\n control",
        tags=["weather"],
        argv=["--all", "it's", "100%", "a ;b"],
        environment={"LEVEL": "2, 3%", "TOKEN": "${OTHER}", "Q": 'say "a" now'},
        cwd="/srv/a b",
        process_type="service",
    )
    exported = EXPORTER.export(one)
    assert exported.text == (
        "; Quality control\n"
        "; weather/qc, id 7, revision 3, commit c0ffee\n"
        "[program:weather-qc]\n"
        "command=/bin/program --all 'it'\"'\"'s' 100%% 'a '';b'\n"
        "directory=/srv/a b\n"
        'environment=LEVEL="2, 3%%",TOKEN="%(ENV_OTHER)s",Q=\'say "a" now\'\n'
        "autorestart=unexpected\n"
        "stopwaitsecs=10\nstopasgroup=true\nkillasgroup=true\n"
    )
    assert [loss.field for loss in exported.losses] == ["/tags"]
    assert not exported.needs_wrapper


def test_a_single_process_with_messages() -> None:
    one = exportable(timeout=60, environment={"A": "1"})
    exported = EXPORTER.export(one)
    assert exported.needs_wrapper
    assert programs(exported.text)["weather-qc"] == {
        "command": "registry-run -t 60 -- /bin/program",
        "environment": 'A="1",REGISTRY_INPUT="/run/weather-qc.input",REGISTRY_OUTPUT="/run/weather-qc.output"',
        "autostart": "false",
        "autorestart": "false",
        "startsecs": "0",
        "stopwaitsecs": "15",
        "stopasgroup": "true",
        "killasgroup": "true",
    }


def test_a_single_process_without_messages() -> None:
    exported = EXPORTER.export(exportable(**NONE))
    assert programs(exported.text)["weather-qc"]["command"] == "/bin/program"
    assert not exported.needs_wrapper


def test_an_answer_on_standard_error_is_lost() -> None:
    params = {"file_type": "stream", "stream_name": "STDERR"}
    one = exportable(output_adapter={"output_type": "file", "output_params": params})
    exported = EXPORTER.export(one)
    assert [loss.field for loss in exported.losses] == ["/definition/output_adapter"]
    assert "REGISTRY_OUTPUT" not in exported.text


@given(NAMES, TEXTS, PROGRAMS, st.lists(TEXTS, max_size=4), ENVIRONMENTS, TEXTS.map(lambda it: f"/{it}"))
def test_hostile_texts_arrive_as_written(
    name: str, title: str, program: str, argv: list[str], environment: dict[str, str], cwd: str
) -> None:
    cwd = re.sub(r"[\x00-\x1f\x7f]", "", cwd)  # a definition cannot contain them
    one = exportable(
        name, title=title, exec=program, argv=argv, environment=environment, cwd=cwd, process_type="service"
    )
    try:
        text = EXPORTER.export(one).text
    except NotExportableError as error:
        assert is_in_limits(error, one.inside)
        return
    found = programs(text)
    assert len(found) == 1
    settings = next(iter(found.values()))
    assert shlex.split(settings["command"]) == [program, *argv]
    wanted = {name: HOST[f"ENV_{it[2:-1]}"] if is_reference(it) else it for name, it in environment.items()}
    assert variables(settings.get("environment", "")) == wanted
    assert settings["directory"] == cwd


def is_in_limits(error: NotExportableError, inside: Any) -> bool:
    """Whether the limits of the format name a value as the reason."""
    steps = steps_of(error.field)[1:]
    for step in steps:
        inside = inside[int(step) if isinstance(inside, list) else step]
    has_comment = re.search(r"\s[;#]", inside) is not None
    if steps[0] == "cwd":
        return inside != inside.strip() or has_comment
    if re.search(r"[\n\r]", inside):
        return True
    if steps[0] == "argv":
        return False
    is_quoted = inside.strip("'\"") != inside or {"'", '"'} <= set(inside)
    return has_comment or is_quoted or re.fullmatch(r"[A-Za-z0-9_/.+():-]+", steps[1]) is None


@pytest.mark.parametrize(
    ("inside", "field"),
    [
        ({"argv": ["a", "b\n"]}, "/definition/argv/1"),
        ({"exec": "/bin/a\rb"}, "/definition/exec"),
        ({"environment": {"A": "a\nb"}}, "/definition/environment/A"),
        ({"environment": {"A": "a ;b"}}, "/definition/environment/A"),
        ({"environment": {"A": "a\t#b"}}, "/definition/environment/A"),
        ({"environment": {"A": "'a"}}, "/definition/environment/A"),
        ({"environment": {"A": "a'b\"c"}}, "/definition/environment/A"),
        ({"environment": {"A B": "1"}}, "/definition/environment/A B"),
        ({"environment": {"é": "1"}}, "/definition/environment/é"),
        ({"cwd": "/a "}, "/definition/cwd"),
        ({"cwd": "/a ;b"}, "/definition/cwd"),
        ({"timeout": 1, "environment": {"a-b": "1"}}, "/definition/environment/a-b"),
    ],
)
def test_refusals(inside: dict[str, Any], field: str) -> None:
    with pytest.raises(NotExportableError) as caught:
        EXPORTER.export(exportable(**NONE, **inside))
    assert caught.value.field == field


def test_programs_are_in_one_file_in_their_order() -> None:
    files = export_definitions(EXPORTER, [exportable("b"), exportable("a/b", tags=["t"])]).files
    assert list(files) == ["registry.conf"]
    assert list(programs(files["registry.conf"])) == ["b", "a-b"]
    assert "; Not carried by supervisord:\n;   /tags: " in files["registry.conf"]
    with pytest.raises(UsageError, match="a/b and a-b would both be written to a-b"):
        export_definitions(EXPORTER, [exportable("a/b"), exportable("a-b")])
