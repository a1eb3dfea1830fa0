"""Names of definitions that are added without one."""

from pathlib import Path

import pytest

from registry.check.names import RULES
from registry.check.rule import Registry
from registry.load.kinds import load_kinds
from registry.load.loader import Loaded, parse_definition
from registry.load.source import WorkTree
from registry.model.definition import definition_path
from registry.writes.names import name_for

PROGRAM_KINDS = load_kinds(WorkTree(Path(__file__).parents[2]))[0]
KIND = PROGRAM_KINDS.by_name["process_definition"]


@pytest.mark.parametrize(
    ("definition", "base"),
    [
        ({"exec": "/opt/tools/encode"}, "encode"),
        ({"exec": "encode", "process_name": "Nightly run"}, "Nightly-run"),
        ({"exec": "/bin/.hidden"}, "hidden"),
        ({"exec": "/bin/--"}, "process-definition"),
        ({"exec": "/"}, "process-definition"),
        ({"exec": ""}, "process-definition"),
        ({"exec": 3}, "process-definition"),
        ({}, "process-definition"),
        ({"exec": "/bin/x", "process_name": "///"}, "x"),
        ({"exec": "/bin/a\nb\u202ec\u3164"}, "a-b-c"),
        ({"exec": "/bin/cafe\u0301"}, "café"),
        ({"exec": "/bin/" + "n" * 500}, "n" * 100),
        ({"exec": "/bin/" + "é" * 500}, "é" * 50),
        ({"exec": "/bin/x.json"}, "x.json"),
        ({"exec": "/bin/../.."}, "process-definition"),
    ],
)
def test_names_are_valid(definition: dict[str, object], base: str) -> None:
    name = name_for(KIND, {"definition": definition}, 700)
    assert name == f"posted/2/{base}-700"
    found, _ = parse_definition(definition_path(KIND.name, name), KIND, name, b"definition: {exec: /x}\n")
    assert found is not None
    registry = Registry(Loaded((found,), ()), PROGRAM_KINDS)
    problems = [one for rule in RULES if rule.find for one in rule.find(rule, found, registry)]
    assert problems == []
