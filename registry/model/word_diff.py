"""Compare two texts word by word; pure."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WORD = re.compile(r"\w+|\s+|[^\w\s]")
# Texts with more words are not compared, and of the words between a common start and a common end at most
# these are matched: matching takes time that grows with the product of the two numbers.
_MOST_WORDS = 4_000
_MOST_MATCHED = 20_000
# Part of the longer text that must be unchanged. With less in common, two whole texts are easier to read.
_LEAST_COMMON = 0.3


class Part(NamedTuple):
    """A part of a text; `is_changed` is True if the other text does not have it."""

    text: str
    is_changed: bool


class WordDiff(NamedTuple):
    """The parts of two texts, in order."""

    old: tuple[Part, ...]
    new: tuple[Part, ...]


@lru_cache(maxsize=1024)
def word_diff(old: str, new: str) -> WordDiff | None:
    """Return the changed words of two texts; None if they have little in common or are very long."""
    was, now = _WORD.findall(old), _WORD.findall(new)
    if len(was) > _MOST_WORDS or len(now) > _MOST_WORDS:
        return None
    parts = [*_with_wider_changes(_operations(was, now), was)]
    found = WordDiff(
        tuple(_merged((was[start:end], is_changed) for is_changed, start, end, _, _ in parts)),
        tuple(_merged((now[start:end], is_changed) for is_changed, _, _, start, end in parts)),
    )
    common = sum(len(part.text) for part in found.old if not part.is_changed)
    return found if common >= _LEAST_COMMON * max(len(old), len(new), 1) else None


def common_ends(old: str, new: str) -> tuple[int, int]:
    """Return the lengths of the common start and of the common end of two texts, at borders of words.

    Takes a tenth of the time of `word_diff`, for pages with very many changes.
    """
    most = min(len(old), len(new))
    start = _common_start(old, new)
    while start and old[start - 1].isalnum() and _starts_word(old, new, start):
        start -= 1
    end = min(_common_start(old[::-1], new[::-1]), most - start)
    while end and old[-end].isalnum() and _ends_word(old, new, end):
        end -= 1
    return start, end


def _common_start(old: str, new: str) -> int:
    """Return the length of the common start. Comparing halves is much faster than comparing characters."""
    known, end = 0, min(len(old), len(new))
    while known < end:
        middle = (known + end + 1) // 2
        if old[known:middle] == new[known:middle]:
            known = middle
        else:
            end = middle - 1
    return known


def _starts_word(old: str, new: str, place: int) -> bool:
    return old[place : place + 1].isalnum() or new[place : place + 1].isalnum()


def _ends_word(old: str, new: str, end: int) -> bool:
    return any(len(text) > end and text[-end - 1].isalnum() for text in (old, new))


class _Operation(NamedTuple):
    """Words of the old text from `old_start` to `old_end`, and those of the new text in their place."""

    is_changed: bool
    old_start: int
    old_end: int
    new_start: int
    new_end: int


def _operations(was: Sequence[str], now: Sequence[str]) -> list[_Operation]:
    most = min(len(was), len(now))
    start = next((place for place in range(most) if was[place] != now[place]), most)
    most -= start
    end = next((place for place in range(most) if was[-1 - place] != now[-1 - place]), most)
    old_end, new_end = len(was) - end, len(now) - end
    size = (old_end - start) * (new_end - start)
    is_one_change = min(old_end, new_end) - start <= 1 or size > _MOST_MATCHED
    between = (
        [_Operation(True, start, old_end, start, new_end)]
        if is_one_change
        else [
            _Operation(tag != "equal", start + one, start + two, start + three, start + four)
            for tag, one, two, three, four in SequenceMatcher(
                None, was[start:old_end], now[start:new_end], autojunk=False
            ).get_opcodes()
        ]
    )
    return [
        _Operation(False, 0, start, 0, start),
        *between,
        _Operation(False, old_end, len(was), new_end, len(now)),
    ]


def _with_wider_changes(operations: Sequence[_Operation], was: Sequence[str]) -> Iterator[_Operation]:
    """Count common spaces and signs between two changes as changed: single ones are hard to read."""
    for place, one in enumerate(operations):
        is_between = 0 < place < len(operations) - 1 and not one.is_changed
        words = was[one.old_start : one.old_end]
        is_short = is_between and not any(word[0].isalnum() for word in words)
        is_inside = is_short and operations[place - 1].is_changed and operations[place + 1].is_changed
        yield one._replace(is_changed=True) if is_inside else one


def _merged(words: Iterable[tuple[Sequence[str], bool]]) -> Iterator[Part]:
    """Join the words of neighbors that are both changed or both unchanged, without empty ones."""
    text, was_changed = "", False
    for some, is_changed in words:
        if some and is_changed != was_changed and text:
            yield Part(text, was_changed)
            text = ""
        if some:
            text, was_changed = text + "".join(some), is_changed
    if text:
        yield Part(text, was_changed)
