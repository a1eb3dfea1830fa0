"""Definitions from the JSON of the 2013 service: ids, depth and spellings at their limits."""

import json
from typing import Any

import pytest

from registry.errors import UsageError
from registry.exchange.importer import ImportOptions
from registry.exchange.json_2013 import read_2013
from registry.load import yaml
from registry.load.yaml.writer import to_yaml

PLAIN = ImportOptions()


def imported(item: dict[str, Any], options: ImportOptions = PLAIN) -> dict[str, Any]:
    """The document of one definition."""
    (found,) = read_2013("a.json", json.dumps(item), options).definitions
    return found.document


@pytest.mark.parametrize("number", [1, 2**53 - 1])
def test_a_positive_id_is_kept(number: int) -> None:
    assert imported({"id": number, "definition": {"exec": "x"}})["id"] == number


@pytest.mark.parametrize("number", [0, -1, True, 1.0, "1", None])
def test_anything_else_is_no_id(number: object) -> None:
    assert "id" not in imported({"id": number, "definition": {"exec": "x"}})


def nested(levels: int) -> dict[str, Any]:
    """An object with objects in it, so many levels in all."""
    return {"x-a": nested(levels - 1)} if levels > 1 else {}


def test_what_is_imported_can_be_read_as_a_definition() -> None:
    document = imported(nested(yaml.MAX_DEPTH - 1))
    found, problems = yaml.read(to_yaml(document).encode(), "a.yaml")
    assert (found is not None, problems) == (True, ())
    with pytest.raises(UsageError):
        read_2013("a.json", json.dumps(nested(yaml.MAX_DEPTH)), PLAIN)


def test_an_old_spelling_beside_the_new_one_stays() -> None:
    modern = ImportOptions(modern=True)
    both = {
        "input_type": "file",
        "input_parameters": {"a": 1},
        "input_params": {"file": "x", "file_path": "y"},
    }
    assert imported({"exec": "x", "input_adapter": both}, modern)["definition"]["input_adapter"] == both
    old = {"input_type": "file", "input_parameters": {"file": "x"}}
    new = {"input_type": "file", "input_params": {"file_path": "x"}}
    assert imported({"exec": "x", "input_adapter": old}, modern)["definition"]["input_adapter"] == new
    other = {"output_type": "http", "output_params": {"file": "x"}}
    assert imported({"exec": "x", "output_adapter": other}, modern)["definition"]["output_adapter"] == other


def test_names_come_from_the_file_or_from_the_program_and_id() -> None:
    assert [one.name for one in read_2013("my file (2).json", '{"exec": "x"}', PLAIN).definitions] == [
        "my-file-2"
    ]
    objects = [
        {"id": 7, "definition": {"exec": "/bin/run.sh"}},
        {"definition": {"process_name": "Tide"}},
        {"definition": {}},
    ]
    listed = read_2013("a.json", json.dumps({"objects": objects}), PLAIN).definitions
    assert [one.name for one in listed] == ["run-7", "Tide-2", "process-3"]
