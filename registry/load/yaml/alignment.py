"""Which keys and items an edited map or list has, in which order, and which present ones they continue."""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from registry.model.key_order import key_rank

# The comparison of two lists takes up to cubic time. Of longer ones only the equal ends are found.
_MOST_ALIGNED = 100


class Order(Enum):
    """The order of the keys of a map.

    Present keys stay where they are, and new ones go to their usual place (`USUAL`) or after the key that is
    before them in the new map (`ANY`); or all keys have exactly the order of the new map (`EXACT`).
    """

    USUAL = auto()
    EXACT = auto()
    ANY = auto()


def order_below(order: Order, key: str | None) -> Order:
    """Return the order of the values of a key, or of the items of a list, in a map or list with `order`."""
    if order is Order.USUAL:
        return Order.EXACT if key == "definition" else Order.ANY
    return order


def comparable(value: Any, order: Order) -> str:
    """Return a text that is equal for equal values: with types and signs, and with an exact order."""
    return json.dumps(value, ensure_ascii=False, sort_keys=order is not Order.EXACT)


class WantedEntry(NamedTuple):
    """One key or item of the result: its index and value in the present map or list (None for a new one)."""

    old_index: int | None
    old: Any
    key: str | None
    value: Any


def targets_of(old: Any, new: Any, order: Order) -> list[WantedEntry]:
    """Return the entries of the result in order."""
    if isinstance(old, dict):
        indexes = {key: index for index, key in enumerate(old)}
        return [WantedEntry(indexes.get(key), old.get(key), key, new[key]) for key in _keys(old, new, order)]
    return [
        WantedEntry(index, None if index is None else old[index], None, value)
        for index, value in _aligned(old, new, order)
    ]


def _keys(old: Mapping[str, Any], new: Mapping[str, Any], order: Order) -> list[str]:
    """Return the keys of the result in order: present ones stay where they are unless the order is exact."""
    if order is Order.EXACT:
        return list(new)
    kept = [key for key in old if key in new]
    following: dict[str | None, list[str]] = {}
    if order is Order.USUAL:
        last_of_rank = {key_rank(key): index for index, key in enumerate(kept)}
        for key in sorted((key for key in new if key not in old), key=key_rank):
            at = max((index for rank, index in last_of_rank.items() if rank <= key_rank(key)), default=None)
            following.setdefault(None if at is None else kept[at], []).append(key)
    else:
        before: str | None = None
        for key in new:
            if key in old:
                before = key
            else:
                following.setdefault(before, []).append(key)
    result = following.get(None, [])
    for key in kept:
        result += [key, *following.get(key, ())]
    return result


def _aligned(old: Sequence[Any], new: Sequence[Any], order: Order) -> Iterator[tuple[int | None, Any]]:
    """Yield each item of `new` with the index of the item of `old` that it continues."""
    before, after = [comparable(item, order) for item in old], [comparable(item, order) for item in new]
    blocks = _equal_blocks(before, after)
    in_place = sum(map(str.__eq__, before, after)) if len(before) == len(after) else -1
    if in_place >= sum(size for _, _, size in blocks):
        yield from enumerate(new)
        return
    at = start = 0
    for old_start, new_start, size in blocks:
        # Different items between equal ones: changed ones first, then new ones.
        for index in range(start, new_start):
            yield (at + index - start if at + index - start < old_start else None), new[index]
        for offset in range(size):
            yield old_start + offset, new[new_start + offset]
        at, start = old_start + size, new_start + size


def _equal_blocks(before: Sequence[str], after: Sequence[str]) -> Sequence[tuple[int, int, int]]:
    """Return which items are equal: the start in both lists, and the number. The last are at both ends."""
    if max(len(before), len(after)) <= _MOST_ALIGNED:
        from difflib import SequenceMatcher  # imported late: most edits change no list

        return SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    most = min(len(before), len(after))
    head = next((n for n in range(most) if before[n] != after[n]), most)
    tail = next((n for n in range(most - head) if before[-1 - n] != after[-1 - n]), most - head)
    return [(0, 0, head), (len(before) - tail, len(after) - tail, tail)]
