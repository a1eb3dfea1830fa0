"""What configuration files of MCP clients share: definitions that are servers on standard streams.

Source of the transport: Model Context Protocol, revision 2025-11-25, "Transports", section "stdio": one
message per line on standard input and standard output.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from registry.errors import UsageError
from registry.exchange.exporter import Exportable, NotExportableError, require_expressible
from registry.exchange.fields import (
    Carried,
    FieldTable,
    Lost,
    Refused,
    adapter,
    is_reference,
    lost_metadata,
)
from registry.exchange.narrow_name import narrow_name
from registry.model.pointer import pointer_of
from registry.model.values import list_of, map_of, text_of

_NO_METADATA = "the file has names and commands only"
_NOT_STDIO = "MCP clients send messages to standard input and read them from standard output"
# Longer names make names of tools that clients refuse: they combine both, and often allow 64 characters.
_LONGEST_NAME = 48

SERVER_TABLE: FieldTable = {
    "title": Lost(_NO_METADATA),
    **lost_metadata(_NO_METADATA),
    "exec": Carried("`command`"),
    "argv": Carried("`args`"),
    "environment": Carried("`env`"),
    "references": Carried("`env`"),
    "cwd": Carried("`cwd`"),
    "single": Refused("MCP clients start services, which run until the client ends"),
    "service": Carried("a server"),
    "timeout": Lost("MCP clients have no time limit"),
    "application": Lost("MCP clients start the program on their own host"),
    "standard_streams": Refused(_NOT_STDIO),
    "files": Refused(_NOT_STDIO),
    "stream": Carried("standard streams, one message per line"),
    "append": Refused(_NOT_STDIO),
    "pipe": Refused(_NOT_STDIO),
    "network": Refused(_NOT_STDIO),
    "other_adapters": Refused(_NOT_STDIO),
    "message_details": Lost("MCP sets the form of messages"),
}
"""The rows that all clients share."""

STDIO_LIMIT = "a definition without adapters `stream` on STDIN and STDOUT with the framing `lines`"
"""What all clients refuse, in Markdown."""


def server_entry(
    one: Exportable, replaced: re.Pattern[str], reference: Callable[[str], str]
) -> dict[str, Any]:
    """Return the command of a server on standard streams, with the keys that all clients read.

    `replaced` matches texts that a client would replace. `reference(name)` is the text that it replaces by
    the value of a variable of its own. Raises NotExportableError for another process, and for other texts
    that match `replaced`.
    """
    _require_server(one)
    inside = one.inside
    environment = map_of(inside.get("environment"))
    texts: list[tuple[tuple[str | int, ...], str]] = [
        *(((key,), text_of(inside.get(key))) for key in ("exec", "cwd")),
        *(((("argv", number), text)) for number, text in enumerate(list_of(inside.get("argv")))),
        *(((("environment", name), name)) for name in environment),
        *((("environment", name), text) for name, text in environment.items() if not is_reference(text)),
    ]
    for steps, text in texts:
        if found := replaced.search(text):
            why = f"MCP clients replace `{found.group()}…` by something else, and there is no escape"
            raise NotExportableError(pointer_of(("definition", *steps)), why)
    entry = {
        "command": inside["exec"],
        "args": list_of(inside.get("argv")),
        "env": {
            name: reference(text[2:-1]) if is_reference(text) else text for name, text in environment.items()
        },
    }
    return entry | ({"cwd": inside["cwd"]} if "cwd" in inside else {})


def server_name(name: str) -> str:
    """Return the name of a server in a client, which is a part of the names of its tools."""
    # Names of servers in an MCP registry start with a domain.
    return narrow_name(name.replace(".", "-"), signs="_-", longest=_LONGEST_NAME)


def as_json_text(document: Mapping[str, Any]) -> str:
    """Return the text of a configuration file. Characters outside of ASCII are escapes."""
    return json.dumps(document, indent=2) + "\n"


def joined_servers(key: str, written: Sequence[tuple[Exportable, str]]) -> dict[str, Any]:
    """Return the servers of several configuration files, which are below `key`, by name.

    Raises UsageError for two servers with the same name.
    """
    servers: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for one, text in written:
        for name, entry in json.loads(text)[key].items():
            if name in servers:
                raise UsageError(
                    f"{owners[name]} and {one.name} would both be the server {name}", "export them separately"
                )
            servers[name] = entry
            owners[name] = one.name
    return servers


def _require_server(one: Exportable) -> None:
    require_expressible(SERVER_TABLE, one)
    for side, stream in (("input", "STDIN"), ("output", "STDOUT")):
        type_, parameters = adapter(one.document, side)
        pointer = f"/definition/{side}_adapter"
        if type_ != "stream" or parameters.get("stream_name") != stream:
            why = f"{_NOT_STDIO}: this needs an adapter `stream` on {stream}"
            raise NotExportableError(pointer if type_ else "/definition", why)
        if parameters.get("framing", "lines") != "lines":
            raise NotExportableError(pointer, "MCP has one message per line: the framing must be `lines`")
