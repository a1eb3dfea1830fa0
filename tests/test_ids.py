"""Who gets which id, and the one line that is inserted: all other bytes stay."""

from pathlib import Path

import pytest

from registry import yaml
from registry.ids import Ledger, insert_id, parse_ledger, plan
from registry.loader import Definition

CORPUS = sorted((Path(__file__).parent / "corpus" / "good").glob("*.yaml"))


def definition(name: str, number: int | None = None, kind: str = "process_definition", raw: bytes = b"title: T\n") -> Definition:
    document = yaml.read(raw, f"definitions/{kind}/{name}.yaml").document
    assert document is not None
    return Definition(kind, name, number, document, raw)


def after(ledger: Ledger, *definitions: Definition) -> tuple[Ledger, list[str]]:
    """The ledger after one more run, and its new events in short."""
    planned = plan(definitions, ledger, "c0")
    assert not planned.problems
    text = "".join(f"{entry.line()}\n" for entry in (*ledger.entries, *planned.entries))
    again, problems = parse_ledger(text.encode(), "registry-1")
    assert not problems
    return again, [f"{entry.state} {entry.kind[:3]} {entry.id} {entry.name}" for entry in planned.entries]


EMPTY = Ledger((), "registry-1")


def test_ids_count_up_for_each_kind_in_byte_order_of_paths() -> None:
    _, events = after(EMPTY, definition("b"), definition("a/z"), definition("a-z"), definition("x", kind="application"))
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
    refused = plan([definition("old", 41), definition("new", 42), definition("made-up", 99)], ledger, None)
    assert [problem.message for problem in refused.problems] == ["the id 99 was never given by `registry index`"]
    assert refused.entries == ()


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
    assert "belongs to the registry 'registry-1'" in parse_ledger(whole.encode(), "a-fork-of-it")[1][0].message


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
    document = yaml.read(result, "f").document
    assert document is not None
    assert next(iter(document.data)) == "id"


def test_a_file_that_cannot_take_a_line_is_refused_not_damaged() -> None:
    with pytest.raises(ValueError, match="cannot be inserted"):
        # The first key stands behind a `?`, which is read, but whose line cannot have another in front in brackets.
        insert_id(definition("a", raw=b"id: 0\ntitle: T\n"), 7)
