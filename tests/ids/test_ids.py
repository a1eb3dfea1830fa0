"""Who gets which id, and the one line that is inserted: all other bytes stay."""

from pathlib import Path

import pytest

from registry.ids import (
    Ledger,
    Mark,
    append,
    find_entries,
    insert_id,
    mark_of,
    owner_of,
    parse_ledger,
    plan,
    replace_id,
    verify,
)
from registry.load import yaml
from registry.model.definition import Definition, summary_of

CORPUS = sorted((Path(__file__).parents[1] / "corpus" / "good").glob("*.yaml"))


def definition(
    name: str, number: int | None = None, kind: str = "process_definition", raw: bytes = b"title: T\n"
) -> Definition:
    document = yaml.read(raw, f"definitions/{kind}/{name}.yaml").document
    assert document is not None
    return Definition(kind, name, number, document, summary_of(document.data, (), ()))


def after(ledger: Ledger, *definitions: Definition) -> tuple[Ledger, list[str]]:
    """The ledger after one more run, and its new events in short."""
    planned = plan(definitions, ledger, commit="c0")
    assert not planned.problems
    text = "".join(f"{entry.line()}\n" for entry in (*ledger.entries, *planned.entries))
    again, problems = parse_ledger(text.encode(), "registry-1")
    assert not problems
    return again, [f"{entry.state} {entry.kind[:3]} {entry.id} {entry.name}" for entry in planned.entries]


EMPTY = Ledger((), "registry-1", "registry-1")


def test_ids_count_up_for_each_kind_in_byte_order_of_paths() -> None:
    _, events = after(
        EMPTY, definition("b"), definition("a/z"), definition("a-z"), definition("x", kind="application")
    )
    assert events == ["live app 1 x", "live pro 1 a-z", "live pro 2 a/z", "live pro 3 b"]


def test_an_id_is_never_given_again_after_a_delete() -> None:
    ledger, _ = after(EMPTY, definition("a"), definition("b"))
    ledger, events = after(ledger, definition("a", 1))
    assert events == ["gone pro 2 b"]
    ledger, events = after(ledger, definition("a", 1), definition("b"))
    assert events == ["live pro 3 b"]


def test_moves_and_returns_are_noted_once() -> None:
    ledger, _ = after(EMPTY, definition("a"))
    ledger, events = after(ledger, definition("new-name", 1))
    assert events == ["moved pro 1 new-name"]
    ledger, events = after(ledger)
    assert events == ["gone pro 1 new-name"]
    ledger, events = after(ledger, definition("new-name", 1))
    assert events == ["live pro 1 new-name"]
    _, events = after(ledger, definition("new-name", 1))
    assert events == []


def test_the_first_run_takes_over_the_ids_that_files_bring_along() -> None:
    ledger, events = after(EMPTY, definition("old", 41), definition("new"))
    assert events == ["live pro 41 old", "live pro 42 new"]
    assert ledger.next_id("process_definition") == 43


def ids(ledger: Ledger, *definitions: Definition, marks: tuple[Mark, ...] = ()) -> dict[str, int | None]:
    """What each file carries after one more run."""
    planned = plan(definitions, ledger, marks)
    assert not planned.problems
    return {one.name: one.id for one in definitions} | {
        one.definition.name: one.id for one in planned.assignments
    }


def known(*names: str) -> Ledger:
    """A ledger in which these have the ids 1, 2, 3 …"""
    return after(EMPTY, *(definition(name, number) for number, name in enumerate(names, 1)))[0]


def with_id(name: str, number: int) -> Definition:
    return definition(name, number, raw=f"id: {number}\ntitle: T\n".encode())


def test_a_copy_that_kept_its_id_gets_a_new_one_and_the_ledgers_path_keeps_it() -> None:
    assert ids(known("b"), with_id("a", 1), with_id("b", 1)) == {"a": 2, "b": 1}
    # Moved and copied: nobody is where the ledger knows it, so the smaller path keeps it.
    assert ids(known("old"), with_id("y", 1), with_id("x", 1)) == {"x": 1, "y": 2}


def test_an_id_that_was_never_given_is_taken_off_and_its_number_never_given() -> None:
    assert ids(known("a"), with_id("a", 1), with_id("b", 40)) == {"a": 1, "b": 41}


def test_a_file_that_lost_its_id_gets_it_back() -> None:
    assert ids(known("a", "b"), definition("a"), with_id("b", 2)) == {"a": 1, "b": 2}
    assert ids(known("a", "b"), with_id("a", 77), with_id("b", 2)) == {"a": 1, "b": 2}


def test_a_new_file_at_the_old_name_of_one_that_moved_is_new() -> None:
    assert ids(known("a"), definition("a"), with_id("renamed", 1)) == {"a": 2, "renamed": 1}


def test_names_that_were_swapped_keep_their_ids() -> None:
    assert ids(known("a", "b"), with_id("a", 2), with_id("b", 1)) == {"a": 2, "b": 1}
    assert ids(known("a", "b", "c"), with_id("a", 2), with_id("b", 3)) == {"a": 2, "b": 3}


def test_on_a_branch_that_was_set_back_files_get_the_ids_that_they_had_then() -> None:
    # a: 1 was renamed to b after the second line; another a: 3 came later. The files are from before all that.
    events = [("process_definition", 1, "a", "live"), ("process_definition", 2, "x", "live")]
    lost = [("process_definition", 1, "b", "moved"), ("process_definition", 3, "a", "live")]
    whole = Ledger((), "registry-1", "registry-1")
    for event in (*events, *lost):
        entries = append(whole, [event], None)
        whole = parse_ledger(
            "".join(f"{one.line()}\n" for one in (*whole.entries, *entries)).encode(), "registry-1"
        )[0]
    planned = plan([definition("a"), with_id("x", 2)], whole, known_lines=2)
    assert {one.definition.name: one.id for one in planned.assignments} == {"a": 1}
    # One that carries what is not its own gets what it had last, if it lay elsewhere then.
    planned = plan([with_id("b", 2), with_id("x", 2)], whole, known_lines=2)
    assert {one.definition.name: one.id for one in planned.assignments} == {"b": 1}


def test_a_deleted_id_comes_back_at_its_own_name_only() -> None:
    ledger, _ = after(known("a", "b"), with_id("b", 2))
    assert ids(ledger, with_id("a", 1), with_id("b", 2)) == {"a": 1, "b": 2}
    assert ids(ledger, with_id("elsewhere", 1), with_id("b", 2)) == {"elsewhere": 3, "b": 2}
    assert ids(ledger, definition("a"), with_id("b", 2)) == {"a": 3, "b": 2}


def test_a_mark_from_outside_counts_as_well() -> None:
    mark = Mark("the site", "registry-1", {"process_definition": 50}, 0, "")
    assert ids(known("a"), with_id("a", 1), definition("b"), marks=(mark,)) == {"a": 1, "b": 50}


def test_when_no_number_is_left_it_says_which_file_took_the_last() -> None:
    largest = 2**53 - 1
    planned = plan([with_id("a", largest), definition("b")], EMPTY)
    assert [(one.rule, one.span.path) for one in planned.problems] == [
        ("I025", "definitions/process_definition/a.yaml")
    ]
    assert planned.edits == {}


def test_a_ledger_extends_what_was_published_of_it_or_not() -> None:
    short, long, other = known("a"), known("a", "b"), known("x", "y")
    assert long.extends(mark_of(short, ""))
    assert long.extends(mark_of(long, ""))
    assert long.extends(mark_of(EMPTY, ""))
    assert not short.extends(mark_of(long, ""))
    assert not other.extends(mark_of(short, ""))


def test_a_ledger_that_contradicts_itself_or_the_files_is_told() -> None:
    ledger = known("a", "b")
    assert verify([with_id("a", 1), with_id("b", 2), definition("new")], ledger) == ()
    told = verify([with_id("a", 1), with_id("c", 2), with_id("d", 9), with_id("e", 1)], ledger)
    assert [(one.rule, one.span.path.rpartition("/")[2]) for one in told] == [
        ("I023", "c.yaml"),
        ("I021", "d.yaml"),
        ("I010", "e.yaml"),
    ]
    assert [one.message for one in verify([with_id("a", 1)], ledger)] == [
        "no file has process_definition 2 (b)"
    ]
    entries = append(
        ledger,
        [
            ("process_definition", 1, "z", "live"),
            ("process_definition", 5, "b", "gone"),
            ("process_definition", 1, "b", "moved"),
        ],
        None,
    )
    story = verify([], Ledger((*ledger.entries, *entries), "registry-1", ""))
    assert [one.span.line for one in story if one.rule == "I022"] == [3, 4, 5]


def test_a_changed_line_a_lost_line_and_a_cut_line_break_the_chain() -> None:
    ledger, _ = after(EMPTY, definition("a"), definition("b"), definition("c"))
    lines = [entry.line() for entry in ledger.entries]
    whole = "\n".join(lines) + "\n"
    assert parse_ledger(whole.encode(), "registry-1")[1] == ()
    for broken, line in (
        (whole.replace('"name":"a"', '"name":"z"'), 2),
        ("\n".join([lines[0], lines[2]]) + "\n", 2),
        (whole[:-1], 3),
        (whole + "{}\n", 4),
        (whole + "\n", 4),
    ):
        problems = parse_ledger(broken.encode(), "registry-1")[1]
        assert [(p.rule, p.span.line) for p in problems] == [("I020", line)]
    assert parse_ledger(whole.encode(), "a-fork-of-it")[0].registry_id == "registry-1"
    assert parse_ledger(whole.replace("\n", "\r\n").encode(), "registry-1")[1] == ()


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_an_id_changes_exactly_one_line_whatever_the_style(path: Path) -> None:
    raw = path.read_bytes()
    result = insert_id(definition("a", raw=raw), 7)
    before, now = raw.splitlines(keepends=True), result.splitlines(keepends=True)
    if len(now) == len(before) + 1:
        place = next(index for index, line in enumerate(now) if index >= len(before) or line != before[index])
        assert now[:place] + now[place + 1 :] == before
        assert now[place].strip() == b"id: 7"
        assert now[place].endswith(b"\r\n") == before[0].endswith(b"\r\n")
    else:
        changed = [(old, new) for old, new in zip(before, now, strict=True) if old != new]
        assert len(changed) == 1
        assert changed[0][1].replace(b"id: 7, ", b"") == changed[0][0]
    assert next(iter(definition("a", 7, raw=result).data)) == "id"
    # A number that changes is one line as well, and changes back to the same bytes.
    other = replace_id(definition("a", 7, raw=result), 1234)
    assert len([1 for old, new in zip(now, other.splitlines(keepends=True), strict=True) if old != new]) == 1
    assert replace_id(definition("a", 1234, raw=other), 7) == result


def test_a_file_that_cannot_take_a_line_is_refused_not_damaged() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        # The document has an id already.
        insert_id(definition("a", raw=b"id: 0\ntitle: T\n"), 7)


def test_a_ledger_checked_out_on_windows_is_published_with_the_line_ends_it_was_written_with() -> None:
    first, _ = parse_ledger(None, "registry-1")
    entries = append(
        first, [("process_definition", 1, "a", "live"), ("process_definition", 2, "b/ü", "live")], "c0"
    )
    text = "".join(f"{entry.line()}\n" for entry in entries)
    for written in (text, text.replace("\n", "\r\n")):
        ledger, problems = parse_ledger(written.encode(), "registry-1")
        assert not problems
        assert ledger.entries == entries
        assert ledger.text == text


@pytest.mark.parametrize("before", ["x", " ", "{}"])
def test_a_line_that_only_holds_an_entry_is_none(before: str) -> None:
    first, _ = parse_ledger(None, "registry-1")
    (entry,) = append(first, [("process_definition", 1, "a", "live")], "c0")
    ledger, problems = parse_ledger(f"{before}{entry.line()}\n".encode(), "registry-1")
    assert [problem.rule for problem in problems] == ["I020"]
    assert not ledger.entries


def test_the_next_id_is_above_the_highest_one_not_above_the_last_one() -> None:
    ledger, events = after(known("a", "b", "c"), with_id("b", 2), with_id("c", 3))
    assert events == ["gone pro 1 a"]
    assert ledger.next_ids == {"process_definition": 4}
    assert ids(ledger, with_id("b", 2), with_id("c", 3), definition("d")) == {"b": 2, "c": 3, "d": 4}
    moved, events = after(known("a", "b"), with_id("new", 1), with_id("b", 2))
    assert (events, moved.next_id("process_definition")) == (["moved pro 1 new"], 3)


def test_the_first_run_writes_ids_that_files_bring_in_order_of_kind_and_id() -> None:
    _, events = after(EMPTY, with_id("a", 5), with_id("b", 2), definition("c", 9, kind="application"))
    assert events == ["live app 9 c", "live pro 2 b", "live pro 5 a"]


def test_capitals_come_before_small_letters_as_in_bytes() -> None:
    _, events = after(EMPTY, definition("a"), definition("B"), definition("ä"))
    assert events == ["live pro 1 B", "live pro 2 a", "live pro 3 ä"]


def ledger_of(*events: tuple[int, str, str]) -> Ledger:
    """A ledger with these events: id, name and state."""
    entries = append(EMPTY, [("process_definition", *event) for event in events], None)
    ledger, problems = parse_ledger("".join(f"{one.line()}\n" for one in entries).encode(), "registry-1")
    assert not problems
    return ledger


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([(1, "a", "live"), (1, "a", "live")], "is assigned a second time"),
        ([(1, "a", "live"), (1, "a", "gone"), (1, "b", "live")], "is assigned a second time"),
        ([(1, "a", "live"), (1, "b", "moved"), (1, "b", "live")], "is assigned a second time"),
        ([(1, "a", "gone")], "is gone but was not live"),
        ([(1, "a", "live"), (1, "a", "gone"), (1, "a", "gone")], "is gone but was not live"),
        ([(1, "a", "live"), (1, "a", "gone"), (1, "b", "moved")], "is moved but was not live"),
    ],
)
def test_what_cannot_happen_to_an_id_is_reported(events: list[tuple[int, str, str]], said: str) -> None:
    found = verify([], ledger_of(*events))
    assert (found[0].rule, found[0].span.line, said in found[0].message) == ("I022", len(events), True)


def test_a_ledger_with_an_id_that_went_and_came_back_is_in_order() -> None:
    ledger = ledger_of(
        (1, "a", "live"), (1, "a", "gone"), (1, "a", "live"), (2, "b", "live"), (2, "c", "moved")
    )
    assert verify([with_id("a", 1), with_id("c", 2)], ledger) == ()


def test_a_name_that_was_given_again_after_a_delete_is_in_order() -> None:
    ledger = ledger_of((1, "a", "live"), (1, "a", "gone"), (2, "a", "live"))
    assert verify([with_id("a", 2)], ledger) == ()


def test_a_file_with_the_id_of_a_deleted_definition_is_reported() -> None:
    (found,) = verify([with_id("a", 1)], ledger_of((1, "a", "live"), (1, "a", "gone")))
    assert (found.rule, found.message) == ("I023", "the ledger has 1 for a (gone)")


@pytest.mark.parametrize(
    ("number", "is_good"),
    [(0, False), (-1, False), (1, True), (2**53 - 1, True), (2**53, False), (10**20, False)],
)
def test_a_ledger_holds_ids_from_1_to_2_to_the_53_less_1(number: int, is_good: bool) -> None:
    (entry,) = append(EMPTY, [("process_definition", number, "a", "live")], None)
    ledger, problems = parse_ledger(f"{entry.line()}\n".encode(), "registry-1")
    assert (len(ledger.entries), problems == ()) == (int(is_good), is_good)


def test_the_events_of_one_id_are_found_without_parsing_the_ledger() -> None:
    ledger, _ = after(known("a", "b"), with_id("new", 1), with_id("b", 2))
    data = ledger.text.encode()
    for text in (data, data.replace(b"\n", b"\r\n"), data.removesuffix(b"\n"), b"rubbish\n" + data):
        found = find_entries(text, "process_definition", 1)
        assert [(one.name, one.state) for one in found] == [("a", "live"), ("new", "moved")]
    assert find_entries(data, "process_definition", 12) == []
    assert find_entries(data, "application", 1) == []
    assert find_entries(b"", "process_definition", 1) == []


def test_a_ledger_names_its_registry_in_its_first_line() -> None:
    ledger = known("a", "b")
    assert owner_of(ledger.text.encode()) == ledger.registry_id
    assert owner_of(ledger.text.replace("\n", "\r\n").encode()) == ledger.registry_id
    assert owner_of(b"") is None
    assert owner_of(b"rubbish\n") is None
