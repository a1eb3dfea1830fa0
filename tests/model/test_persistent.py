"""Persistent tables and sequences equal what plain ones would be, after any changes."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.model.persistent import (
    Blocks,
    extended,
    persistent_sequence,
    persistent_table,
    sorted_with,
    updated,
)

KEYS = st.integers(0, 40)
EDITS = st.lists(st.tuples(KEYS, st.booleans()), max_size=30)


@given(st.dictionaries(KEYS, st.text(max_size=2)), st.dictionaries(KEYS, st.none() | st.text(max_size=2)))
@settings(deadline=None)
def test_a_table_has_the_changes_and_the_one_before_stays(
    before: dict[int, str], changes: dict[int, str | None]
) -> None:
    expected = {key: one for key, one in (before | changes).items() if one is not None}
    for table in (dict(before), persistent_table(before)):
        assert dict(updated(table, changes)) == expected
        assert dict(table) == before
        assert type(updated(table, changes)) is type(table)


@given(st.sets(KEYS), EDITS)
@settings(deadline=None)
def test_a_sequence_stays_sorted(before: set[int], edits: list[tuple[int, bool]]) -> None:
    expected = set(before)
    for key, is_there in edits:
        (expected.add if is_there else expected.discard)(key)
    changes = [(key, key if is_there else None) for key, is_there in edits]
    items = tuple(sorted(before))
    for sequence in (items, persistent_sequence(items)):
        assert sorted_with(sequence, changes, lambda one: one) == tuple(sorted(expected))
        assert sequence == items


def test_a_long_sequence_reads_like_a_tuple_after_many_changes() -> None:
    chance = random.Random(1)
    items: set[int] = set(range(0, 20_000, 2))
    sequence = persistent_sequence(sorted(items))
    for _ in range(300):
        edits = [(chance.randrange(20_000), chance.random() < 0.5) for _ in range(20)]
        start = chance.randrange(20_000)
        edits += [(key, chance.random() < 0.2) for key in range(start, start + 100)]
        for key, is_there in edits:
            (items.add if is_there else items.discard)(key)
        sequence = sequence.sorted_with(
            [(key, key if there else None) for key, there in edits], lambda one: one
        )
    expected = tuple(sorted(items))
    assert sequence == expected
    assert expected == sequence
    assert [sequence[place] for place in range(-len(expected), len(expected))] == [*expected, *expected]
    for start, stop in ((0, 5), (500, 1500), (-7, None), (len(expected) - 1, len(expected) + 9), (9, 3)):
        assert sequence[start:stop] == expected[start:stop]
    assert sequence[::3] == expected[::3]
    assert sequence != expected[:-1]


def test_a_sequence_is_extended_at_its_end() -> None:
    sequence: tuple[int, ...] | Blocks[int] = ()
    for start in range(0, 5_000, 7):
        sequence = persistent_sequence(extended(sequence, range(start, start + 7)))
    assert sequence == tuple(range(len(sequence)))
    assert len(sequence) >= 5_000
