"""Servers that the official SDK of MCP starts from exported files, run by `make test-engines`."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from registry.exchange.exporter import Exportable, Exporter
from registry.exchange.exporting import export_definitions
from registry.exchange.mcp_registry_server import MCP_SERVER_KIND
from tests.exchange.test_mcp_client import CLIENTS, KEYS, SERVER, expanded
from tests.support.exchange_programs import exchange_program, run_exchange_program
from tests.support.hostile_text import HOSTILE, exportable

pytestmark = pytest.mark.engine

TOOLS = Path(__file__).parents[1] / "support/exchange_tools"


def resolved(client: Exporter, value: Any) -> Any:
    """The value after the client replaced its variables, which the SDK does not do."""
    if isinstance(value, dict):
        return {key: resolved(client, item) for key, item in value.items()}
    return [resolved(client, item) for item in value] if isinstance(value, list) else expanded(client, value)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
def test_the_sdk_starts_an_exported_server(client: Exporter, tmp_path: Path) -> None:
    texts = [text for text in HOSTILE if not re.search(r"\$[A-Za-z_{]", text)]
    server = exportable(
        "tools/received",
        exec=exchange_program("python"),
        argv=[str(TOOLS / "mcp_server.py"), *texts],
        environment={f"V{number}": text for number, text in enumerate(texts)} | {"KEY": "${TOKEN}"},
        cwd=str(tmp_path),
        **SERVER,
    )
    (text,) = export_definitions(client, [server]).files.values()
    entry = resolved(client, json.loads(text)[KEYS[client.name]]["tools-received"])
    # The key that tells Visual Studio Code how to start a server is not for the SDK.
    assert entry.pop("type", "stdio") == "stdio"
    done = run_exchange_program("python", [TOOLS / "mcp_client.py"], json.dumps(entry))
    assert done.returncode == 0, done.stderr
    tools, received = json.loads(done.stdout)
    assert tools == ["received"]
    assert received["argv"] == texts
    assert received["cwd"] == str(tmp_path)
    variables = received["environment"]
    assert {f"V{number}": text for number, text in enumerate(texts)}.items() <= variables.items()
    assert variables["KEY"] == "secret $x"


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
def test_the_sdk_starts_an_exported_server_of_a_registry(
    client: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`uvx` is a script here: a package from the network would not be a test of the file."""
    script = tmp_path / "uvx"
    python, program = exchange_program("python"), TOOLS / "mcp_server.py"
    script.write_text(f'#!/bin/sh\nexec "{python}" "{program}" "$@"\n')
    script.chmod(0o755)
    package = {
        "registryType": "pypi",
        "identifier": "weather",
        "version": "1.0.0",
        "runtimeHint": "uvx",
        "transport": {"type": "stdio"},
        "packageArguments": [{"type": "named", "name": "--text", "value": "a 'b\" $"}],
        "environmentVariables": [{"name": "TOKEN", "isSecret": True}, {"name": "LEVEL", "default": "info"}],
    }
    definition = {"name": "com.example/x", "description": "D", "version": "1.0.0", "packages": [package]}
    server = Exportable(MCP_SERVER_KIND, "com.example/x", 1, {"definition": definition})
    (text,) = export_definitions(client, [server]).files.values()
    document = json.loads(text)
    entry = document[KEYS[client.name]]["com-example-x"]
    for one in document.get("inputs", ()):
        entry["env"] = {
            key: value.replace(f"${{input:{one['id']}}}", "${TOKEN}") for key, value in entry["env"].items()
        }
    entry = resolved(client, entry)
    assert entry.pop("type", "stdio") == "stdio"
    # The SDK passes on PATH to find the program.
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    done = run_exchange_program("python", [TOOLS / "mcp_client.py"], json.dumps(entry))
    assert done.returncode == 0, done.stderr
    tools, received = json.loads(done.stdout)
    assert tools == ["received"]
    assert received["argv"] == ["weather==1.0.0", "--text", "a 'b\" $"]
    assert received["environment"]["TOKEN"] == "secret $x"
    assert received["environment"]["LEVEL"] == "info"
