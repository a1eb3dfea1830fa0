"""Schemas: complete for the format, the same in three engines, extensible by a file, never fetched from anywhere."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from registry.load import yaml
from registry.load.defaults import defaults_folder
from registry.load.kinds import Kinds, load_kinds
from registry.load.source import WorkTree
from registry.pipeline import check_source
from registry.scaffold import adapters_index_text
from tests.conftest import Run
from tests.support.repo import RepoBuilder

ROOT = Path(__file__).parents[2]
NODE = ROOT / "tests" / "support" / "node"
FIELDS = {
    "id",
    "title",
    "description",
    "owners",
    "tags",
    "lifecycle",
    "deprecation",
    "links",
    "interface",
    "examples",
    "ignore",
    "definition",
}
INSIDE = {
    "exec",
    "application",
    "process_type",
    "process_name",
    "timeout",
    "cwd",
    "environment",
    "argv",
    "input_adapter",
    "output_adapter",
}


@pytest.fixture(scope="module")
def kinds() -> Kinds:
    found, problems = load_kinds(WorkTree(ROOT))
    assert not problems
    return found


def schema_files() -> list[Path]:
    return sorted((ROOT / "schema").rglob("*.schema.json"))


def nodes(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, with its place."""
    if isinstance(schema, dict):
        yield place, schema
        for key, value in schema.items():
            if key not in ("examples", "default", "const", "enum", "x-messages", "x-registry"):
                yield from nodes(value, f"{place}/{key}")
    elif isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from nodes(item, f"{place}/{index}")


def test_every_field_of_the_format_is_there(kinds: Kinds) -> None:
    process = kinds.by_name["process_definition"].schema
    assert set(process["properties"]) == FIELDS
    assert set(process["$defs"]["definition"]["properties"]) == INSIDE
    assert set(kinds.by_name["application"].schema["properties"]) >= {
        "container_image",
        "container_resources",
        "definition",
    }
    assert set(kinds.adapters) == {"append", "file", "http", "none", "pipe", "port", "stream"}


@pytest.mark.parametrize("path", schema_files(), ids=lambda path: path.name)
def test_every_property_teaches_the_format_in_an_editor(path: Path) -> None:
    for place, node in nodes(json.loads(path.read_text(encoding="utf-8"))):
        for name, sub in node.get("properties", {}).items():
            is_condition = re.search(r"/(if|then|else|not)(/|$)", place) or place.endswith("/if")
            if is_condition or sub is True:
                continue
            assert sub.get("title"), f"{place}: {name} has no title"
            assert sub.get("description"), f"{place}: {name} has no description"
            has_examples = sub.get("examples") or sub.get("$ref") or sub.get("properties")
            assert has_examples, f"{place}: {name} has no examples"


@pytest.mark.parametrize("path", schema_files(), ids=lambda path: path.name)
def test_patterns_mean_the_same_in_every_engine(path: Path) -> None:
    for place, node in nodes(json.loads(path.read_text(encoding="utf-8"))):
        patterns = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
        patterns += node.get("patternProperties", {})
        for pattern in patterns:
            assert not re.search(r"\\[dDwWsSbB]", pattern), (
                f"{place}: {pattern} has a class that engines read differently"
            )
            assert pattern == "^x-" or pattern.endswith("$(?!\\n)"), (
                f"{place}: {pattern} may let a last newline pass"
            )
        step = node.get("multipleOf")
        assert step is None or isinstance(step, int), f"{place}: multipleOf {step}"


def test_no_anchored_pattern_is_passed_by_a_text_that_ends_in_a_newline(kinds: Kinds) -> None:
    tried = 0
    for kind in kinds:
        for place, node in nodes(kind.schema):
            if isinstance(node.get("pattern"), str):
                for example in [one for one in node.get("examples", ()) if isinstance(one, str)]:
                    tried += 1
                    for engine in (Draft202012Validator, jsonschema_rs.Draft202012Validator):
                        assert engine({"pattern": node["pattern"]}).is_valid(example), f"{place}: {example!r}"
                        assert not engine({"pattern": node["pattern"]}).is_valid(f"{example}\n"), (
                            f"{place}: {example!r} with a newline"
                        )
    assert tried > 30


def cases(kinds: Kinds) -> list[tuple[str, Any, bool]]:
    """Schema name, value, whether it is valid: all definitions of this repository, all examples, and ways to break them."""
    found: list[tuple[str, Any, bool]] = []
    good: list[tuple[str, Any]] = []
    for kind in kinds:
        for file in sorted((ROOT / "definitions" / kind.name).rglob("*.yaml")):
            document = yaml.read(file.read_bytes(), str(file)).document
            assert document is not None
            good.append((kind.name, document.data))
    for adapter in kinds.adapters.values():
        for side in adapter.directions:
            for example in adapter.sides[side]["examples"]:
                body = {
                    "exec": "x",
                    f"{side}_adapter": {f"{side}_type": adapter.name, f"{side}_params": example},
                }
                good.append(("process_definition", {"definition": body}))
                wrong = json.loads(json.dumps(body))
                wrong[f"{side}_adapter"][f"{side}_params"]["no_such_parameter"] = 1
                found.append(("process_definition", {"definition": wrong}, False))
    for name, value in good:
        found.append((name, value, True))
        text = json.dumps(value)
        for old, new in (
            ('"exec": "', '"exec": "\\n'),
            ('"single"', '"Single"'),
            ('"timeout": ', '"timeout": -'),
            ('"cwd": "/', '"cwd": "'),
            ('"tags": ["', '"tags": ["É'),
            ('"title": "', '"title": 5, "titel": "'),
            ('"method": "', '"method": "x'),
        ):
            if old in text:
                found.append((name, json.loads(text.replace(old, new, 1)), False))
    for path in ("/srv\n", "/srv/٣", "/srv\u2028"):
        found.append(
            ("process_definition", {"definition": {"exec": "x", "cwd": path}}, not path.endswith("\n"))
        )
    found.append(("process_definition", {"definition": {"exec": "x", "environment": {"A=b": "x"}}}, False))
    found.append(("process_definition", {"definition": {"exec": "x", "environment": {"A\n": "x"}}}, False))
    found.append(
        ("process_definition", {"deprecation": {"since": "२०२६-01-01"}, "definition": {"exec": "x"}}, False)
    )
    return found


@pytest.mark.slow  # needs packages of Node.js
def test_python_rust_and_ecmascript_agree_on_every_example(kinds: Kinds) -> None:
    node = shutil.which("node")
    assert node, "Node.js is not installed: scripts/install-test-tools"
    tried = cases(kinds)
    assert len(tried) > 60
    schemas = {kind.name: kind.schema for kind in kinds}
    request = {"schemas": schemas, "cases": [{"schema": name, "value": value} for name, value, _ in tried]}
    done = subprocess.run(
        [node, str(NODE / "validate.mjs")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ecmascript = json.loads(done.stdout)
    python = {name: Draft202012Validator(schema) for name, schema in schemas.items()}
    for (name, value, expected), theirs in zip(tried, ecmascript, strict=True):
        answers = (python[name].is_valid(value), kinds.by_name[name].validator.is_valid(value), theirs)
        assert answers == (expected,) * 3, (name, value, answers)


def test_the_file_for_editors_is_up_to_date(kinds: Kinds) -> None:
    assert (ROOT / "schema/adapters.schema.json").read_text(encoding="utf-8") == adapters_index_text(
        kinds.adapters
    )


def test_a_new_adapter_type_is_one_file(repo: RepoBuilder) -> None:
    repo.write(
        "schema/adapters/tape.schema.json",
        json.dumps(
            {
                "title": "Tape",
                "description": "A tape.",
                "x-registry": {"directions": ["input"], "fits": ["single"]},
                "$defs": {
                    "input": {
                        "type": "object",
                        "allOf": [{"$ref": "common.schema.json#/$defs/parameters"}],
                        "properties": {"drive": {"type": "integer"}},
                        "required": ["drive"],
                        "unevaluatedProperties": False,
                    }
                },
            }
        ),
    )
    text = "title: T\nowners: [t]\ndefinition: {exec: x, input_adapter: {input_type: tape, input_params: {%s}}}\n"
    repo.define("good", text % "drive: 1, framing: whole")
    repo.define("bad", text % "driev: 1")
    found = [
        (p.span.path.rsplit("/", 1)[1], p.rule, p.message, p.hint)
        for p in check_source(WorkTree(repo.root)).problems
    ]
    assert found == [("bad.yaml", "S002", "unknown key `driev`", "did you mean `drive`?")]


def test_a_new_kind_is_one_file_and_a_folder(repo: RepoBuilder) -> None:
    schema = {
        "title": "Site",
        "type": "object",
        "required": ["definition"],
        "x-registry": {"title": "Site", "plural": "Sites"},
        "properties": {
            "id": {"type": "integer"},
            "title": {"type": "string"},
            "owners": {"type": "array"},
            "definition": {"type": "object", "required": ["host"]},
        },
    }
    repo.write("schema/site.schema.json", json.dumps(schema))
    repo.define("oslo", "title: Oslo\nowners: [t]\ndefinition: {port: 5}\n", "site")
    checked = check_source(WorkTree(repo.root))
    assert list(checked.kinds.by_name) == ["process_definition", "application", "site"]
    assert [p.message for p in checked.problems] == ["`host` is missing"]


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:9/x.json",
        "file:///etc/passwd",
        "/etc/passwd",
        "../../../etc/passwd",
        "none.schema.json",
    ],
)
def test_a_reference_out_of_the_schema_folder_is_never_followed(repo: RepoBuilder, reference: str) -> None:
    repo.write(
        "schema/evil.schema.json",
        json.dumps({"type": "object", "properties": {"definition": {"$ref": reference}}}),
    )
    _, problems = load_kinds(WorkTree(repo.root))
    assert [(p.rule, p.span.path) for p in problems] == [("K010", "schema/evil.schema.json")]
    assert reference in problems[0].message


@pytest.mark.parametrize(
    ("text", "line"),
    [("{", 1), ("[]", 1), ('{"type": 5}', 1), ('{\n"a": }', 2), ('{"$ref": "#/$defs/none"}', 1)],
)
def test_a_broken_schema_file_is_a_problem_with_its_path(repo: RepoBuilder, text: str, line: int) -> None:
    repo.write("schema/site.schema.json", text)
    _, problems = load_kinds(WorkTree(repo.root))
    assert [(p.rule, p.span.path, p.span.line) for p in problems] == [
        ("K010", "schema/site.schema.json", line)
    ]


def test_own_schemas_win_file_by_file(repo: RepoBuilder) -> None:
    own = json.loads((defaults_folder("schema") / "application.schema.json").read_text(encoding="utf-8"))
    own["x-registry"]["title"] = "App of ours"
    repo.write("schema/application.schema.json", json.dumps(own))
    kinds, _ = load_kinds(WorkTree(repo.root))
    assert kinds.by_name["application"].title == "App of ours"
    assert kinds.by_name["process_definition"].title == "Process definition"


@pytest.mark.parametrize(
    "inside",
    [
        {"$ref": "#inside"},
        {"$ref": "#/$defs/chain"},
        {"$ref": "#/$defs/a%20b"},
        {"$ref": "#/$defs/a~1b"},
        {"$ref": "#/allOf/0"},
        {"$ref": "other.schema.json#there"},
        {"$ref": "other.schema.json#/properties/definition"},
        {"$dynamicRef": "#inside"},
        {"allOf": [{"$ref": "#inside"}]},
    ],
    ids=str,
)
def test_every_form_of_reference_is_checked_shown_and_scaffolded(
    repo: RepoBuilder, run: Run, inside: dict[str, Any]
) -> None:
    fields = {"type": "object", "properties": {"class": {"type": "string", "examples": ["x"]}}}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "allOf": [fields | {"properties": {**fields["properties"], "definition": inside}}],  # type: ignore[dict-item]
        "properties": {"definition": inside},
        "$defs": {
            "inside": {"$anchor": "inside", **fields},
            "a b": fields,
            "a/b": fields,
            "chain": {"$ref": "#/$defs/a%20b"},
        },
    }
    repo.write("schema/alarm.schema.json", json.dumps(schema))
    repo.write(
        "schema/other.schema.json", json.dumps({"properties": {"definition": {"$anchor": "there", **fields}}})
    )
    repo.define("a", "title: A\nowners: [t]\ndefinition: {class: high}\n", "alarm")
    wrong = repo.define("wrong", "title: W\nowners: [t]\ndefinition: {class: 5}\n", "alarm")
    where = ("-C", str(repo.root))
    outcome = run("check", *where)
    assert (outcome.code, "wrong.yaml:3:21: error S003: `class` must be text" in outcome.out) == (1, True)
    wrong.unlink()
    repo.commit()
    assert run("new", "alarm", "b", *where).code == 0
    assert run("build", "--out", str(repo.root.parent / "site"), *where).code == 0


@pytest.mark.parametrize(
    "inside", [True, {}, {"required": ["class"], "properties": {"class": True}}, {"$ref": "#/$defs/loop"}]
)
def test_a_kind_whose_schema_says_little_is_built_and_scaffolded(
    repo: RepoBuilder, run: Run, inside: dict[str, Any] | bool
) -> None:
    loop = {"anyOf": [{"$ref": "#/$defs/loop"}, True]}
    schema = {"type": "object", "properties": {"definition": inside}, "$defs": {"loop": loop}}
    repo.write("schema/alarm.schema.json", json.dumps(schema))
    repo.define("a", "title: A\nowners: [t]\ndefinition: {class: high}\n", "alarm")
    where = ("-C", str(repo.root))
    assert run("new", "alarm", "b", *where).code == 0
    assert run("build", "--out", str(repo.root.parent / "site"), *where).code == 0
