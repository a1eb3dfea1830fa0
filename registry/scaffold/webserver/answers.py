"""Answers that every web server gives itself, as the live server does."""

import json

NOT_FOUND = {"error": "there is nothing at this address"}
READ_ONLY = {"error": "this registry is read only: change the files in its repository"}
SERVER_NOT_FOUND = {"error": "Server not found"}
"""The answer of the MCP Registry API."""
NOT_FOUND_TEXT = json.dumps(NOT_FOUND)
READ_ONLY_TEXT = json.dumps(READ_ONLY)
SERVER_NOT_FOUND_TEXT = json.dumps(SERVER_NOT_FOUND)
READ_METHODS = "GET, HEAD, OPTIONS"
"""The methods that a preflight request of a browser may ask for."""


def split_listen(listen: str) -> tuple[str, str]:
    """Return host ("" for all addresses) and port of `127.0.0.1:8080`, `[::1]:8080`, `*:80` or `80`."""
    host, _, port = listen.rpartition(":")
    return "" if host == "*" else host, port
