"""References within one JSON Schema document: the only code that follows `$ref`."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from registry.model.pointer import steps_of
from registry.model.values import map_of


def target_of(document: Any, reference: str) -> Any:
    """Return the schema for a reference such as `#/$defs/x` or `#name`.

    The result is True (allows anything) if it is missing. The fragment is percent-encoded (RFC 6901, section
    6). Without a slash it is the name of an `$anchor` (JSON Schema 2020-12, section 8.2.2).
    """
    fragment = unquote(reference.removeprefix("#"))
    if fragment and not fragment.startswith("/"):
        return next(_anchored(document, fragment), True)
    node = document
    for step in steps_of(fragment):
        if isinstance(node, list) and step.isdecimal() and int(step) < len(node):
            node = node[int(step)]
        elif isinstance(node, dict) and step in node:
            node = node[step]
        else:
            return True
    return node


def followed(document: Any, node: Any) -> Mapping[str, Any]:
    """Return the schema that describes the fields of `node`, following its references.

    The result is empty if there is none.
    """
    passed: set[str] = set()
    while isinstance(node, dict) and "properties" not in node:
        reference = node.get("$ref")
        if not isinstance(reference, str) or reference in passed:
            break
        passed.add(reference)
        node = target_of(document, reference)
    return map_of(node)


def _anchored(node: Any, name: str) -> Iterator[Any]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if name in (one.get("$anchor"), one.get("$dynamicAnchor")):
                yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
