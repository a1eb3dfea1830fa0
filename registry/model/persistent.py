"""Persistent tables and sequences: a changed one shares nearly everything with the one before; pure.

A server changes tables of all definitions with each write. Copying a dict of 100,000 entries takes 4 ms, a
change of a hash trie takes microseconds. But a hash trie takes four times as long to read, so commands that
read a registry once keep dicts. `updated` copies a dict and changes a table that `persistent_table` returned.
A sequence is divided into blocks at its first change.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from operator import eq
from typing import Any, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

# A change copies one block and the list of blocks. At 100,000 items both have a few hundred pointers.
_LARGEST_BLOCK = 512
_SMALLEST_BLOCK = _LARGEST_BLOCK // 8


class Blocks(Sequence[T]):
    """An immutable sequence in blocks, equal to a tuple of the same items. Slices are tuples."""

    __slots__ = ("_ends", "blocks")

    def __init__(self, blocks: Iterable[tuple[T, ...]]) -> None:
        """Take blocks, none of them empty."""
        self.blocks = tuple(blocks)
        self._ends = list(accumulate(map(len, self.blocks)))

    def __len__(self) -> int:
        """Number of items."""
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[T]:
        """Iterate over all items."""
        return chain.from_iterable(self.blocks)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[T, ...]: ...
    def __getitem__(self, place: int | slice) -> T | tuple[T, ...]:
        """Return one item or a range."""
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            return self._range(start, stop) if step == 1 else tuple(self)[place]
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError("sequence index out of range")
        number = bisect_right(self._ends, place)
        return self.blocks[number][place - self._ends[number]]  # counted from the end of the block

    def _range(self, start: int, stop: int) -> tuple[T, ...]:
        if start >= stop:
            return ()
        first, last = bisect_right(self._ends, start), bisect_left(self._ends, stop)
        before = self._ends[first] - len(self.blocks[first])
        found = tuple(chain.from_iterable(self.blocks[first : last + 1]))
        return found[start - before : stop - before]

    def __eq__(self, other: object) -> bool:
        """True for a sequence or tuple of equal items."""
        if not isinstance(other, (Blocks, tuple)):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        """The hash of the tuple of the items."""
        return hash(tuple(self))

    def __repr__(self) -> str:
        """The items."""
        return f"Blocks({list(self)!r})"

    def extended(self, items: Iterable[T]) -> Blocks[T]:
        """Return the sequence with more items at its end."""
        *full, last = self.blocks or ((),)
        return Blocks([*full, *_full_blocks((*last, *items))])

    def sorted_with(self, changes: Iterable[tuple[Any, T | None]], key: Callable[[T], Any]) -> Blocks[T]:
        """As the function `sorted_with`."""
        blocks = list(self.blocks)
        for wanted, new in changes:
            number = max(0, bisect_right(blocks, wanted, key=lambda block: key(block[0])) - 1)
            block = blocks[number] if blocks else ()
            place = bisect_left(block, wanted, key=key)
            is_there = place < len(block) and key(block[place]) == wanted
            changed = (*block[:place], *(() if new is None else (new,)), *block[place + is_there :])
            is_at_end = number + 1 >= len(blocks) and place >= len(block)
            if len(changed) < _SMALLEST_BLOCK and number + 1 < len(blocks):
                changed += blocks.pop(number + 1)
            blocks[number : number + 1] = _full_blocks(changed) if is_at_end else _even_blocks(changed)
        return Blocks(blocks)


def _full_blocks(items: tuple[T, ...]) -> list[tuple[T, ...]]:
    """Divide items into blocks that are full, except for the last: more items follow."""
    return [items[start : start + _LARGEST_BLOCK] for start in range(0, len(items), _LARGEST_BLOCK)]


def _even_blocks(items: tuple[T, ...]) -> list[tuple[T, ...]]:
    """Divide items into blocks with room for more items between them."""
    if len(items) <= _LARGEST_BLOCK:
        return [items] if items else []
    middle = len(items) // 2
    return [*_even_blocks(items[:middle]), *_even_blocks(items[middle:])]


def persistent_table(table: Mapping[K, V]) -> Mapping[K, V]:
    """Return a table whose changed copies share nearly everything with it."""
    from rpds import HashTrieMap  # late: commands that read a registry once need none

    return table if isinstance(table, HashTrieMap) else HashTrieMap(table)


def persistent_sequence(items: Sequence[T]) -> Blocks[T]:
    """Return a sequence whose changed copies share nearly everything with it."""
    return items if isinstance(items, Blocks) else Blocks(_full_blocks(tuple(items)))


def blocks_of(items: Sequence[T]) -> Sequence[tuple[T, ...]]:
    """Return the blocks of a sequence; one of a sequence that has no blocks."""
    return items.blocks if isinstance(items, Blocks) else (tuple(items),)


def updated(table: Mapping[K, V], changes: Mapping[K, V | None]) -> Mapping[K, V]:
    """Return a table with other values for some keys; None removes a key.

    A table of `persistent_table` is changed in time that grows with the changes, a dict is copied.
    """
    added = {key: value for key, value in changes.items() if value is not None}
    removed = [key for key, value in changes.items() if value is None]
    if isinstance(table, dict):
        found = {**table, **added}
        for key in removed:
            found.pop(key, None)
        return found
    from rpds import HashTrieMap

    trie = HashTrieMap.convert(table)
    for key in removed:
        trie = trie.discard(key)
    return trie.update(added)


def extended(items: Sequence[T], more: Sequence[T]) -> Sequence[T]:
    """Return a sequence with more items at its end."""
    return persistent_sequence(items).extended(more)


def sorted_with(
    items: Sequence[T], changes: Iterable[tuple[Any, T | None]], key: Callable[[T], Any]
) -> Sequence[T]:
    """Return a sorted sequence in which the items with some keys are others; None removes an item.

    `key` returns the sort key of an item. Keys are distinct, and the changes are made in their order.
    """
    return persistent_sequence(items).sorted_with(changes, key)
