"""The texts of a document that can contain a credential; pure."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from registry.credentials.arguments import SecretArgument, secret_arguments
from registry.credentials.criteria import may_hold_credential
from registry.credentials.tables import OPTION

DEFINITION: tuple[str, ...] = ("definition",)
"""The fields searched for credentials in every document, regardless of its kind."""


class SecretFields(NamedTuple):
    """Where documents of a kind may contain credentials.

    `paths` are fields below which a long random value counts as one. `programs` are pairs of the key of an
    argument list and the key of its program in the same map: many programs have options for passwords.
    """

    paths: tuple[tuple[str, ...], ...] = ()
    programs: tuple[tuple[str, str], ...] = ()


class Text(NamedTuple):
    """A text of a document.

    `name` is its key or option. `may_be_random`: a long random value is a finding even without other
    evidence. `argument` is the location of the secret in an argument of a known program.
    """

    path: tuple[str | int, ...]
    name: str
    value: str
    may_be_random: bool = True
    argument: SecretArgument | None = None


def strings_in(node: Any, path: tuple[str | int, ...] = ()) -> list[Text]:
    """Return every text below `node` with its path and key.

    Items of an argument list have their option's name.
    """
    found: list[Text] = []
    _collect(node, path, "", found, lambda _name, _value: True, {})
    return found


def texts_in(document: dict[str, Any], fields: SecretFields) -> list[Text]:
    """Return every text of a document to search for credentials: in `definition` and below `fields.paths`."""
    return _look(document, fields, lambda _name, _value: True)


def suspects_in(document: dict[str, Any], fields: SecretFields) -> list[Text]:
    """Return the texts of `texts_in` that may be or contain a credential or placeholder; usually none or one.

    Below `fields.paths` a long random value also counts; elsewhere in `definition` only names and known
    forms do.
    """
    return _look(document, fields, may_hold_credential)


def _look(
    document: dict[str, Any], fields: SecretFields, is_wanted: Callable[[str, str], bool]
) -> list[Text]:
    found: list[Text] = []
    programs = dict(fields.programs)
    for root in _roots(fields.paths):
        node: Any = document
        for step in root:
            node = node.get(step) if isinstance(node, dict) else None
        if node is not None:
            _collect(node, root, root[-1] if root is not DEFINITION else "", found, is_wanted, programs)
    if not found:
        return found
    return [
        text
        if any(text.path[: len(one)] == one for one in fields.paths)
        else text._replace(may_be_random=False)
        for text in found
    ]


@lru_cache(maxsize=64)
def _roots(fields: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """Return the paths to start from, none below another."""
    outside = [one for one in dict.fromkeys(fields) if one[:1] != DEFINITION]
    inner = {one for one in outside if any(other != one and one[: len(other)] == other for other in outside)}
    return (DEFINITION, *(one for one in outside if one not in inner))


def _collect(  # noqa: PLR0913 - called for each part of a document: an object would cost more
    node: Any,
    path: tuple[str | int, ...],
    name: str,
    found: list[Text],
    is_wanted: Callable[[str, str], bool],
    programs: Mapping[str, str],
    program: str = "",
) -> None:
    kind = type(node)
    if kind is str:
        if is_wanted(name, node):
            found.append(Text(path, name, node))
    elif kind is dict:
        for key, value in node.items():
            if type(value) is not str:
                command = node.get(programs[key]) if key in programs else ""
                command = command if type(command) is str else ""
                _collect(value, (*path, key), key, found, is_wanted, programs, command)
            elif is_wanted(key, value):  # inline rather than a call: nearly all values are texts
                found.append(Text((*path, key), key, value))
    elif kind is list:
        _collect_items(node, path, name, found, is_wanted, programs, program)
    elif (kind is int or kind is float) and is_wanted(name, str(node)):
        found.append(Text(path, name, str(node)))  # an unquoted password of digits only


def _collect_items(  # noqa: PLR0913 - as above
    node: list[Any],
    path: tuple[str | int, ...],
    name: str,
    found: list[Text],
    is_wanted: Callable[[str, str], bool],
    programs: Mapping[str, str],
    program: str,
) -> None:
    secret = secret_arguments(node, program) if program or len(node) > 1 else {}
    option = name
    for place, item in enumerate(node):
        if type(item) is not str:
            _collect(item, (*path, place), option, found, is_wanted, programs)
        elif place in secret:
            found.append(Text((*path, place), option, item, argument=secret[place]))
        elif is_wanted(option, item):
            found.append(Text((*path, place), option, item))
        # The value of `--password` is the next item, unless it is in the same item; an option is not a value.
        match = OPTION.match(item) if type(item) is str and item[:1] == "-" else None
        option = match["name"] if match and match["value"] is None else name
