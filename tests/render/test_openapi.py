"""The OpenAPI document describes every body, and the clients that generators make from it read them: also those of a later version."""

import copy
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from registry.cli import main
from registry.render.components import Components, Shapes
from tests.support.generated import generate, imported
from tests.support.repo import RepoBuilder
from tests.support.served import served

# A kind of the team's own, with most of what a schema can hold.
OWN_KIND = {
    "type": "object",
    "title": "Site",
    "properties": {
        "id": {"type": "integer"},
        "title": {"type": "string"},
        "definition": {"$ref": "#/$defs/site-body"},
        "deprecation": {
            "type": "object",
            "properties": {"since": {"$ref": "#/$defs/day"}},
            "additionalProperties": False,
        },
        "class": {"enum": ["a", "b"]},
        "from": {"oneOf": [{"const": 1}, {"type": "string"}]},
        "kind": {"type": "string"},
    },
    "required": ["definition"],
    "additionalProperties": False,
    "$defs": {
        "day": {"type": "string", "pattern": "^[0-9-]+$(?!\\n)"},
        "base": {"type": "object", "properties": {"host": {"type": "string"}}, "required": ["host"]},
        "list": {"type": "array", "items": {"$ref": "#/$defs/list"}},
        "site-body": {
            "type": "object",
            "title": "Item",
            "allOf": [
                {"$ref": "#/$defs/base"},
                {"if": {"required": ["port"]}, "then": {"required": ["children"]}},
            ],
            "properties": {
                "port": {"type": ["integer", "string"], "minimum": 1},
                "children": {"type": "array", "items": {"$ref": "#/$defs/site-body"}},
                "more": {
                    "type": "object",
                    "title": "Item",
                    "properties": {
                        "x": {},
                        "y": True,
                        "z": False,
                        "deep": {"$ref": "#/properties/deprecation"},
                    },
                },
                "any": {"anyOf": [{"$ref": "#/$defs/base"}, {"type": "null"}]},
                "lists": {"$ref": "#/$defs/list"},
                "map": {"type": "object", "additionalProperties": {"$ref": "#/$defs/base"}},
            },
            "unevaluatedProperties": False,
        },
    },
}
# Their components would have names that others have.
KINDS = ("site", "revision", "history", "error", "meta", "process_definition_list", "change")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """A registry with most things that can be in one: several kinds, ids, a rename, a tombstone, a pending and an uncommitted one."""
    repo = RepoBuilder(tmp_path_factory.mktemp("openapi") / "repo")
    repo.write(
        "registry.yaml",
        "title: Test\npage_size: 3\nlayout: full\nregistry_id: registry-1\nbase_url: https://r.example.org/sub/\n",
    )
    repo.write(".gitignore", "/site\n/.site.generations\n")
    repo.define("app", kind="application")
    adapters = "input_adapter: {input_type: port, input_params: {tcp_port: 8070, x-mine: 1}}, output_adapter: {output_type: acme/kafka, output_params: {a: b}}"
    repo.define(
        "g/full",
        "title: Full\nowners: [t]\ntags: [a, b]\nlifecycle: deprecated\ndeprecation: {since: '2026-01-01', x-why: because}\n"
        "links: [{href: 'https://e.example.org/'}]\nx-team: {a: 1}\n"
        f"definition: {{exec: x, process_type: service, environment: {{A: b}}, {adapters}}}\n",
    )
    for number in range(7):
        repo.define(
            f"p{number}",
            f"title: P{number}\nowners: [t]\ndefinition: {{exec: x, application: app, timeout: 1.5, x-mine: [1, {{a: null}}]}}\n",
        )
    for kind in KINDS:
        repo.write(f"schema/{kind}.schema.json", json.dumps(OWN_KIND))
        repo.define(
            "one",
            "title: T\nclass: a\nfrom: 1\ndefinition: {host: h, port: 1, children: [{host: i}], more: {x: 1}, any: null, lists: [[[]]], map: {k: {host: j}}}\n",
            kind=kind,
        )
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    repo.git("mv", "definitions/process_definition/p1.yaml", "definitions/process_definition/renamed.yaml")
    (repo.root / "definitions/process_definition/p2.yaml").unlink()
    repo.commit("rename one, delete one")
    assert main(["index", "-C", str(repo.root)]) == 0
    path = repo.root / "definitions/process_definition/p3.yaml"
    path.write_text(path.read_text().replace("timeout: 1.5,", "timeout: 5,"))
    repo.define("folder/pending")
    return repo


def site_of(registry: RepoBuilder, out: Path, *options: str) -> Path:
    assert main(["build", "-C", str(registry.root), "-o", str(out), *options]) == 0
    return out


@pytest.fixture(scope="module")
def site(registry: RepoBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_of(registry, tmp_path_factory.mktemp("built") / "site")


def read(site: Path, path: str) -> Any:
    return json.loads((site / path).read_bytes())


def bodies(site: Path, document: Any) -> Iterator[tuple[str, Any]]:
    """The address as the document has it, and every body there."""
    # Addresses with parameters come last: `/page/2/` fits `/{id}/…` too.
    patterns = sorted(document["paths"], key=lambda path: path.count("{"))
    for file in sorted([*(site / "api").rglob("*.json"), *(site / "api").rglob("*.ndjson")]):
        place = "/" + str(file.relative_to(site)).removesuffix("index.json")
        if file.name != "index.json" and place not in patterns:
            # A twin of an index.json, with the same bytes.
            if place != "/api/openapi.json":
                assert file.read_bytes() == (file.with_suffix("") / "index.json").read_bytes()
            continue
        pattern = next(
            one
            for one in patterns
            if re.fullmatch(
                re.sub(r"\\\{name\\\}", ".+", re.escape(one))
                .replace("\\{id\\}", "[0-9]+")
                .replace("\\{number\\}", "[0-9]+")
                .replace("\\{page\\}", "[0-9]+"),
                place,
            )
        )
        for line in file.read_text(encoding="utf-8").splitlines():
            yield pattern, json.loads(line)


def closed(node: Any) -> Any:
    """A schema of which every object with fields takes no others but those that start with `x-`."""
    if isinstance(node, list):
        return [closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {key: closed(value) for key, value in node.items()}
    if node.get("type") == "object" and "properties" in node and "last_definition" not in node["properties"]:
        assert node["additionalProperties"] is True, "every object is open for new keys"
        found |= {"additionalProperties": False, "patternProperties": {"^x-": True}}
    return found


@pytest.mark.parametrize("history", ["revisions", "commits"])
def test_it_is_valid_and_describes_every_body_to_the_last_key(
    registry: RepoBuilder, tmp_path: Path, history: str
) -> None:
    site = site_of(registry, tmp_path / "site", "--history", history)
    document = read(site, "api/openapi.json")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["servers"] == [{"url": "https://r.example.org/sub"}]
    components = closed(document["components"])
    tried = dict.fromkeys(document["paths"], 0)
    validators: dict[str, Draft202012Validator] = {}
    for pattern, body in bodies(site, document):
        if pattern not in validators:
            content = document["paths"][pattern]["get"]["responses"]["200"]["content"]
            validators[pattern] = Draft202012Validator(
                next(iter(content.values()))["schema"] | {"components": components}
            )
        errors = [
            f"{list(error.absolute_path)}: {error.message}" for error in validators[pattern].iter_errors(body)
        ]
        assert errors == [], pattern
        tried[pattern] += 1
    untried = {path for path, times in tried.items() if not times}
    # One definition needs no further page, and a static host has no sets.
    assert untried == {f"/api/{kind}/page/{{page}}/" for kind in (*KINDS, "application")} | {
        f"/api/{kind}/set/{{ids}}/" for kind in (*KINDS, "application", "process_definition")
    }


def test_every_reference_is_to_a_component_and_everything_has_a_description(site: Path) -> None:
    document = read(site, "api/openapi.json")
    references = re.findall(r'"\$ref":"([^"]+)"', (site / "api/openapi.json").read_text())
    assert references
    assert [
        one for one in references if not re.fullmatch(r"#/components/(schemas|responses)/[A-Za-z0-9]+", one)
    ] == []
    names = list(document["components"]["schemas"])
    assert len({name.lower() for name in names}) == len(names)
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert set(tags) == {"Registry", "process_definition", "application", *KINDS}
    assert all(tags.values())
    operations = [path["get"] for path in document["paths"].values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert set(one["tags"]) <= set(tags)
        assert one["summary"]
        assert all(parameter["description"] for parameter in one.get("parameters", ()))


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": []},
        {"properties": {"definition": {"$ref": "#/nowhere"}, "a": {"$ref": "#"}}},
        {"allOf": [{"$ref": "#"}]},
        {"properties": {"definition": {"allOf": [{"$ref": "#/properties/definition"}]}}},
        {"properties": {"definition": {"anyOf": [{"$ref": "#/properties/definition"}]}}},
        {"properties": {"definition": {"$ref": "#/properties/definition"}}},
        {"type": ["object", "null"], "properties": {"a": {}}},
    ],
)
def test_no_schema_of_a_kind_leads_in_circles(schema: Any) -> None:
    components = Components({})
    shapes = Shapes(components, "Kind", schema)
    fields = schema.get("properties")
    for name, part in (fields if isinstance(fields, dict) else {}).items():
        shapes.of(part, f"Kind{name}")
    shapes.of(schema, "Kind")
    json.dumps(components.schemas)


def with_new_keys(body: Any, *, is_map: bool = False) -> Any:
    """A body as a later version might send it; a key in a map from names to values is no new field."""
    if isinstance(body, list):
        return [with_new_keys(one) for one in body]
    if not isinstance(body, dict):
        return body
    found = {
        key: with_new_keys(value, is_map=key in ("kinds", "environment", "mappings", "map"))
        for key, value in body.items()
    }
    return found if is_map else {**found, "later": {"a": [1]}}


@pytest.fixture(scope="module")
def models(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """What datamodel-code-generator makes."""
    folder = tmp_path_factory.mktemp("models")
    generate(
        "datamodel_code_generator",
        "--input",
        f"{site}/api/openapi.json",
        "--input-file-type",
        "openapi",
        "--output",
        f"{folder}/registry_models.py",
        "--output-model-type",
        "pydantic_v2.BaseModel",
        "--formatters",
        "builtin",
    )
    yield from imported(folder, "registry_models")


@pytest.fixture(scope="module")
def client(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """What openapi-python-client makes."""
    folder = tmp_path_factory.mktemp("client")
    said = generate(
        "openapi_python_client",
        "generate",
        "--path",
        f"{site}/api/openapi.json",
        "--meta",
        "none",
        "--output-path",
        f"{folder}/registry_client",
    )
    # It does not know lines of JSON, and says so; everything else is there.
    assert "Unable" not in said
    assert all("ndjson" in part for part in said.split("WARNING")[1:])
    yield from imported(folder, "registry_client")


CLASSES = [
    ("api/index.json", "Index"),
    ("api/snapshot.json", "Snapshot"),
    ("api/process_definition/index.json", "ProcessDefinitionList"),
    ("api/process_definition/page/2/index.json", "ProcessDefinitionList"),
    ("api/process_definition/all.json", "ProcessDefinitionAll"),
    ("api/process_definition/1/index.json", "ProcessDefinition"),
    ("api/process_definition/4/index.json", "ProcessDefinitionTombstone"),
    ("api/process_definition/by-name/folder/pending/index.json", "ProcessDefinition"),
    ("api/process_definition/5/history/index.json", "History"),
    ("api/process_definition/5/revisions/1/index.json", "Revision"),
    ("api/application/1/index.json", "Application"),
    ("api/site/1/index.json", "Site"),
    ("api/revision/1/index.json", "Revision2"),
    ("api/process_definition_list/index.json", "ProcessDefinitionListList"),
]


@pytest.mark.parametrize(("path", "name"), CLASSES)
def test_datamodel_code_generators_classes_read_bodies_of_now_and_later(
    site: Path, models: ModuleType, path: str, name: str
) -> None:
    body = read(site, path)
    for one in (body, with_new_keys(body, is_map=name == "Index")):
        assert (
            getattr(models, name)
            .model_validate(copy.deepcopy(one))
            .model_dump(by_alias=True, exclude_unset=True)
            == one
        )


@pytest.mark.parametrize(("path", "name"), CLASSES)
def test_openapi_python_clients_classes_read_bodies_of_now_and_later(
    site: Path, client: ModuleType, path: str, name: str
) -> None:
    found = getattr(importlib.import_module(f"{client.__name__}.models"), name)
    body = read(site, path)
    for one in (body, with_new_keys(body, is_map=name == "Index")):
        assert found.from_dict(copy.deepcopy(one)).to_dict() == one


def test_openapi_python_clients_calls_work(registry: RepoBuilder, client: ModuleType) -> None:
    def call(operation: str, **parameters: Any) -> Any:
        kind = "registry" if operation in ("index", "snapshot") else "process_definition"
        module = importlib.import_module(f"{client.__name__}.api.{kind}.{operation}")
        return module.sync(client=connection, **parameters)

    with served(registry.root) as (address, _process), client.Client(base_url=f"{address}/sub") as connection:
        assert call("get_process_definition", id=1).definition.exec_ == "x"
        assert (
            call("by_name_process_definition", name="g/full").definition.input_adapter.input_params[
                "tcp_port"
            ]
            == 8070
        )
        tombstone = call("get_process_definition", id=4)
        assert (tombstone.deleted, tombstone.last_definition["exec"], hasattr(tombstone, "definition")) == (
            True,
            "x",
            False,
        )
        assert [one.id for one in call("list_process_definition", tag="a", limit=5).objects] == [1]
        assert call("list_process_definition", limit=2).meta.next_.startswith("/sub/api/process_definition/?")
        several = call("set_process_definition", ids="1;4;2")
        assert ([one.id for one in several.objects], several.not_found) == ([1, 2], ["4"])
        assert call("history_process_definition", id=4).revisions[0].deleted is True
        assert call("snapshot").title == "Test"
        assert call("get_process_definition", id=99) is None


def test_an_encoded_reference_gives_a_component_the_name_that_it_stands_for() -> None:
    fields = {"type": "object", "properties": {"a": {"type": "string"}}}
    components = Components({})
    Shapes(components, "Kind", {"$defs": {"two words": fields}}).of({"$ref": "#/$defs/two%20words"}, "X")
    assert list(components.schemas) == ["KindTwoWords"]
