"""A value of any type at any place of a file is a finding, never an exception of a rule."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from registry.check import RULES, check_definition
from registry.check.rule import Rule
from registry.load import yaml
from registry.load.kinds import Kind, Kinds, load_kinds
from registry.load.loader import parse_definition
from registry.load.settings import Settings
from registry.load.source import WorkTree
from registry.model.definition import definition_path
from registry.model.problem import Problem
from tests.support.odd_values import ODD_VALUES, places_in, with_value

MOST_PLACES = 40
LONGEST_EXAMPLE = 2_000


def _documents() -> Iterator[Any]:
    """The bad examples of the rules that are the content of one file; not those made to be large."""
    for rule in RULES:
        if rule.beside or rule.bad.startswith("file:") or len(rule.bad) > LONGEST_EXAMPLE:
            continue
        document = yaml.read_data(rule.bad.encode())
        if isinstance(document, dict):
            yield pytest.param(rule, document, id=rule.id)


class NoNames:
    """No other definitions, no samples."""

    def has(self, kind: str, name: str) -> bool:
        return False

    def similar(self, kind: str, name: str) -> list[str]:
        return []

    def sample_problem(self, path: str) -> str:
        return "there is no file"


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    return load_kinds(WorkTree(tmp_path_factory.mktemp("empty")))[0]


def _problems(kind: Kind, document: Any, kinds: Kinds) -> tuple[Problem, ...]:
    data = json.dumps(document).encode()
    found, problems = parse_definition(definition_path(kind.name, "a"), kind, "a", data)
    if found is None:
        return problems
    return (*problems, *check_definition(found, [], NoNames(), kinds, Settings()))


@pytest.mark.parametrize(("rule", "document"), list(_documents()))
def test_no_type_at_any_place_of_an_example_breaks_a_rule(
    rule: Rule, document: dict[str, Any], kinds: Kinds
) -> None:
    kind = kinds.by_name[{"machine": "application"}.get(rule.kind, "process_definition")]
    for place in list(places_in(document))[:MOST_PLACES]:
        for value in ODD_VALUES:
            _problems(kind, with_value(document, place, value), kinds)
