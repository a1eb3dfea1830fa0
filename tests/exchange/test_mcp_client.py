"""Configuration files of MCP clients."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import UsageError
from registry.exchange import mcp_json, vscode_mcp
from registry.exchange.exporter import Exporter, NotExportableError
from registry.exchange.exporting import export_definitions
from tests.support.hostile_text import ENVIRONMENTS, NAMES, TEXTS, exportable

CLIENTS = [mcp_json.EXPORTER, vscode_mcp.EXPORTER]
KEYS = {"mcp-json": "mcpServers", "vscode-mcp": "servers"}
SERVER = {
    "process_type": "service",
    "input_adapter": {"input_type": "stream", "input_params": {"stream_name": "STDIN", "framing": "lines"}},
    "output_adapter": {"output_type": "stream", "output_params": {"stream_name": "STDOUT"}},
}
VALUES = {"TOKEN": "secret $x", "OTHER": "other"}


def expanded(client: Exporter, text: str) -> str:
    """What a client passes on: many replace `${NAME}`, some also `$NAME`, and Visual Studio Code
    `${input:NAME}` and variables of its own."""
    if client is mcp_json.EXPORTER:
        return re.sub(
            r"\$(?:([A-Za-z_]\w*)|\{([^}]+)\})", lambda it: VALUES.get(it[1] or it[2], "replaced"), text
        )
    return re.sub(r"\$\{(?:input:)?([^}]*)\}", lambda it: VALUES.get(it[1], "replaced"), text)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
@given(
    st.lists(TEXTS, max_size=4),
    ENVIRONMENTS,
    TEXTS.filter(bool),
    st.none() | TEXTS.map(lambda it: f"/{it}"),
    NAMES,
)
def test_a_server_gets_exactly_its_texts(
    client: Exporter, argv: list[str], environment: dict[str, str], program: str, cwd: str | None, name: str
) -> None:
    one = exportable(
        name, exec=program, argv=argv, environment=environment, **({"cwd": cwd} if cwd else {}), **SERVER
    )
    try:
        document = json.loads(client.export(one).text)
    except NotExportableError as error:
        # Only what the limits name.
        texts = [program, cwd or "", *argv, *environment, *environment.values()]
        assert any(re.search(r"\$[A-Za-z_{]", text) for text in texts)
        assert error.field.startswith("/definition/")
        return
    ((server, entry),) = document[KEYS[client.name]].items()
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,48}", server)
    assert [expanded(client, text) for text in (entry["command"], *entry["args"])] == [program, *argv]
    assert {expanded(client, key): expanded(client, text) for key, text in entry["env"].items()} == {
        key: VALUES.get(text[2:-1], "replaced")
        if re.fullmatch(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", text)
        else text
        for key, text in environment.items()
    }
    assert entry.get("cwd") == cwd


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"process_type": "single"}, "/definition/process_type"),
        ({"input_adapter": None}, "/definition"),
        (
            {"output_adapter": {"output_type": "port", "output_params": {"tcp_port": 1}}},
            "/definition/output_adapter",
        ),
        (
            {
                "input_adapter": {
                    "input_type": "stream",
                    "input_params": {"stream_name": "STDIN", "framing": "nul"},
                }
            },
            "/definition/input_adapter",
        ),
        (
            {"output_adapter": {"output_type": "stream", "output_params": {"stream_name": "STDERR"}}},
            "/definition/output_adapter",
        ),
        ({"argv": ["a", "${workspaceFolder}"]}, "/definition/argv/1"),
        ({"environment": {"A": "${env:HOME}"}}, "/definition/environment/A"),
    ],
)
def test_other_processes_are_refused(client: Exporter, changed: dict[str, Any], field: str) -> None:
    parts = {key: value for key, value in (SERVER | changed).items() if value is not None}
    with pytest.raises(NotExportableError) as raised:
        client.export(exportable(**parts))
    assert raised.value.field == field


def test_a_variable_of_the_host_is_asked_for_once() -> None:
    servers = [
        exportable("a/first", environment={"TOKEN": "${TOKEN}", "LEVEL": "1"}, **SERVER),
        exportable("second", environment={"KEY": "${TOKEN}"}, cwd="/srv", **SERVER),
    ]
    (text,) = export_definitions(vscode_mcp.EXPORTER, servers).files.values()
    command = {"type": "stdio", "command": "/bin/program", "args": []}
    assert json.loads(text) == {
        "servers": {
            "a-first": {**command, "env": {"TOKEN": "${input:TOKEN}", "LEVEL": "1"}},
            "second": {**command, "env": {"KEY": "${input:TOKEN}"}, "cwd": "/srv"},
        },
        "inputs": [{"id": "TOKEN", "type": "promptString", "description": "TOKEN", "password": True}],
    }


def test_files_of_other_clients_name_the_variables_of_the_host() -> None:
    server = exportable("a/first", argv=["-v"], environment={"KEY": "${TOKEN}"}, cwd="/srv", **SERVER)
    exported = export_definitions(mcp_json.EXPORTER, [server])
    assert json.loads(exported.files["mcp.json"]) == {
        "mcpServers": {
            "a-first": {"command": "/bin/program", "args": ["-v"], "env": {"KEY": "${TOKEN}"}, "cwd": "/srv"}
        }
    }
    assert "/definition/cwd" in [one.field for one in exported.losses["a/first"]]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
def test_two_servers_with_one_name_are_reported(client: Exporter) -> None:
    with pytest.raises(UsageError, match="a/b and a-b would both be the server a-b"):
        export_definitions(client, [exportable("a/b", **SERVER), exportable("a-b", **SERVER)])
