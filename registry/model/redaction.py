"""Hide credentials in a document: the only code that does so for pages, answers, diffs and logs; pure."""

import copy
from collections.abc import Iterator
from typing import Any

from registry.credentials import SecretFields, hidden_in
from registry.model.pointer import pointer_of
from registry.model.rule_exceptions import exceptions_in, is_excepted

CREDENTIAL_RULE = "X001"
"""The rule that an exception must name for a credential to be shown."""


def redacted(document: dict[str, Any], fields: SecretFields) -> dict[str, Any]:
    """Return the document with its credentials replaced by `[hidden]`, except those that it excepts itself.

    Credentials are searched in `definition` and in `fields`, as in the checker. Returns the document
    itself if nothing is hidden, and a copy otherwise.
    """
    shown = document
    for path, hidden in _hidden_values(document, fields):
        shown = copy.deepcopy(document) if shown is document else shown
        holder: Any = shown
        for place in path[:-1]:
            holder = holder[place]
        holder[path[-1]] = hidden
    return shown


def hidden_pointers(document: dict[str, Any], fields: SecretFields) -> tuple[str, ...]:
    """Return the JSON Pointers of the values that `redacted` changes."""
    return tuple(pointer_of(path) for path, _ in _hidden_values(document, fields))


def _hidden_values(
    document: dict[str, Any], fields: SecretFields
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    exceptions = None
    for path, hidden in hidden_in(document, fields):
        if exceptions is None:
            exceptions = list(exceptions_in(document))
        if not is_excepted(exceptions, CREDENTIAL_RULE, path):
            yield path, hidden
