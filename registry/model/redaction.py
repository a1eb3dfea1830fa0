"""What is hidden of a document before anybody sees it: the one place that decides, for pages, answers, diffs and logs; pure."""

import copy
from collections.abc import Sequence
from typing import Any

from registry.credentials import hidden_in
from registry.model.rule_exceptions import exceptions_in, is_excepted

CREDENTIAL_RULE = "X001"
"""The rule that an exception must name for a credential to be shown."""


def redacted(document: dict[str, Any], fields: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """The document with the credentials in it replaced by `[hidden]`, except those that the document itself excepts.

    They are looked for in `definition` and below `fields`, as the checker does. Returns the document itself where nothing is
    hidden, and a copy otherwise.
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
