"""Filters of lists by indexes of blocks: what reading each definition finds, in every later state."""

import random

from registry.model.definition import Definition, Summary
from registry.model.persistent import persistent_sequence
from registry.server.matches import MatchIndex, ValueFilter

FILTERS = {
    "tag": ValueFilter(lambda one: one.summary.tags),
    "lifecycle": ValueFilter(lambda one: (one.summary.lifecycle,)),
    "word": ValueFilter(lambda one: one.summary.title.split()),
}


def _definition(chance: random.Random, number: int) -> Definition:
    tags = tuple(chance.choices("abcd", k=chance.randrange(4)))
    title = " ".join(chance.choices(["north", "south", "wind", "rain"], k=2))
    summary = Summary(title=title, lifecycle=chance.choice(["production", "deprecated"]), tags=tags)
    return Definition("k", f"n{number}", number, None, summary)  # type: ignore[arg-type]


def _is_match(one: Definition, name: str, wanted: str) -> bool:
    return wanted in FILTERS[name].values(one)


def test_the_same_definitions_are_found_as_by_reading_each() -> None:
    chance = random.Random(5)
    listed = persistent_sequence([_definition(chance, number) for number in range(2_000)])
    index = MatchIndex()
    for _ in range(60):
        wanted = chance.choices(
            [("tag", "a"), ("tag", "b"), ("tag", "none"), ("lifecycle", "deprecated"), ("word", "wind"),
             ("word", "rain"), ("word", "storm")],
            k=chance.randint(1, 3),
        )  # fmt: skip
        expected = [one for one in listed if all(_is_match(one, *each) for each in wanted)]
        found = index.matching("k", listed, wanted, FILTERS)
        assert len(found) == len(expected)
        for start, stop in ((0, 20), (500, 530), (1_990, 2_010), (0, 5_000)):
            assert found[start:stop] == expected[start:stop]
        numbers = [chance.randrange(2_500) for _ in range(30)]
        listed = listed.sorted_with(
            [(number, _definition(chance, number) if chance.random() < 0.8 else None) for number in numbers],
            lambda one: one.id,
        )


def test_unchanged_blocks_are_not_read_again() -> None:
    chance = random.Random(6)
    listed = persistent_sequence([_definition(chance, number) for number in range(5_000)])
    index, seen = MatchIndex(), list[int | None]()

    def tags_of(one: Definition) -> tuple[str, ...]:
        seen.append(one.id)
        return one.summary.tags

    filters = {"tag": ValueFilter(tags_of)}
    index.matching("k", listed, [("tag", "a")], filters)
    assert len(seen) == 5_000
    seen.clear()
    later = listed.sorted_with([(7, _definition(chance, 7))], lambda one: one.id)
    assert len(index.matching("k", later, [("tag", "a")], filters)) > 0
    assert len(seen) < 1_000
    seen.clear()
    index.matching("k", later, [("tag", "b")], filters)
    assert seen == []
