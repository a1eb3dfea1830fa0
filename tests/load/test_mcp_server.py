"""The kind `mcp_server`: it exists with the protocol, and its schema keeps the limits of server.json."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from registry.load.defaults import SCHEMA_FOLDER, defaults_folder
from registry.load.kinds import Kind, load_kinds
from registry.load.source import WorkTree
from registry.model.problem import Problem
from registry.pipeline import check_source
from tests.conftest import Run
from tests.load.test_kinds import NODE, nodes
from tests.support.mcp import KIND, SETTINGS, full_server, server_text
from tests.support.repo import RepoBuilder

FILE = f"{SCHEMA_FOLDER}/{KIND}.schema.json"
OURS = (defaults_folder(SCHEMA_FOLDER) / f"{KIND}.schema.json").read_text(encoding="utf-8")
NPM = {"registryType": "npm", "identifier": "x", "version": "1.0.0", "transport": {"type": "stdio"}}


@pytest.fixture
def servers(repo: RepoBuilder) -> RepoBuilder:
    repo.write("registry.yaml", SETTINGS)
    repo.define("a")
    return repo


def names(repo: RepoBuilder) -> list[str]:
    found, problems = load_kinds(WorkTree(repo.root))
    assert not problems
    return [kind.name for kind in found]


def problems_of(repo: RepoBuilder, text: str, name: str = "com.example/weather") -> list[Problem]:
    repo.define(name, text, KIND)
    return [one for one in check_source(WorkTree(repo.root)).problems if one.rule != "W201"]


def test_the_kind_exists_only_with_the_protocol(repo: RepoBuilder) -> None:
    assert names(repo) == ["process_definition", "application"]
    assert names_with_setting(repo) == ["process_definition", "application", KIND]


def names_with_setting(repo: RepoBuilder) -> list[str]:
    repo.write("registry.yaml", SETTINGS)
    return names(repo)


def test_a_copy_for_editors_adds_no_kind_and_an_own_schema_does(repo: RepoBuilder) -> None:
    repo.write(FILE, OURS)
    assert KIND not in names(repo)
    repo.write(FILE, OURS.replace('"title": "MCP server"', '"title": "Tool server"'))
    assert KIND in names(repo)


def test_files_without_the_setting_name_the_setting(repo: RepoBuilder) -> None:
    found = problems_of(repo, server_text("com.example/weather"))
    assert [(one.rule, one.hint) for one in found] == [("Y024", "add `protocols: [mcp]` to registry.yaml")]


def test_an_unknown_protocol_is_a_problem_of_the_settings(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.write("registry.yaml", "protocols: [mcq]\n")
    done = run("check", "-C", str(repo.root))
    assert done.code == 1
    assert "K002" in done.out and "mcp" in done.out


def test_commands_for_schemas_and_new_files_know_the_kind(servers: RepoBuilder, run: Run) -> None:
    assert run("schema", "--write", "-C", str(servers.root)).code == 0
    assert (servers.root / FILE).read_text(encoding="utf-8") == OURS
    words = ["--title", "Weather", "--summary", "Forecasts", "--version", "1.4.0"]
    done = run("new", KIND, "com.example/weather", "-C", str(servers.root), *words)
    assert done.code == 0, done.err
    text = (servers.root / f"definitions/{KIND}/com.example/weather.yaml").read_text(encoding="utf-8")
    assert "  name: com.example/weather" in text and "  version: 1.4.0" in text
    assert not check_source(WorkTree(servers.root)).problems


def test_a_new_registry_has_no_copy_of_its_schema(tmp_path: Path, run: Run) -> None:
    assert run("init", str(tmp_path / "new")).code == 0
    assert not (tmp_path / "new" / FILE).exists()


def test_a_whole_server_is_valid(servers: RepoBuilder) -> None:
    assert problems_of(servers, full_server("com.example/weather", "1.0.0")) == []


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"name": "weather"}, "name"),
        ({"name": "com.example/weather/x"}, "name"),
        ({"description": "x" * 101}, "description"),
        ({"title": ""}, "title"),
        ({"version": "latest"}, "version"),
        ({"version": "Latest"}, "version"),
        ({"version": "^1.2.0"}, "version"),
        ({"version": ">=1.2.0"}, "version"),
        ({"version": "1.x"}, "version"),
        ({"version": "1.2.*"}, "version"),
        ({"version": "1.0.0 - 2.0.0"}, "version"),
        ({"version": "x"}, "version"),
        ({"version": "index.json"}, "version"),
        ({"version": "9" * 256}, "version"),
        ({"version": 1.5}, "version"),
        ({"websiteUrl": "javascript:alert(1)"}, "websiteUrl"),
        ({"repository": {"url": "https://a.example/b"}}, "source"),
        ({"icons": [{"src": "http://a.example/b.png"}]}, "src"),
        ({"remote": []}, "remote"),
        ({"remotes": [{"type": "stdio", "url": "https://a.example"}]}, "type"),
        ({"remotes": [{"type": "sse"}]}, "url"),
        ({"packages": [NPM | {"version": "latest"}]}, "version"),
        ({"packages": [NPM | {"version": "~1.2"}]}, "version"),
        ({"packages": [NPM | {"registryType": "apt"}]}, "registryType"),
        ({"packages": [NPM | {"fileSha256": "abc"}]}, "fileSha256"),
        ({"packages": [NPM | {"identifier": "-rf"}]}, "identifier"),
        ({"packages": [NPM | {"transport": {"type": "sse"}}]}, "url"),
        ({"packages": [NPM | {"transport": {"type": "stdio", "url": "https://a.example"}}]}, "url"),
        ({"packages": [NPM | {"packageArguments": [{"type": "named", "value": "x"}]}]}, "name"),
        ({"packages": [NPM | {"packageArguments": [{"type": "positional"}]}]}, "value"),
        ({"packages": [NPM | {"packageArguments": [{"type": "positional", "name": "-x", "value": "1"}]}]}, "name"),
        ({"packages": [NPM | {"environmentVariables": [{"name": "KEY", "isSecret": True, "value": "abc"}]}]}, "value"),
        ({"packages": [NPM | {"environmentVariables": [{"name": "KEY", "isSecret": True, "default": "a"}]}]}, "default"),
        ({"packages": [NPM | {"environmentVariables": [{"name": "KEY", "format": "int"}]}]}, "format"),
        ({"packages": [NPM | {"environmentVariables": [{"name": "A=B"}]}]}, "name"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_at_its_place(servers: RepoBuilder, more: dict[str, Any], place: str) -> None:
    text = server_text("com.example/weather")
    definition = json.loads(text.partition("definition: ")[2]) | more
    head = text.partition("definition: ")[0]
    name = definition["name"]
    found = problems_of(servers, f"{head}definition: {json.dumps(definition)}\n", name)
    assert len(found) == 1, found
    assert found[0].rule.startswith("S")
    assert place in f"{found[0].pointer} {found[0].message}"


def test_the_name_is_that_of_the_file(servers: RepoBuilder) -> None:
    found = problems_of(servers, server_text("com.example/other"))
    assert [(one.rule, one.hint) for one in found] == [
        (
            "I006",
            "rename the file to definitions/mcp_server/com.example/other.yaml, or write the name of the file",
        )
    ]


def test_a_credential_is_found_and_a_digest_is_none(servers: RepoBuilder) -> None:
    token = "Zx81kLq93vbnTT42pq" + "7RsWm0Yc5HdJ8eKfUa1G"
    variable = {"name": "LEVEL", "value": token}
    text = server_text("com.example/weather", packages=[NPM | {"environmentVariables": [variable]}])
    assert [one.rule for one in problems_of(servers, text)] == ["X001"]


def test_the_level_of_a_change_is_that_of_its_part(servers: RepoBuilder, run: Run) -> None:
    servers.define("com.example/weather", "id: 1\n" + full_server("com.example/weather", "1.0.0"), KIND)
    servers.commit()
    text = full_server("com.example/weather", "1.1.0").replace("About", "More about")
    servers.define("com.example/weather", f"id: 1\n{text}", KIND)
    done = run("diff", "HEAD", "-C", str(servers.root), "--format", "json")
    changes = json.loads(done.out)["definitions"][0]["changes"]
    assert {one["pointer"]: one["level"] for one in changes} == {
        "/definition/description": "safe",
        "/definition/version": "risky",
        "/definition/packages": "risky",
    }


@pytest.fixture(scope="module")
def kind(tmp_path_factory: pytest.TempPathFactory) -> Kind:
    repo = RepoBuilder(tmp_path_factory.mktemp("kind"))
    repo.write("registry.yaml", SETTINGS)
    return load_kinds(WorkTree(repo.root))[0].by_name[KIND]


def test_patterns_accept_their_examples_and_no_line_break(kind: Kind) -> None:
    tried = 0
    for place, node in nodes(kind.schema):
        for example in [
            one for one in node.get("examples", ()) if isinstance(one, str) and "pattern" in node
        ]:
            tried += 1
            for engine in (Draft202012Validator, jsonschema_rs.Draft202012Validator):
                assert engine({"pattern": node["pattern"]}).is_valid(example), f"{place}: {example!r}"
                assert not engine({"pattern": node["pattern"]}).is_valid(f"{example}\n"), place
    assert tried > 20


@pytest.mark.slow  # needs packages of Node.js
def test_engines_agree(kind: Kind) -> None:
    node = shutil.which("node")
    assert node, "Node.js is not installed: scripts/install-test-tools"
    good = json.loads(full_server("a.b/c", "1.0.0").partition("definition: ")[2])
    changes: list[tuple[dict[str, Any], bool]] = [
        ({}, True),
        *(({"version": version}, True) for version in ("1.0.0-x.1", "2026.1", "v1", "1.0.0+x", "1.xy")),
        *(({"version": version}, False) for version in ("LATEST", "1.X.0", "x", "1.x", "1.0\n", "١.0", "")),
        *(({"packages": [NPM | {"identifier": value}]}, False) for value in ("a b", "-x", "a\n", "")),
    ]
    values = [({"definition": good | change}, expected) for change, expected in changes]
    request = {"schemas": {KIND: kind.schema}, "cases": [{"schema": KIND, "value": one} for one, _ in values]}
    done = subprocess.run(
        [node, str(NODE / "validate.mjs")],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    python = Draft202012Validator(kind.schema)
    for (value, expected), theirs in zip(values, json.loads(done.stdout), strict=True):
        answers = (python.is_valid(value), kind.validator.is_valid(value), theirs)
        assert answers == (expected,) * 3, (value["definition"], answers)


def test_a_server_json_of_several_lines_can_be_pasted(servers: RepoBuilder) -> None:
    text = full_server("com.example/weather", "1.0.0")
    head, _, body = text.partition("definition: ")
    pasted = json.dumps(json.loads(body), indent=2).replace("\n", "\n  ")
    assert problems_of(servers, f"{head}definition:\n  {pasted}\n") == []
