"""Servers of a registry of MCP servers in configuration files of clients."""

import json
from typing import Any

import pytest

from registry.errors import UsageError
from registry.exchange import mcp_json, vscode_mcp
from registry.exchange.exporter import Exportable, Exporter, NotExportableError
from registry.exchange.exporting import export_definitions
from tests.conftest import Run
from tests.support.mcp import KIND, SETTINGS, full_server
from tests.support.repo import RepoBuilder

CLIENTS = [mcp_json.EXPORTER, vscode_mcp.EXPORTER]
STDIO = {"type": "stdio"}


def server(name: str = "com.example/weather", **parts: Any) -> Exportable:
    definition = {"name": name, "description": "D", "version": "1.0.0", **parts}
    return Exportable(KIND, name, 1, {"title": "T", "definition": definition})


def package(kind: str, identifier: str = "weather", **parts: Any) -> Exportable:
    return server(packages=[{"registryType": kind, "identifier": identifier, "transport": STDIO, **parts}])


def exported(client: Exporter, one: Exportable) -> Any:
    """The entry of a server."""
    document = json.loads(client.export(one).text)
    (entry,) = document["servers" if "servers" in document else "mcpServers"].values()
    return entry


@pytest.mark.parametrize(
    ("one", "command"),
    [
        (package("npm", "@a/b", version="1.0.0"), ["npx", "-y", "@a/b@1.0.0"]),
        (package("npm", "b", runtimeHint="bunx"), ["bunx", "b"]),
        (package("pypi", version="1.0.0", runtimeHint="uvx"), ["uvx", "weather==1.0.0"]),
        (package("oci", "ghcr.io/a/b", version="1.0.0"), ["docker", "run", "-i", "--rm", "ghcr.io/a/b:1.0.0"]),
        (package("oci", "host:5000/b:2", version="1.0.0"), ["docker", "run", "-i", "--rm", "host:5000/b:2"]),
        (package("nuget", "A.B", version="1.0.0"), ["dnx", "A.B@1.0.0", "--yes"]),
        (
            package("nuget", "A.B", packageArguments=[{"type": "positional", "value": "x"}]),
            ["dnx", "A.B", "--yes", "--", "x"],
        ),
        (
            package(
                "npm",
                "b",
                runtimeArguments=[{"type": "named", "name": "--yes"}],
                packageArguments=[
                    {"type": "named", "name": "--port", "value": "80"},
                    {"type": "named", "name": "--verbose"},
                    {"type": "named", "name": "--units", "default": "metric"},
                    {"type": "positional", "value": "{a}/{b}", "variables": {"a": {"default": "x"}}},
                ],
            ),
            ["npx", "--yes", "b", "--port", "80", "--verbose", "--units", "metric", "x/{b}"],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
def test_a_package_is_a_command(client: Exporter, one: Exportable, command: list[str]) -> None:
    entry = exported(client, one)
    assert [entry["command"], *entry["args"]] == command
    assert entry.get("type", "stdio") == "stdio"


def test_secrets_and_missing_values_are_asked_for() -> None:
    one = package(
        "oci",
        "a/b:1",
        environmentVariables=[
            {"name": "KEY", "isSecret": True, "description": "Your key"},
            {"name": "REGION", "isRequired": True, "choices": ["eu", "us"], "default": "eu"},
            {"name": "LEVEL", "default": "info"},
            {"name": "EXTRA"},
        ],
        packageArguments=[{"type": "positional", "valueHint": "root directory", "format": "filepath"}],
    )
    text = vscode_mcp.EXPORTER.export(one)
    document = json.loads(text.text)
    id_ = "com-example-weather"
    passed = ["-e", "KEY", "-e", "REGION", "-e", "LEVEL"]
    assert document["servers"][id_] == {
        "type": "stdio",
        "command": "docker",
        "args": ["run", "-i", "--rm", *passed, "a/b:1", f"${{input:{id_}-root-directory}}"],
        "env": {"KEY": f"${{input:{id_}-KEY}}", "REGION": f"${{input:{id_}-REGION}}", "LEVEL": "info"},
    }
    assert document["inputs"] == [
        {"id": f"{id_}-KEY", "type": "promptString", "password": True, "description": "Your key"},
        {
            "id": f"{id_}-REGION",
            "type": "pickString",
            "options": ["eu", "us"],
            "description": "REGION",
            "default": "eu",
        },
        {
            "id": f"{id_}-root-directory",
            "type": "promptString",
            "password": False,
            "description": "root directory",
        },
    ]
    assert "/definition/packages/0/environmentVariables/3" in [loss.field for loss in text.losses]
    entry = exported(mcp_json.EXPORTER, one)
    assert entry["env"] == {"KEY": "${KEY}", "REGION": "eu", "LEVEL": "info"}
    assert entry["args"][-1] == "${ROOT_DIRECTORY}"


def test_a_remote_is_an_address_with_headers() -> None:
    token = {"token": {"isSecret": True, "isRequired": True}}
    remote = {
        "type": "streamable-http",
        "url": "https://{region}.example.com/mcp",
        "variables": {"region": {"default": "eu"}},
        "headers": [
            {"name": "Authorization", "value": "Bearer {token}", "variables": token},
            {"name": "X-Key", "isSecret": True},
        ],
    }
    one = server(remotes=[remote, {"type": "sse", "url": "https://example.com/sse"}])
    text = mcp_json.EXPORTER.export(one)
    assert json.loads(text.text)["mcpServers"]["com-example-weather"] == {
        "type": "http",
        "url": "https://eu.example.com/mcp",
        "headers": {"Authorization": "Bearer ${TOKEN}", "X-Key": "${X_KEY}"},
    }
    assert "/definition/remotes/1" in [loss.field for loss in text.losses]
    headers = exported(vscode_mcp.EXPORTER, one)["headers"]
    assert headers["Authorization"] == "Bearer ${input:com-example-weather-token}"
    assert exported(vscode_mcp.EXPORTER, server(remotes=one.inside["remotes"][1:]))["type"] == "sse"


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("one", "field"),
    [
        (server(), "/definition"),
        (package("cargo"), "/definition/packages/0/registryType"),
        (package("npm", transport={"type": "sse", "url": "http://x"}), "/definition/packages/0/transport"),
        (package("npm", "a${B}"), "/definition/packages/0/identifier"),
        (
            package("npm", packageArguments=[{"type": "positional", "value": "${HOME}"}]),
            "/definition/packages/0/packageArguments/0/value",
        ),
        (server(remotes=[{"type": "sse", "url": "https://a/${B}"}]), "/definition/remotes/0/url"),
    ],
)
def test_what_a_client_would_change_is_refused(client: Exporter, one: Exportable, field: str) -> None:
    with pytest.raises(NotExportableError) as raised:
        client.export(one)
    assert raised.value.field == field


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
def test_a_server_that_no_client_starts_is_reached_at_its_remote(client: Exporter) -> None:
    one = server(
        packages=[{"registryType": "cargo", "identifier": "x", "transport": STDIO}],
        remotes=[{"type": "sse", "url": "https://example.com/sse"}],
    )
    assert exported(client, one)["url"] == "https://example.com/sse"
    assert "/definition/packages/0" in [loss.field for loss in client.export(one).losses]


def test_questions_of_two_servers_stay_apart() -> None:
    key = [{"name": "KEY", "isSecret": True}]
    parts = {"registryType": "npm", "identifier": "x", "transport": STDIO, "environmentVariables": key}
    some = [server(name, packages=[parts]) for name in ("a.b/c", "a.b/d")]
    (text,) = export_definitions(vscode_mcp.EXPORTER, some).files.values()
    assert [one["id"] for one in json.loads(text)["inputs"]] == ["a-b-c-KEY", "a-b-d-KEY"]
    with pytest.raises(UsageError, match="would both be the server a-b-c"):
        export_definitions(vscode_mcp.EXPORTER, [some[0], server("a-b/c", packages=[parts])])


def test_the_command_exports_servers_and_services(repo: RepoBuilder, run: Run) -> None:
    repo.write("registry.yaml", SETTINGS)
    repo.define("com.example/weather", full_server("com.example/weather", "1.0.0"), KIND)
    repo.define("job")
    done = run("export", "com.example/weather", "--to", "mcp-json", "-C", str(repo.root))
    assert done.code == 0, done.err
    entry = json.loads(done.out)["mcpServers"]["com-example-weather"]
    assert entry["env"]["NPM_CONFIG_REGISTRY"] == "https://npm.example.org"
    everything = run("export", "--all", "--to", "vscode-mcp", "-C", str(repo.root))
    assert list(json.loads(everything.out)["servers"]) == ["com-example-weather"]
    assert "job: /definition/process_type cannot be exported" in everything.err
    assert run("export", "com.example/weather", "--to", "systemd", "-C", str(repo.root)).code == 2
