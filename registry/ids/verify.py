"""Verify that a ledger is consistent, and that it agrees with the files. Pure."""

from collections.abc import Iterable, Iterator

from registry.ids.ledger import Ledger, LedgerEntry
from registry.model.definition import LEDGER_PATH, Definition
from registry.model.problem import Problem, Severity, Span


def verify(definitions: Iterable[Definition], ledger: Ledger) -> tuple[Problem, ...]:
    """Return all inconsistencies.

    A file without an id that is not in the ledger is valid: it waits for its id.
    """
    return (*_consistency(ledger), *_files(list(definitions), ledger))


def _consistency(ledger: Ledger) -> Iterator[Problem]:
    """Find ids assigned twice, events of ids that were never assigned, and two live ids with one name."""
    known: dict[tuple[str, int], LedgerEntry] = {}
    for number, entry in enumerate(ledger.entries, 1):
        last = known.get((entry.kind, entry.id))
        # An id may become live again only under its last name: restoring is no way to hand an id on.
        if entry.state == "live" and last is not None and (last.state != "gone" or last.name != entry.name):
            yield _at(ledger, number, f"{entry.kind} {entry.id} is assigned a second time")
        elif entry.state != "live" and (last is None or last.state == "gone"):
            yield _at(ledger, number, f"{entry.kind} {entry.id} is {entry.state} but was not live")
        known[entry.kind, entry.id] = entry
    names: dict[tuple[str, str], int] = {}
    for (kind, number), entry in known.items():
        if entry.state != "gone" and names.setdefault((kind, entry.name), number) != number:
            yield _at(
                ledger,
                len(ledger.entries),
                f"{kind} {entry.name} has two ids: {names[kind, entry.name]} and {number}",
            )


def _at(ledger: Ledger, number: int, message: str) -> Problem:
    path, line = ledger.place_of(number)
    return Problem(
        "I022",
        Severity.ERROR,
        Span(path, line, 1, line, 2),
        message,
        f"find the change with git log -p -- {LEDGER_PATH}; the site has a copy, api/ledger.ndjson",
    )


def _files(definitions: list[Definition], ledger: Ledger) -> Iterator[Problem]:
    hint = "run `registry index` on the main branch"
    never = "`registry index` on the main branch replaces it; `registry import` keeps ids of another registry"
    holders: dict[tuple[str, int], Definition] = {}
    for definition in definitions:
        if definition.id is None:
            continue
        key = (definition.kind, definition.id)
        first = holders.setdefault(key, definition)
        last = ledger.latest.get(key)
        if first is not definition:
            yield definition.problem(
                "I010",
                Severity.ERROR,
                ("id",),
                f"the id {definition.id} is also the id of {first.path}",
                "`registry index` on the main branch assigns a new id to the copy",
            )
        elif last is None:
            yield definition.problem(
                "I021",
                Severity.ERROR,
                ("id",),
                f"`registry index` never assigned the id {definition.id}",
                never,
            )
        elif last.state == "gone" or last.name != definition.name:
            yield definition.problem(
                "I023",
                Severity.ERROR,
                ("id",),
                f"the ledger has {definition.id} for {last.name} ({last.state})",
                hint,
            )
    for (kind, number), last in ledger.latest.items():
        if last.state != "gone" and (kind, number) not in holders:
            path, line = ledger.place_of(ledger.last_lines[kind, number])
            yield Problem(
                "I023",
                Severity.ERROR,
                Span(path, line, 1, line, 2),
                f"no file has {kind} {number} ({last.name})",
                hint,
            )
