"""A commit that gives ids is accepted only where it does what `registry index` would do."""

import pytest

from registry.ids import Ledger, ReplayedFile, Step, append, parse_ledger, replay
from registry.ids.replay import Replayed

KIND = "process_definition"
EMPTY = Ledger((), "registry-1", "registry-1")
Event = tuple[int, str, str]


def ledger_of(*events: Event) -> Ledger:
    entries = append(EMPTY, [(KIND, *event) for event in events], None)
    return parse_ledger("".join(f"{one.line()}\n" for one in entries).encode(), "registry-1")[0]


def path(name: str) -> str:
    return f"definitions/{KIND}/{name}.yaml"


def replayed(
    ledger: Ledger,
    before: dict[str, int | None],
    after: dict[str, int | None],
    *events: Event,
    gap: int = 0,
) -> Replayed:
    """The verdict on a commit: ids by name before and after, and the lines that it appends."""
    files = [ReplayedFile(path(name), KIND, name, number) for name, number in after.items()]
    appended = append(ledger, [(KIND, *event) for event in events], None)
    step = Step({path(name): number for name, number in before.items()}, files, ledger, None, appended)
    return replay(step, {}, gap)


ONE = ledger_of((1, "a", "live"))


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": None}, {"a": 1, "b": 2}, [(2, "b", "live")]),
        ({"a": 1}, {"a": 1, "b": 2}, [(2, "b", "live")]),  # the file and its id in one commit
        ({"a": 1, "b": None, "c": None}, {"a": 1, "b": None, "c": 2}, [(2, "c", "live")]),  # b waits
        ({"a": 1}, {}, [(1, "a", "gone")]),
        ({"a": 1}, {"b": 1}, [(1, "b", "moved")]),
        ({"a": None}, {"a": 1}, []),  # it had lost its id
    ],
)
def test_what_the_indexer_does_is_accepted(
    before: dict[str, int | None], after: dict[str, int | None], events: list[Event]
) -> None:
    assert replayed(ONE, before, after, *events) == Replayed()


@pytest.mark.parametrize(
    ("before", "after", "events", "said"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, [], "has the new id 2, but the ledger has no line"),
        ({"a": 1}, {"a": 1, "b": 3}, [(3, "b", "live")], "the first new id of process_definition is 3"),
        ({"a": 1}, {"a": 1, "b": 1}, [(1, "b", "moved")], "does not match the files"),
        ({"a": 1}, {"a": 2}, [], "has the id 2, but its id is 1"),
        ({"a": 1}, {"a": None}, [], "lost its id, 1"),
        ({"a": 1}, {"a": 1}, [(1, "a", "gone")], "does not match the files"),
        ({"a": 1, "b": None}, {"a": 1, "b": None}, [(2, "b", "live")], "does not match the files"),
        (
            {"a": 1, "b": None, "c": None},
            {"a": 1, "b": 3, "c": 2},
            [(2, "c", "live"), (3, "b", "live")],
            "does not match the files",
        ),
    ],
)
def test_anything_else_is_refused(
    before: dict[str, int | None], after: dict[str, int | None], events: list[Event], said: str
) -> None:
    refusals = replayed(ONE, before, after, *events).refusals
    assert any(said in one.message for one in refusals), refusals


@pytest.mark.parametrize(("number", "is_accepted"), [(2, True), (5, True), (6, False)])
def test_numbers_may_be_left_out_up_to_the_limit(number: int, is_accepted: bool) -> None:
    found = replayed(ONE, {"a": 1}, {"a": 1, "b": number}, (number, "b", "live"), gap=3)
    assert (found.refusals == ()) is is_accepted
    assert found.skipped == ({KIND: number - 2} if is_accepted and number > 2 else {})


def test_the_first_run_takes_over_all_ids_that_files_bring() -> None:
    brought: dict[str, int | None] = {"a": 4, "b": 7}
    assert replayed(EMPTY, brought, brought, (4, "a", "live"), (7, "b", "live")) == Replayed()
    (refusal,) = replayed(EMPTY, brought, brought, (4, "a", "live")).refusals
    assert refusal.message == f"the ledger is new and incomplete: {KIND} 7 (b) is missing"
