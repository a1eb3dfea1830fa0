"""The ledger in several files: any spread of its lines is one chain, and nothing in it changes unnoticed."""

from collections.abc import Callable
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.ids import (
    Ledger,
    LedgerEntry,
    all_lines,
    append,
    append_entries,
    chain,
    encode,
    in_safe_order,
    mark_of,
    parse_ledger,
    parse_ledger_files,
    plan_append,
    plan_rewrite,
)
from registry.ids.segments import SEGMENT_LINES, append_lines
from registry.model.definition import LEDGER_PATH
from registry.model.ledger_files import LedgerFiles

EMPTY = Ledger((), "registry-1", "registry-1")
FIRST, SECOND = "definitions/ledger/000001.jsonl", "definitions/ledger/000002.jsonl"
LIMIT = "registry.ids.segments.SEGMENT_LINES"


def entries(count: int) -> tuple[LedgerEntry, ...]:
    return append(
        EMPTY, [("process_definition", number + 1, f"n{number}", "live") for number in range(count)], None
    )


def written(files: LedgerFiles, planned: "dict[str, bytes | None]") -> LedgerFiles:
    """The files after these writes."""
    found = {**files.sealed, LEDGER_PATH: files.open}
    for path, data in planned.items():
        found.pop(path, None)
        found |= {path: data} if data is not None else {}
    return LedgerFiles(found.pop(LEDGER_PATH, b""), dict(sorted(found.items())))


def stored(count: int) -> LedgerFiles:
    return written(LedgerFiles(), plan_append(LedgerFiles(), encode(entries(count))))


def parsed(files: LedgerFiles) -> Ledger:
    ledger, problems = parse_ledger_files(files, "registry-1")
    assert problems == ()
    return ledger


def test_the_open_segment_is_sealed_once_it_would_pass_128_lines() -> None:
    assert SEGMENT_LINES == 128
    assert not stored(128).sealed
    files = stored(129)
    assert files.sealed == {FIRST: encode(entries(128))}
    first, second = files.open.splitlines()
    assert first == b'{"continues":"ledger/000001.jsonl","prev":"%s"}' % entries(129)[-1].prev.encode()
    assert second + b"\n" == encode(entries(129)[-1:])
    assert list(stored(128 * 3).sealed) == [FIRST, SECOND]


def test_a_program_that_does_not_know_segments_stops_at_the_first_line() -> None:
    ledger, (problem,) = parse_ledger(stored(129).open, "registry-1")
    assert (ledger.entries, problem.rule, problem.span.line) == ((), "I020", 1)


def test_an_append_needs_the_open_segment_and_the_head_only() -> None:
    every = entries(300)
    files = stored(250)
    head = parsed(files).head
    events = [(one.kind, one.id, one.name, one.state) for one in every[250:]]
    new = chain(head, events, None)
    assert new == every[250:]
    planned = append_entries(files.open, new)
    assert list(planned) == [SECOND, LEDGER_PATH]
    assert written(files, {**planned}) == stored(300)
    assert append_entries(files.open, ()) == {}
    with pytest.raises(ValueError, match="cannot be appended"):
        append_entries(files.open, every[251:])
    with pytest.raises(ValueError, match="cannot be appended"):
        append_entries(files.open, every[:1])


@settings(deadline=None, max_examples=60)
@given(batches=st.lists(st.integers(0, 9), max_size=12), limit=st.integers(1, 5), one_file=st.integers(0, 12))
def test_appends_in_any_batches_are_one_chain(batches: list[int], limit: int, one_file: int) -> None:
    every = entries(one_file + sum(batches))
    with patch(LIMIT, limit):
        files = LedgerFiles(encode(every[:one_file]))  # as programs without segments left it
        count = one_file
        for batch in batches:
            planned = plan_append(files, encode(every[count : count + batch]))
            assert bool(planned) == bool(batch)
            assert not planned.keys() & files.sealed.keys()
            count += batch
            files = written(files, planned)
            ledger = parsed(files)
            assert ledger.entries == every[:count]
            assert all_lines(files) == ledger.text.encode() == encode(every[:count])
            assert mark_of(ledger, "") == mark_of(parse_ledger(encode(every[:count]), "registry-1")[0], "")
        if count > one_file:
            assert files == written(LedgerFiles(), {**append_lines(b"", encode(every[:count]))})
        for line, entry in enumerate(parsed(files).entries, 1):
            path, place = parsed(files).place_of(line)
            data = files.open if path == LEDGER_PATH else files.sealed[path]
            assert data.splitlines()[place - 1] + b"\n" == encode([entry])


def flip(data: bytes, place: int) -> bytes:
    place %= len(data)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def without_line(data: bytes, place: int) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[place % len(lines)]
    return b"".join(lines)


def with_line_twice(data: bytes, place: int) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines, lines[place % len(lines)]])


def with_lines_swapped(data: bytes, place: int) -> bytes:
    lines = data.splitlines(keepends=True)
    place %= len(lines)
    return b"".join([*lines[place:], *lines[:place]])


def cut(data: bytes, place: int) -> bytes:
    return data[: place % len(data)]


Edit = Callable[[bytes, int], bytes]
EDITS: tuple[Edit, ...] = (flip, without_line, with_line_twice, with_lines_swapped, cut)


@settings(deadline=None, max_examples=300)
@given(
    count=st.integers(7, 30),
    which=st.integers(0, 99),
    edit=st.sampled_from(EDITS),
    place=st.integers(0, 10_000),
)
def test_a_changed_file_is_found(count: int, which: int, edit: Edit, place: int) -> None:
    with patch(LIMIT, 3):
        files = stored(count)
    every = {**files.sealed, LEDGER_PATH: files.open}
    path = sorted(every)[which % len(every)]
    changed = {**every, path: edit(every[path], place)}
    if changed == every:
        return
    ledger, problems = parse_ledger_files(LedgerFiles(changed.pop(LEDGER_PATH), changed), "registry-1")
    # What is at the very end is protected by the marks outside of the branch.
    assert problems or not ledger.extends(mark_of(parsed(files), ""))


@settings(deadline=None, max_examples=60)
@given(count=st.integers(7, 30), which=st.integers(0, 99), other=st.integers(0, 99))
def test_a_lost_a_swapped_and_an_added_segment_is_found(count: int, which: int, other: int) -> None:
    with patch(LIMIT, 3):
        files = stored(count)
    names = list(files.sealed)
    lost, second = names[which % len(names)], names[other % len(names)]
    sealed = {path: data for path, data in files.sealed.items() if path != lost}
    ledger, (problem,) = parse_ledger_files(LedgerFiles(files.open, sealed), "registry-1")
    assert (problem.rule, problem.span.path, "missing" in problem.message) == ("I020", lost, True)
    assert len(ledger.entries) == 3 * names.index(lost)
    if lost != second:
        swapped = {**files.sealed, lost: files.sealed[second], second: files.sealed[lost]}
        assert parse_ledger_files(LedgerFiles(files.open, swapped), "registry-1")[1]
    for path in (f"definitions/ledger/{len(names) + 1:06}.jsonl", "definitions/ledger/1.jsonl"):
        for data in (files.sealed[lost], b"", b"{}\n"):
            more = {**files.sealed, path: data}
            (problem,) = parse_ledger_files(LedgerFiles(files.open, more), "registry-1")[1]
            assert (problem.rule, problem.span.path) == ("I020", path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"continues":"ledger/000002.jsonl","prev":"%s"}\n', "missing"),
        (b'{"continues":"ledger/999999999.jsonl","prev":"%s"}\n', "missing"),
        (b'{"continues":"ledger/000000.jsonl","prev":"%s"}\n', "not a ledger entry"),
        (b'{"continues":"ledger/0000001.jsonl","prev":"%s"}\n', "not a ledger entry"),
        (b'{"continues": "ledger/000001.jsonl","prev":"%s"}\n', "not a ledger entry"),
        (b'{"continues":"ledger/000001.jsonl","prev":"' + b"0" * 64 + b'"}\n', "not the hash"),
        (b"", "does not continue"),
    ],
)
def test_another_first_line_is_found(line: bytes, said: str) -> None:
    files = stored(130)
    _, _, rest = files.open.partition(b"\n")
    line = line.replace(b"%s", entries(129)[-1].prev.encode())
    (problem,) = parse_ledger_files(LedgerFiles(line + rest, files.sealed), "registry-1")[1]
    assert (problem.rule, said in problem.message) == ("I020", True), problem
    (problem,) = parse_ledger_files(LedgerFiles(b"", files.sealed), "registry-1")[1]
    assert (problem.span.path, "does not continue" in problem.message) == (FIRST, True)


def test_segments_checked_out_on_windows_are_read() -> None:
    files = stored(300)
    sealed = {path: data.replace(b"\n", b"\r\n") for path, data in files.sealed.items()}
    ledger = parsed(LedgerFiles(files.open.replace(b"\n", b"\r\n"), sealed))
    assert ledger.text == parsed(files).text


@settings(deadline=None, max_examples=60)
@given(before=st.integers(0, 12), more=st.integers(1, 12), stop=st.integers(0, 99))
def test_writes_that_stop_anywhere_leave_the_old_ledger_or_the_new_one(
    before: int, more: int, stop: int
) -> None:
    every = entries(before + more)
    with patch(LIMIT, 3):
        files = stored(before)
        writes = in_safe_order(files.open, plan_append(files, encode(every[before:])))
        stopped = files
        for path, data in writes[: stop % (len(writes) + 1)]:
            stopped = written(stopped, {path: data})
        known = len(parsed(stopped).entries)
        assert known in (before, before + more)
        # The next run completes it, and removes what it does not need.
        new = append(parsed(stopped), [("process_definition", 999, "next", "live")], None)
        assert parsed(written(stopped, plan_append(stopped, encode(new)))).entries == (*every[:known], *new)
        with patch(LIMIT, 5):
            assert parsed(written(stopped, plan_append(stopped, encode(new)))).entries == (
                *every[:known],
                *new,
            )


def test_a_rewrite_leaves_exactly_the_wanted_lines() -> None:
    with patch(LIMIT, 3):
        wanted = stored(8)
        for there in (LedgerFiles(), stored(2), stored(8), stored(20), LedgerFiles(encode(entries(7)))):
            assert written(there, plan_rewrite(there, all_lines(wanted))) == wanted
        broken = LedgerFiles(b"{}\n", {**wanted.sealed, SECOND: b"x", "definitions/ledger/7.jsonl": b""})
        assert written(broken, plan_rewrite(broken, all_lines(wanted))) == wanted
        assert plan_rewrite(wanted, all_lines(wanted)) == {}
