"""The ranking of the search: the definitions that a query finds, best first.

A definition is found when it has each term of the query. A term finds equal terms and terms that start with
it. Only where there are none, it finds terms with one typing error, first those with the same first two
letters. Each term counts the best place where it is found: title before name before tag before text, and
equal terms before longer ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.render.search.documents import RANKS
from registry.render.search.terms import (
    is_one_edit_away,
    matches_prefix,
    may_be_misspelled,
    misspelled_endings,
    query_terms,
    shard_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.render.search.index import SearchIndex

_EQUAL, _LONGER, _MISSPELLED = 2, 1, 0
# More than the difference between an equal and a misspelled term: the rank of the text counts first.
_PER_RANK = 4


def ranked(index: SearchIndex, query: str) -> list[int]:
    """Return the numbers of the definitions that a query finds, best first; equally good ones in order."""
    words = query_terms(query)
    if not words:
        return []
    points, *others = [_points_of(index, word) for word in words]
    for other in others:
        points = {number: points[number] + more for number, more in other.items() if number in points}
    return sorted(points, key=lambda number: (-points[number], number))


def _points_of(index: SearchIndex, word: str) -> dict[int, int]:
    """Return the points of each definition that a term of a query finds."""
    points: dict[int, int] = {}
    for term, places in index.terms(shard_of(word)).items():
        if term == word:
            _add(points, places, _EQUAL)
        elif matches_prefix(word, term):
            _add(points, places, _LONGER)
    if points or not may_be_misspelled(word):
        return points
    near = [term for term in index.terms(shard_of(word)) if _is_near(word, term)]
    if not near:
        endings = misspelled_endings(word)
        near = [term for ending in endings for term in index.words_ending(ending) if _is_near(word, term)]
    for term in near:
        _add(points, index.terms(shard_of(term))[term], _MISSPELLED)
    return points


def _is_near(word: str, term: str) -> bool:
    return may_be_misspelled(term) and is_one_edit_away(word, term)


def _add(points: dict[int, int], places: Sequence[int], match: int) -> None:
    for place in places:
        number, rank = divmod(place, RANKS)
        worth = _PER_RANK * (RANKS - rank) + match
        if points.get(number, -1) < worth:
            points[number] = worth
