"""`.vscode/mcp.json`: MCP servers of Visual Studio Code.

Source: the documentation of Visual Studio Code, "MCP configuration reference" and "Variables reference".
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from registry.exchange.exporter import Exportable, ExportedText, Exporter
from registry.exchange.fields import Carried, FieldTable, is_reference, losses
from registry.exchange.mcp_client import (
    SERVER_TABLE,
    STDIO_LIMIT,
    as_json_text,
    joined_servers,
    server_entry,
    server_name,
)
from registry.exchange.mcp_registry_server import (
    MCP_SERVER_KIND,
    MCP_SERVER_LIMIT,
    Question,
    registry_server,
)
from registry.model.values import map_of

_FILE = "mcp.json"
_KEY = "servers"
_REPLACED = re.compile(r"\$\{")

_TABLE: FieldTable = {
    **SERVER_TABLE,
    "references": Carried("`${input:NAME}`: a password that Visual Studio Code asks for and stores"),
}


def _export(one: Exportable) -> ExportedText:
    """Return a configuration file with one server, and an input for each variable of the host."""
    if one.kind == MCP_SERVER_KIND:
        return _export_server(one)
    entry = {"type": "stdio"} | server_entry(one, _REPLACED, lambda name: f"${{input:{name}}}")
    references = [text[2:-1] for text in map_of(one.inside.get("environment")).values() if is_reference(text)]
    return ExportedText(
        _file({server_name(one.name): entry}, map(_input, references)), tuple(losses(_TABLE, one.document))
    )


def _export_server(one: Exportable) -> ExportedText:
    """Return a configuration file with one server of a registry, and an input for each question."""
    inputs: list[dict[str, Any]] = []
    name = server_name(one.name)

    def ask(question: Question) -> str:
        # Another server can have a variable of the same name, and another value for it.
        id_ = f"{name}-{re.sub('[^A-Za-z0-9_]+', '-', question.name).strip('-')}"
        kind: dict[str, Any] = {"type": "promptString", "password": question.is_secret}
        if question.choices:
            kind = {"type": "pickString", "options": list(question.choices)}
        default = {"default": question.default} if question.default else {}
        inputs.append({"id": id_, **kind, "description": question.description, **default})
        return f"${{input:{id_}}}"

    server = registry_server(one, _REPLACED, ask)
    entry = server.entry if "type" in server.entry else {"type": "stdio", **server.entry}
    return ExportedText(_file({name: entry}, inputs), (*losses(_TABLE, one.document), *server.losses))


def _input(name: str) -> dict[str, Any]:
    return {"id": name, "type": "promptString", "description": name, "password": True}


def _join(written: Sequence[tuple[Exportable, str]]) -> str:
    return _file(
        joined_servers(_KEY, written), [one for _, text in written for one in json.loads(text)["inputs"]]
    )


def _file(servers: dict[str, Any], inputs: Iterable[dict[str, Any]]) -> str:
    return as_json_text({_KEY: servers, "inputs": list({one["id"]: one for one in inputs}.values())})


EXPORTER = Exporter(
    "vscode-mcp",
    "Visual Studio Code (mcp.json)",
    _TABLE,
    _export,
    lambda _: _FILE,
    comment="",
    joined_file=_FILE,
    join=_join,
    kinds=("process", MCP_SERVER_KIND),
    limits=(
        STDIO_LIMIT,
        MCP_SERVER_LIMIT,
        "`${` in any text except `${NAME}` as the whole value of a variable: "
        "Visual Studio Code replaces it, and there is no escape",
    ),
)
