"""`mcpServers`, as many MCP clients read it.

There is no specification. By their documentation, many clients replace `${NAME}` in all texts by a variable
of their environment, and some also `$NAME`.
"""

import re
from collections.abc import Sequence

from registry.exchange.exporter import Exportable, ExportedText, Exporter
from registry.exchange.fields import Carried, FieldTable, Lost, losses
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

_FILE = "mcp.json"
_KEY = "mcpServers"
_REPLACED = re.compile(r"\$[A-Za-z_{]")

_TABLE: FieldTable = {
    **SERVER_TABLE,
    "references": Carried(
        "`env`, as `${NAME}`; write the value itself for a client that does not replace it"
    ),
    "cwd": Lost("the file has it as `cwd`, which not all clients read"),
}


def _export(one: Exportable) -> ExportedText:
    """Return a configuration file with one server."""
    if one.kind == MCP_SERVER_KIND:
        server = registry_server(one, _REPLACED, _variable)
        lost = (*losses(_TABLE, one.document), *server.losses)
        return ExportedText(as_json_text({_KEY: {server_name(one.name): server.entry}}), lost)
    entry = server_entry(one, _REPLACED, lambda name: f"${{{name}}}")
    return ExportedText(
        as_json_text({_KEY: {server_name(one.name): entry}}), tuple(losses(_TABLE, one.document))
    )


def _variable(question: Question) -> str:
    """Return the default of a value, or the variable of the client's environment that has it."""
    if question.default and not question.is_secret:
        return question.default
    return f"${{{re.sub('[^A-Za-z0-9_]+', '_', question.name).strip('_').upper() or 'VALUE'}}}"


def _join(written: Sequence[tuple[Exportable, str]]) -> str:
    return as_json_text({_KEY: joined_servers(_KEY, written)})


EXPORTER = Exporter(
    "mcp-json",
    "MCP clients (mcpServers)",
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
        "`${`, or `$` before a letter or `_`, in any text except `${NAME}` as the whole value of a variable: "
        "some clients replace it, and there is no escape",
    ),
)
