"""Hide credentials in a document: the only code that does so for pages, answers, diffs and logs; pure."""

import copy
from typing import Any

from registry.credentials import SecretFields, hidden_in
from registry.model.rule_exceptions import exceptions_in, is_excepted

CREDENTIAL_RULE = "X001"
"""The rule that an exception must name for a credential to be shown."""


def redacted(document: dict[str, Any], fields: SecretFields) -> dict[str, Any]:
    """Return the document with its credentials replaced by `[hidden]`, except those that it excepts itself.

    Credentials are searched in `definition` and in `fields`, as in the checker. Returns the document
    itself if nothing is hidden, and a copy otherwise.
    """
    shown = document
    exceptions = None
    for path, hidden in hidden_in(document, fields):
        if exceptions is None:
            exceptions = list(exceptions_in(document))
        if is_excepted(exceptions, CREDENTIAL_RULE, path):
            continue
        shown = copy.deepcopy(document) if shown is document else shown
        holder: Any = shown
        for place in path[:-1]:
            holder = holder[place]
        holder[path[-1]] = hidden
    return shown
