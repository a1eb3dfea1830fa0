"""Web server configurations for a site: exact media types, redirects that keep the query, and JSON errors.

To add a server, write a module with a function `server_config` here and its name to `WEBSERVERS`. The same
requests are sent to each server in tests/server/test_http_contract.py.
"""

import re
from importlib import import_module
from pathlib import Path

from registry.errors import UsageError
from registry.load.settings import Settings

# A new line would be another directive, and Apache replaces `${NAME}`.
_NOT_IN_A_VALUE = re.compile(r"[\x00-\x1f\x7f]|\$\{")

WEBSERVERS = ("nginx", "caddy", "apache")


def webserver_config(
    server: str, folder: Path, settings: Settings, listen: str = "127.0.0.1:8080", server_name: str = "_"
) -> str:
    """Return the configuration of a server in `WEBSERVERS` for the site at `folder` below the base path.

    `folder` is an absolute path, `listen` an address and port (`host:port`, or a port alone), and the
    server name `_` stands for every name. Raises UsageError for a value that a configuration cannot contain.
    """
    for value in (str(folder), listen, server_name):
        if _NOT_IN_A_VALUE.search(value):
            raise UsageError(
                f"{value!r} cannot be part of a configuration: it has a control character or `${{`",
                "use another name",
            )
    found: str = import_module(f"{__name__}.{server}").server_config(folder, settings, listen, server_name)
    return found
