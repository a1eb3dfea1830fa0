"""API requests that a static host cannot answer: list ranges, filters, and sets of definitions.

The parameters follow the 2013 service: `limit` (default 20, at most 1,000, 0 for the maximum) and `offset`.
Invalid values, and filters or orderings by unsupported fields, get status 400. A parameter that looks like a
misspelled filter also gets 400, because ignoring it would return everything. All other unknown parameters are
ignored and repeated in `next` and `previous`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from registry.load.settings import MAX_PAGE_SIZE
from registry.model.addresses import api_list
from registry.render.json_api import address, detail_bytes, list_bytes, published
from registry.render.openapi import MAX_OFFSET
from registry.render.search import search_index
from registry.render.search.ranking import ranked
from registry.render.target import to_json
from registry.server.matches import Matches, MatchIndex, ValueFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from registry.load.kinds import Kind
    from registry.model.definition import Definition
    from registry.snapshot import Snapshot

_FORM = frozenset({"format"})  # requests a format: the answer is always JSON
_MOST_AT_ONCE = 1000
_MOST_PARAMETERS = 100
# Any larger number of definitions means the maximum, as in 2013.
_LONGEST_NUMBER = 100
# Fields of the 2013 service that support neither filtering (`id=3`, `id__in=1,2`) nor ordering.
_UNFILTERED = frozenset({"id", "definition"})
# Misspellings of these filters are rejected. The names of the other filters are too short to recognize one.
_SPELLING_CHECKED = ("lifecycle",)
_SHORTEST_CHECKED = 6
_OTHER_NAMES = {"tags": "tag", "names": "name", "query": "q"}
_MOST_EDITS = 2


class WrongQueryError(ValueError):
    """A query parameter is invalid."""


_FILTERS: dict[str, ValueFilter] = {
    "lifecycle": ValueFilter(lambda one: (one.summary.lifecycle,)),
    "tag": ValueFilter(lambda one: one.summary.tags),
    "name": ValueFilter(lambda one: (one.name,)),
}
_SEARCH = "q"
_ORDER = "order_by"
# By name where titles are equal. Python's order of texts does not depend on the language of the reader.
_ORDERS: dict[str, Callable[[Definition], tuple[str, ...]]] = {
    "name": lambda one: (one.name,),
    "title": lambda one: ((one.summary.title or one.name).casefold(), one.name),
}
_OF_EVERY_KIND = frozenset((*_FILTERS, _SEARCH))


def _filters(snapshot: Snapshot, kind: Kind) -> dict[str, ValueFilter]:
    """Return the filters of a list by name. A field that the kind does not have counts as absent."""
    places = {one.name: place for place, one in enumerate(kind.traits.fields)}
    fields: dict[str, ValueFilter] = {
        name: ValueFilter(partial(_values_of, places.get(name), one.default))
        for name, one in snapshot.kinds.fields.items()
    }
    return {**fields, **_FILTERS}


def _values_of(place: int | None, default: str, definition: Definition) -> tuple[str, ...]:
    value = (definition.summary.fields[place] if place is not None else "") or default
    return (value,) if value else ()


def list_answer(snapshot: Snapshot, kind: str, query: str, index: MatchIndex) -> bytes:
    """Return the answer to `/api/<kind>/?query`; `index` is kept from one request to the next.

    Raises WrongQueryError for invalid or unsupported parameters.
    """
    parameters = _parameters(query)
    filters = _filters(snapshot, snapshot.kinds.by_name[kind])
    _refuse_unsupported(parameters, {*filters, _SEARCH})
    size = _number(parameters, "limit", snapshot.settings.page_size) or MAX_PAGE_SIZE
    size = min(size, MAX_PAGE_SIZE)
    offset = _number(parameters, "offset", 0)
    if offset > MAX_OFFSET:
        raise WrongQueryError(f"offset must be at most {MAX_OFFSET}")
    wanted = [(name, value) for name, value in parameters if name in filters]
    found = _matching(snapshot, kind, wanted, filters, index) if wanted else published(snapshot, kind)
    query_text = " ".join(value for name, value in parameters if name == _SEARCH)
    if query_text.strip():
        found = _best_first(snapshot, kind, query_text, found if wanted else None)
    found = _in_order(found, parameters)
    shown = found[offset : offset + size]
    others = [(name, value) for name, value in parameters if name not in ("limit", "offset")]

    def link(start: int) -> str:
        return (
            f"{address(snapshot, api_list(kind))}?"
            f"{urlencode([('limit', size), ('offset', start), *others], quote_via=quote)}"
        )

    meta = {
        "limit": size,
        "next": link(offset + size) if offset + size < len(found) else None,
        "offset": offset,
        "previous": link(max(0, offset - size)) if offset > 0 else None,
        "total_count": len(found),
    }
    return list_bytes(to_json(meta).rstrip(b"\n"), [detail_bytes(snapshot, one) for one in shown])


def _in_order(
    found: Sequence[Definition] | Matches, parameters: Sequence[tuple[str, str]]
) -> Sequence[Definition] | Matches:
    """Return the definitions in the order that `order_by` asks for; the last one counts."""
    wanted = next((value for name, value in reversed(parameters) if name == _ORDER), None)
    if wanted is None:
        return found
    key = _ORDERS[wanted.removeprefix("-")]
    return sorted(found[: len(found)], key=key, reverse=wanted.startswith("-"))


def _best_first(
    snapshot: Snapshot, kind: str, query: str, among: Sequence[Definition] | Matches | None
) -> list[Definition]:
    """Return the definitions that a query finds, as the search page ranks them; `among`: only these."""
    index = search_index(snapshot)
    found = index.ids_of_kind(kind, ranked(index, query))
    if among is not None:
        allowed = {one.id for one in among[: len(among)]}
        found = [number for number in found if number in allowed]
    return [one for number in found if (one := snapshot.definition(kind, number)) is not None]


def _matching(
    snapshot: Snapshot,
    kind: str,
    wanted: Sequence[tuple[str, str]],
    filters: Mapping[str, ValueFilter],
    index: MatchIndex,
) -> Sequence[Definition] | Matches:
    """Return the definitions with an id that match all of `wanted`."""
    name = dict(wanted).get("name")
    if name is None:
        return index.matching(kind, published(snapshot, kind), wanted, filters)
    # At most one definition has the name.
    one = snapshot.by_name.get((kind, name))
    listed = (one,) if one is not None and one.id is not None else ()
    return MatchIndex().matching(kind, listed, wanted, filters)


def asks_for_a_part(query: str) -> bool:
    """Return True when a query requests anything except the first page, which a static host also serves.

    Raises WrongQueryError when there are too many parameters.
    """
    return bool(query) and any(name not in _FORM for name, _ in _parameters(query))


def _parameters(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise WrongQueryError(f"more than {_MOST_PARAMETERS} parameters") from error


def _refuse_unsupported(parameters: Sequence[tuple[str, str]], filters: Collection[str]) -> None:
    """Reject parameters that ask for unsupported filters or orderings.

    Raises WrongQueryError.
    """
    for name, value in parameters:
        field = name.partition("__")[0]
        if field in _UNFILTERED:
            raise WrongQueryError(f"The '{field}' field does not allow filtering.")
        if name == _ORDER and value.removeprefix("-") not in _ORDERS:
            field = value.removeprefix("-").partition("__")[0]
            known = field in _UNFILTERED
            raise WrongQueryError(
                f"The '{field}' field does not allow ordering."
                if known
                else f"No matching '{field[:100]}' field for ordering on."
            )
        meant = _meant(name, filters)
        if meant is not None:
            raise WrongQueryError(f"unknown parameter '{name}': did you mean '{meant}'?")


def _meant(name: str, filters: Collection[str]) -> str | None:
    """Return the filter that an unknown parameter probably misspells, or None."""
    if name in filters:
        return None
    word = name.lower()
    if word in _OTHER_NAMES:
        return _OTHER_NAMES[word]
    fields = [one for one in filters if one not in _OF_EVERY_KIND and len(one) >= _SHORTEST_CHECKED]
    return next((one for one in (*fields, *_SPELLING_CHECKED) if _is_near(word, one)), None)


def _is_near(word: str, other: str) -> bool:
    """Return True if the Levenshtein distance of two words is at most `_MOST_EDITS`."""
    if abs(len(word) - len(other)) > _MOST_EDITS:
        return False
    distances = list(range(len(other) + 1))
    for row, character in enumerate(word, 1):
        diagonal, distances[0] = distances[0], row
        for column, wanted in enumerate(other, 1):
            diagonal, distances[column] = (
                distances[column],
                min(distances[column] + 1, distances[column - 1] + 1, diagonal + (character != wanted)),
            )
    return distances[-1] <= _MOST_EDITS


def set_answer(snapshot: Snapshot, kind: str, ids: str) -> bytes:
    """Return the answer to `/api/<kind>/set/1;2/`: the definitions found, and the ids not found.

    Raises WrongQueryError for malformed or too many ids.
    """
    wanted = [one for one in ids.split(";") if one]
    if not wanted or len(wanted) > _MOST_AT_ONCE:
        raise WrongQueryError(f"name 1 to {_MOST_AT_ONCE} ids, as in set/1;2/")
    if not all(one.isascii() and one.isdecimal() and len(one) <= 16 for one in wanted):
        raise WrongQueryError("ids are whole numbers, as in set/1;2/")
    bodies, missing = [], []
    for number in map(int, wanted):
        definition = snapshot.definition(kind, number)
        if definition is not None:
            bodies.append(detail_bytes(snapshot, definition))
        else:
            missing.append(str(number))
    end = b',"not_found":' + to_json(missing).rstrip(b"\n") if missing else b""
    return b'{"objects":[' + b",".join(bodies) + b"]" + end + b"}\n"


def _number(parameters: Sequence[tuple[str, str]], name: str, default: int) -> int:
    given = [value for key, value in parameters if key == name]
    if not given:
        return default
    text = given[-1].strip(" ")
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise WrongQueryError(f"{name} must be a whole number, 0 or more")
    return int(text)
