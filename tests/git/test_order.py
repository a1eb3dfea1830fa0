"""The order of commits: parents first, and what was there stays in front of what comes."""

import random

import pytest

from registry.git.order import in_order


def test_what_a_branch_brings_comes_right_before_its_merge() -> None:
    # main: 1 2 5 7; side: 3 (from 1) and 4, which takes 2 in; 7 merges the side.
    parents = {"1": "", "2": "1", "3": "1", "4": "3 2", "5": "2", "7": "5 4"}
    assert in_order(parents, "7") == ["1", "2", "5", "3", "4", "7"]
    assert in_order(parents, "5") == ["1", "2", "5"]
    assert in_order(parents, "4") == ["1", "3", "2", "4"]


def test_commits_that_are_not_given_are_left_out() -> None:
    assert in_order({"3": "2", "5": "3 4", "4": "1"}, "5") == ["3", "4", "5"]
    assert in_order({}, "5") == []


def test_a_long_line_needs_no_deep_calls() -> None:
    parents = {str(number): str(number - 1) if number else "" for number in range(50_000)}
    assert in_order(parents, "49999") == list(map(str, range(50_000)))


@pytest.mark.parametrize("seed", range(50))
def test_any_graph(seed: int) -> None:
    rng = random.Random(seed)
    parents: dict[str, str] = {}
    for number in range(60):
        known = list(parents)
        count = rng.choice((1, 1, 1, 2, 2, 3))
        parents[str(number)] = " ".join(rng.sample(known, min(count, len(known))))
    head = "59"
    order = in_order(parents, head)
    assert len(set(order)) == len(order)
    assert order[-1] == head
    places = {name: place for place, name in enumerate(order)}
    assert all(places[parent] < places[name] for name in order for parent in parents[name].split())
    # Up to any commit of the main line it is the order that this one had by itself.
    name = head
    while parents[name]:
        name = parents[name].split()[0]
        assert in_order(parents, name) == order[: places[name] + 1]
