"""A registry that adds a kind by its schema alone: pages, API, history, references, review and new files work."""

import json
from pathlib import Path
from typing import Any

import pytest

from registry.load.kinds import load_kinds
from registry.load.source import WorkTree
from registry.model.addresses import history_page
from tests.conftest import Run
from tests.support.repo import RepoBuilder

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Dataset",
    "description": "A set of files that processes read or write.",
    "type": "object",
    "x-registry": {
        "title": "Dataset",
        "plural": "Datasets",
        "references": [
            {"pointer": "/definition/made_by", "kind": "process_definition"},
            {"pointer": "/definition/part_of", "kind": "dataset"},
        ],
        "fields": [
            {"name": "license", "pointer": "/definition/license", "is_badge": True, "is_searched": True},
            {"name": "made_by", "pointer": "/definition/made_by", "is_column": True},
        ],
        "changes": {"/definition/rows": {"changed": "safe"}},
    },
    "properties": {
        "id": {"type": "integer"},
        "title": {"type": "string"},
        "lifecycle": {"enum": ["experimental", "production", "deprecated"]},
        "definition": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "Where it is.", "examples": ["/data/readings"]},
                "license": {"type": "string", "examples": ["CC-BY-4.0"]},
                "made_by": {"type": "string", "title": "Made by"},
                "part_of": {"type": "string"},
                "rows": {"type": "integer"},
            },
            "required": ["location"],
            "additionalProperties": False,
        },
    },
    "required": ["definition"],
    "additionalProperties": False,
}
WHOLE = "title: Readings\ndefinition: {location: /r, license: CC0, made_by: weather/qc, rows: 5}\n"
PART = "title: May\ndefinition: {location: /r/may, part_of: readings}\n"


@pytest.fixture
def registry(repo: RepoBuilder) -> RepoBuilder:
    repo.define("weather/qc", "id: 1\ntitle: QC\nowners: [t]\ndefinition: {exec: /opt/qc}\n")
    repo.write("schema/dataset.schema.json", json.dumps(SCHEMA, indent=2))
    repo.define("readings", f"id: 1\n{WHOLE}", "dataset")
    repo.define("may", f"id: 2\n{PART}", "dataset")
    repo.commit()
    return repo


@pytest.fixture
def site(registry: RepoBuilder, run: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    done = run("build", "-C", str(registry.root), "--out", str(folder))
    assert done.code == 0, done.err
    return folder


def read(site: Path, path: str) -> str:
    return (site / path).read_text(encoding="utf-8")


def test_it_has_pages_lists_history_and_an_api(site: Path) -> None:
    page = read(site, "dataset/readings/index.html")
    assert "Readings" in page
    assert "CC0" in page
    assert "Datasets" in read(site, "index.html")
    listed = read(site, "dataset/index.html")
    assert '<th scope="col">Made by</th>' in listed
    assert "weather/qc" in listed
    found = json.loads(read(site, "api/dataset/index.json"))
    assert [one["id"] for one in found["objects"]] == [1, 2]
    assert "1" in read(site, history_page("dataset", "readings") + "/index.html")
    assert json.loads(read(site, "api/dataset/schema/index.json"))
    assert "/api/dataset/{id}/" in read(site, "api/openapi.json")


def test_references_lead_both_ways(site: Path) -> None:
    page = read(site, "dataset/readings/index.html")
    assert '<dt>Made by</dt><dd><a href="../../process_definition/weather/qc/">' in page
    assert "dataset/may/" in page
    assert "dataset/readings/" in read(site, "process_definition/weather/qc/index.html")


def test_a_built_in_kind_can_refer_to_it(registry: RepoBuilder, run: Run) -> None:
    file = Path(__file__).parent.parent / "schema/process_definition.schema.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    schema["x-registry"]["references"].append({"pointer": "/x-reads", "kind": "dataset"})
    registry.write("schema/process_definition.schema.json", json.dumps(schema))
    registry.define("weather/qc", "id: 1\ntitle: QC\nx-reads: reedings\ndefinition: {exec: /opt/qc}\n")
    done = run("check", "-C", str(registry.root))
    assert "dataset `reedings` does not exist" in done.out
    assert "did you mean `readings`?" in done.out


def test_rules_of_processes_do_not_apply_and_those_for_all_do(registry: RepoBuilder, run: Run) -> None:
    registry.define("may", "id: 2\ntitle: May\ndefinition: {location: x, part_of: readngs}\n", "dataset")
    registry.define("new", "title: New\ndefinition: {locatoin: x}\n", "dataset")
    found = json.loads(run("check", "-C", str(registry.root), "--format", "json").out)["problems"]
    assert [(one["rule"], one["hint"]) for one in found if "dataset" in one["path"]] == [
        ("R001", "did you mean `readings`?"),
        ("S002", "did you mean `location`?"),
    ]


def test_new_writes_a_file_that_the_check_accepts(registry: RepoBuilder, run: Run) -> None:
    done = run("new", "dataset", "june", "-C", str(registry.root))
    assert done.code == 0, done.err
    text = (registry.root / "definitions/dataset/june.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../../schema/dataset.schema.json\n")
    assert "location: /data/readings" in text
    assert run("check", "-C", str(registry.root)).code == 0


def test_a_review_gives_levels_by_what_happened_to_a_field(registry: RepoBuilder, run: Run) -> None:
    registry.define(
        "readings",
        "id: 1\ntitle: Readings\ndefinition: {location: /new, license: CC0, part_of: may, rows: 6}\n",
        "dataset",
    )
    done = run("diff", "HEAD", "-C", str(registry.root), "--format", "json")
    changes = json.loads(done.out)["definitions"][0]["changes"]
    assert {one["pointer"]: one["level"] for one in changes} == {
        "/definition/made_by": "breaking",
        "/definition/location": "risky",
        "/definition/part_of": "safe",
        "/definition/rows": "safe",
    }


def test_a_removed_definition_breaks_and_an_added_one_is_safe(registry: RepoBuilder, run: Run) -> None:
    (registry.root / "definitions/dataset/may.yaml").unlink()
    registry.define("june", PART, "dataset")
    done = run("diff", "HEAD", "-C", str(registry.root), "--format", "json")
    levels = {one["name"]: one["changes"][0]["level"] for one in json.loads(done.out)["definitions"]}
    assert levels == {"may": "breaking", "june": "safe"}


@pytest.mark.parametrize(
    ("block", "message", "hint"),
    [
        ({"titel": "x"}, "x-registry: unknown key `titel`", "did you mean `title`?"),
        ({"references": [{"pointer": "/a"}]}, "x-registry: `kind` is missing", "add `kind: …`"),
        (
            {"references": [{"pointer": "a", "kind": "dataset"}]},
            "x-registry: `pointer` is no JSON Pointer, as in /definition/field",
            "",
        ),
        (
            {"changes": {"/a": {"removed": "grave"}}},
            "x-registry: `removed` cannot be `grave`",
            "one of breaking, risky, safe",
        ),
        (
            {"rules": ["proces"]},
            "x-registry: item 1 of `rules` cannot be `proces`",
            "did you mean `process`?",
        ),
        ([], "x-registry: the file must be a map, not a list", ""),
    ],
)
def test_mistakes_in_the_block_are_reported_with_their_place(
    repo: RepoBuilder, block: Any, message: str, hint: str
) -> None:
    repo.write("schema/dataset.schema.json", json.dumps({**SCHEMA, "x-registry": block}, indent=2))
    _, problems = load_kinds(WorkTree(repo.root))
    assert [(one.rule, one.message, one.hint) for one in problems] == [("K012", message, hint)]
    assert problems[0].span.line >= 6


def test_its_schema_names_its_command_and_the_usual_misspellings(repo: RepoBuilder, run: Run) -> None:
    """A password after an option of a known program is found, whatever the schema calls program and arguments."""
    text = {"type": "string"}
    schema = {
        **SCHEMA,
        "x-registry": {
            "command": {"executable": "/definition/program", "arguments": "/definition/options"},
            "misspellings": {"binary": "program"},
        },
        "properties": {
            "title": text,
            "definition": {
                "type": "object",
                "properties": {"program": text, "options": {"type": "array", "items": text}},
                "additionalProperties": False,
            },
        },
    }
    repo.write("schema/dump.schema.json", json.dumps(schema))
    repo.define("nightly", "title: N\ndefinition: {program: mysql, options: [-phunter2x]}\n", "dump")
    repo.define("wrong", "title: W\ndefinition: {binary: mysql}\n", "dump")
    found = run("check", "-C", str(repo.root))
    assert "nightly.yaml:2" in found.out and "X001" in found.out
    assert "hunter2x" not in found.out
    assert "did you mean `program`?" in found.out
