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
    entry = {"type": "stdio"} | server_entry(one, _REPLACED, lambda name: f"${{input:{name}}}")
    references = [text[2:-1] for text in map_of(one.inside.get("environment")).values() if is_reference(text)]
    return ExportedText(
        _file({server_name(one.name): entry}, map(_input, references)), tuple(losses(_TABLE, one.document))
    )


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
    limits=(
        STDIO_LIMIT,
        "`${` in any text except `${NAME}` as the whole value of a variable: "
        "Visual Studio Code replaces it, and there is no escape",
    ),
)
