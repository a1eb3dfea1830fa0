"""Servers that the official SDK of MCP starts from exported files, run by `make test-engines`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from registry.exchange.exporter import Exporter
from registry.exchange.exporting import export_definitions
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
