"""Find the definitions of a list that match filters, without reading each of them for every request.

Sequences of definitions consist of blocks, which most states of a registry share with the state before
(`registry.model.persistent`). Each block is indexed once for each filter that is used.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from registry.model.persistent import blocks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from registry.model.definition import Definition

_SPARE_BLOCKS = 64


class ValueFilter(NamedTuple):
    """A filter for definitions that have a value; `values` returns those of one."""

    values: Callable[[Definition], Iterable[str]]


class MatchIndex:
    """Indexes of the blocks of definitions, by kind. One thread uses it."""

    def __init__(self) -> None:
        """Start without indexes."""
        # By the identity of the block, which is kept with its index and so stays the only one with it.
        self._known: dict[str, dict[int, _Block]] = defaultdict(dict)

    def matching(
        self,
        kind: str,
        definitions: Sequence[Definition],
        wanted: Sequence[tuple[str, str]],
        filters: Mapping[str, ValueFilter],
    ) -> Matches:
        """Return the definitions of a kind that match all of `wanted`: names of filters with values."""
        blocks, known = blocks_of(definitions), self._known[kind]
        if len(known) > 2 * len(blocks) + _SPARE_BLOCKS:
            current = set(map(id, blocks))
            known = self._known[kind] = {key: one for key, one in known.items() if key in current}
        places: list[Sequence[int]] = []
        for block in blocks:
            index = known.get(id(block))
            if index is None:
                index = known[id(block)] = _Block(block)
            places.append(index.matching(wanted, filters))
        return Matches(places, blocks)


class Matches:
    """The definitions that match, in order."""

    def __init__(self, places: Sequence[Sequence[int]], blocks: Sequence[tuple[Definition, ...]]) -> None:
        """`places` are those of the matching definitions in each block."""
        self._places, self._blocks = places, blocks

    def __len__(self) -> int:
        """Number of definitions."""
        return sum(map(len, self._places))

    def __getitem__(self, part: slice) -> list[Definition]:
        """Return a range of the definitions."""
        found: list[Definition] = []
        start, stop, _ = part.indices(len(self))
        for places, block in zip(self._places, self._blocks, strict=True):
            found += [block[place] for place in places[max(0, start) : max(0, stop)]]
            start, stop = start - len(places), stop - len(places)
        return found


class _Block:
    """The index of one block: places by filter and value."""

    def __init__(self, definitions: tuple[Definition, ...]) -> None:
        self._definitions = definitions
        self._places: dict[str, Mapping[str, Sequence[int]]] = {}

    def matching(
        self, wanted: Sequence[tuple[str, str]], filters: Mapping[str, ValueFilter]
    ) -> Sequence[int]:
        """Return the places of the definitions that match all filters, in order."""
        found = [self._matching_one(name, value, filters[name]) for name, value in wanted]
        return found[0] if len(found) == 1 else sorted(set(found[0]).intersection(*found[1:]))

    def _matching_one(self, name: str, wanted: str, by: ValueFilter) -> Sequence[int]:
        found = self._places.get(name)
        if found is None:
            collected: dict[str, list[int]] = defaultdict(list)
            for place, one in enumerate(self._definitions):
                for value in dict.fromkeys(by.values(one)):
                    collected[value].append(place)
            found = self._places[name] = dict(collected)
        return found.get(wanted, ())
