"""A registry of MCP servers, and the schema of the answers."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.repo import RepoBuilder

OPENAPI = Path(__file__).with_name("mcp_openapi.json")
OFFICIAL = "io.modelcontextprotocol.registry/official"
SETTINGS = "registry_id: registry-1\nprotocols: [mcp]\n"
KIND = "mcp_server"


def server_text(name: str, version: str = "1.0.0", head: str = "", **more: Any) -> str:
    """The text of the file of a server."""
    definition = {"name": name, "description": f"About {name}", "version": version, **more}
    # JSON is YAML.
    return f"title: {name}\nowners: [team]\n{head}definition: {json.dumps(definition)}\n"


def full_server(name: str, version: str) -> str:
    """The text of a server with every field of the format."""
    variable = {"token": {"description": "Key", "isSecret": True, "isRequired": True}}
    key = {"name": "Authorization", "value": "Bearer {token}", "isSecret": True, "variables": variable}
    more: dict[str, Any] = {
            "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
            "title": "Weather",
            "websiteUrl": "https://weather.example.com/",
            "repository": {
                "url": "https://github.com/example/weather",
                "source": "github",
                "id": "912345678",
                "subfolder": "src/server",
            },
            "icons": [
                {"src": "https://a.example/i.png", "mimeType": "image/png", "sizes": ["48x48"], "theme": "dark"}
            ],
            "packages": [
                {
                    "registryType": "npm",
                    "registryBaseUrl": "https://npm.example.org",
                    "identifier": "@example/weather",
                    "version": version,
                    "fileSha256": "fe333e598595000ae021bd27117db32ec69af6987f507ba7a63c90638ff633ce",
                    "runtimeHint": "npx",
                    "transport": {"type": "stdio"},
                    "runtimeArguments": [{"type": "positional", "value": "-y"}],
                    "packageArguments": [
                        {"type": "named", "name": "--port", "value": "{port}", "variables": {"port": {"format": "number"}}},
                        {"type": "positional", "valueHint": "directory", "isRepeated": True, "format": "filepath"},
                    ],
                    "environmentVariables": [
                        {"name": "LEVEL", "default": "info", "choices": ["info", "debug"], "placeholder": "info"},
                        {"name": "WEATHER_API_KEY", "isRequired": True, "isSecret": True},
                    ],
                },
                {
                    "registryType": "oci",
                    "identifier": "ghcr.io/example/weather:1.0.0",
                    "transport": {"type": "streamable-http", "url": "http://127.0.0.1:{port}/mcp", "headers": [key]},
                },
            ],
            "remotes": [
                {
                    "type": "streamable-http",
                    "url": "https://{region}.example.com/mcp",
                    "headers": [key],
                    "variables": {"region": {"default": "eu", "choices": ["eu", "us"]}},
                },
                {"type": "sse", "url": "https://example.com/sse"},
            ],
            "_meta": {"com.example/review": {"ticket": "SEC-1"}},
        }  # fmt: skip
    return server_text(name, version, **more)


@cache
def validator(schema: str) -> Draft202012Validator:
    """The validator of a schema of the document: ServerList, ServerResponse."""
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    )


def mistakes(body: Any) -> list[str]:
    """What the schema finds in an answer with servers or with one server."""
    schema = "ServerList" if "servers" in body else "ServerResponse"
    return [f"{error.json_path}: {error.message}" for error in validator(schema).iter_errors(body)]


def summary(answer: Any) -> list[tuple[str, str, str, bool]]:
    """Name, version, status and whether it is the newest, of each server of an answer."""
    servers = answer.get("servers", [answer])
    return [
        (
            one["server"]["name"],
            one["server"]["version"],
            one["_meta"][OFFICIAL]["status"],
            one["_meta"][OFFICIAL]["isLatest"],
        )
        for one in servers
    ]


def registry_with_history(root: Path) -> RepoBuilder:
    """Three servers: one with two versions, one deprecated, one deleted. Ids are in the files, as after indexing."""
    from registry.cli import main

    repo = RepoBuilder(root)
    repo.write("registry.yaml", SETTINGS)
    repo.write(".gitignore", "/site\n/.site.generations\n/.registry\n")
    repo.define("com.example/weather", full_server("com.example/weather", "1.0.0"), KIND)
    repo.define("com.example/files", server_text("com.example/files"), KIND)
    repo.define("com.example/gone", server_text("com.example/gone"), KIND)
    repo.commit("add three")
    assert main(["index", "-C", str(root)]) == 0
    for name, change in (("weather", ('"version": "1.0.0"', '"version": "1.1.0"')),
                         ("files", ("owners: [team]", "owners: [team]\nlifecycle: deprecated"))):  # fmt: skip
        path = root / f"definitions/{KIND}/com.example/{name}.yaml"
        text = path.read_text()
        assert change[0] in text
        path.write_text(text.replace(*change))
    (root / f"definitions/{KIND}/com.example/gone.yaml").unlink()
    repo.commit("a version, a deprecation, a deletion")
    assert main(["index", "-C", str(root)]) == 0
    return repo
