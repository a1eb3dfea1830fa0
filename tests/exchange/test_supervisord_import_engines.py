"""Configurations of supervisord, read by supervisord itself."""

import os
import random
import shlex
from pathlib import Path
from typing import Any

import pytest

from registry.errors import UsageError
from registry.exchange.importer import ImportOptions
from registry.exchange.supervisord_import import read_supervisord

pytestmark = pytest.mark.engine

options = pytest.importorskip("supervisor.options")
PIECES = (
    *("a", "b", '"', "'", "\\", " ", " ;", "; ", " #", "#", "%%", "%(ENV_V)s", "%(program_name)s", "%(here)s", "%"),
    *("=", ",", "A=1", 'B="x,y"', "C='z'", "$", "\n  ", "\t", r"\"", "é", "-", "/", ":", "\n", '"a b"', "x;y"),
    *('D="%(ENV_V)s"', ",E=1"),
)  # fmt: skip


def read_by_supervisord(file: Path) -> tuple[list[str], dict[str, str], str]:
    """Command, variables and folder of the only program. Raises ValueError as supervisord does."""
    reader = options.ServerOptions()
    reader.here = str(file.parent)
    reader.parse_warnings = []
    parser = options.UnhosedConfigParser()
    parser.expansions = reader.environ_expansions
    with file.open() as opened:
        parser.read_file(opened)
    (group,) = reader.process_groups_from_parser(parser)
    (program,) = group.process_configs
    return shlex.split(program.command), dict(program.environment), program.directory


def test_supervisord_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V", "vv")
    assert os.environ["V"] == "vv"
    chosen = random.Random(7)
    file = tmp_path / "supervisord.conf"
    compared = 0
    for _ in range(1_000):
        command, environment = ("".join(chosen.choices(PIECES, k=chosen.randint(0, 7))) for _ in range(2))
        text = f"[program:q]\ncommand=/bin/echo {command}\nenvironment=A=1{environment}\ndirectory=/srv\n"
        file.write_text(text)
        try:
            (found,) = read_supervisord(str(file), text, ImportOptions()).definitions
        except UsageError:
            continue
        expected: tuple[list[str], dict[str, Any], str] = read_by_supervisord(file)
        content = found.document["definition"]
        lost = {loss.field.rpartition(" ")[2] for loss in found.losses}
        variables = {name: value for name, value in expected[1].items() if name not in lost}
        given = {
            name: "vv" if value == "${V}" else value for name, value in content.get("environment", {}).items()
        }
        assert [content["exec"], *content.get("argv", [])] == expected[0], text
        assert given == variables, text
        assert content["cwd"] == expected[2], text
        compared += 1
    assert compared > 150
