"""The ledger, and who gets which id; pure. `registry.index` writes what is planned here.

The ledger is a text of JSON lines, one for each event, only ever appended to. Each line carries the SHA-256 of the line
before (`prev`), the first one the registry's id, so that a changed or lost line shows.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from registry import yaml
from registry.errors import Problem, Severity, Span
from registry.loader import LEDGER_PATH, Definition

STATES = ("live", "moved", "gone")
_KEYS = ("kind", "id", "name", "state", "commit", "prev")


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One event: the definition `name` of `kind` got its id, moved, or is gone; `commit` is the one that was indexed."""

    kind: str
    id: int
    name: str
    state: str
    commit: str | None
    prev: str

    def line(self) -> str:
        """The entry as its line, without the line end; keys in fixed order."""
        return json.dumps({key: getattr(self, key) for key in _KEYS}, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Ledger:
    """All events, oldest first, and the SHA-256 of the last line."""

    entries: tuple[LedgerEntry, ...]
    head: str

    @cached_property
    def latest(self) -> Mapping[tuple[str, int], LedgerEntry]:
        """The last event of each id."""
        return {(entry.kind, entry.id): entry for entry in self.entries}

    def next_id(self, kind: str) -> int:
        """The first id of `kind` that was never given."""
        return max((entry.id for entry in self.entries if entry.kind == kind), default=0) + 1


@dataclass(frozen=True, slots=True)
class Assignment:
    """An id for one definition."""

    definition: Definition
    id: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What `registry index` is to do: ids to insert, lines to append; or the problems that stop it."""

    assignments: tuple[Assignment, ...]
    entries: tuple[LedgerEntry, ...]
    problems: tuple[Problem, ...]


def parse_ledger(data: bytes | None, registry_id: str) -> tuple[Ledger, tuple[Problem, ...]]:
    """The ledger from its bytes (None: there is none yet), and where its chain is broken."""
    entries: list[LedgerEntry] = []
    prev = registry_id
    text = (data or b"").decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        entry = _parse_entry(line)
        if entry is None:
            return Ledger(tuple(entries), prev), (_broken(number, "this line is no entry of the ledger"),)
        if entry.prev != prev:
            what = "the line before was changed or is missing"
            if number == 1:
                what = f"the ledger belongs to the registry {entry.prev!r}, and registry.yaml says {registry_id!r}"
            return Ledger(tuple(entries), prev), (_broken(number, what),)
        entries.append(entry)
        prev = hashlib.sha256(line.encode()).hexdigest()
    if text and not text.endswith("\n"):
        return Ledger(tuple(entries), prev), (_broken(len(entries), "the last line has no end: it may be cut off"),)
    return Ledger(tuple(entries), prev), ()


def _parse_entry(line: str) -> LedgerEntry | None:
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or tuple(facts) != _KEYS or facts["state"] not in STATES or type(facts["id"]) is not int:
        return None
    return LedgerEntry(**facts)


def _broken(number: int, message: str) -> Problem:
    return Problem("I020", Severity.ERROR, Span(LEDGER_PATH, number, 1, number, 2), f"the ledger is broken: {message}",
                   f"the ledger is only ever appended to: git checkout HEAD -- {LEDGER_PATH}")  # fmt: skip


def plan(definitions: Iterable[Definition], ledger: Ledger, commit: str | None) -> Plan:
    """Who gets which id: numbers count up for each kind from the ledger, in byte order of paths.

    An id that stands in a file and that the ledger never gave is a problem, but for the very first run: then the ids
    of a registry that moves here (the 2013 service's, say) are taken over.
    """
    everything = sorted(definitions, key=lambda definition: definition.path.encode("utf-8", "surrogateescape"))
    with_id = {(definition.kind, definition.id): definition for definition in everything if definition.id is not None}
    problems = [] if not ledger.entries else [
        definition.problem("I021", Severity.ERROR, ("id",), f"the id {definition.id} was never given by `registry index`", "delete the line")
        for (kind, number), definition in with_id.items() if (kind, number) not in ledger.latest
    ]  # fmt: skip
    if problems:
        return Plan((), (), tuple(problems))
    events = list(_events_of_known(with_id, ledger))
    following: dict[str, int] = {}
    assignments = []
    for definition in everything:
        if definition.id is None:
            taken = max((number for kind, number in with_id if kind == definition.kind), default=0)
            number = following.get(definition.kind) or max(ledger.next_id(definition.kind), taken + 1)
            following[definition.kind] = number + 1
            assignments.append(Assignment(definition, number))
            events.append((definition.kind, number, definition.name, "live"))
    entries = []
    prev = ledger.head
    for kind, number, name, state in events:
        entry = LedgerEntry(kind, number, name, state, commit, prev)
        entries.append(entry)
        prev = hashlib.sha256(entry.line().encode()).hexdigest()
    return Plan(tuple(assignments), tuple(entries), ())


def _events_of_known(with_id: Mapping[tuple[str, int], Definition], ledger: Ledger) -> Iterator[tuple[str, int, str, str]]:
    """Kind, id, name and state for every id that is gone, back, moved, or was brought along."""
    for key, last in ledger.latest.items():
        definition = with_id.get(key)
        if definition is None and last.state != "gone":
            yield (*key, last.name, "gone")
        elif definition is not None and last.state == "gone":
            yield (*key, definition.name, "live")
        elif definition is not None and last.name != definition.name:
            yield (*key, definition.name, "moved")
    for (kind, number), definition in sorted(with_id.items()):
        if (kind, number) not in ledger.latest:
            yield kind, number, definition.name, "live"


def insert_id(definition: Definition, number: int) -> bytes:
    """The bytes of the definition's file with `id: N` put in front of its first key; all other bytes stay.

    Raises ValueError when reading the result does not give exactly the old data with the id: then the file is written
    in a way that needs a person.
    """
    bom = b"\xef\xbb\xbf" if definition.raw.startswith(b"\xef\xbb\xbf") else b""
    text = definition.raw[len(bom) :].decode("utf-8")
    found = re.search(r"\r\n|\n|\r", text)
    end = found.group() if found else "\n"
    line, column, _, _ = definition.document.place
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
    offset = starts[line - 1] + column - 1
    if text[offset : offset + 1] == "{":
        offset += 1
        inserted = f"id: {number}, " if definition.data else f"id: {number}"
    else:
        # In front of the first key, with its indentation: behind a `---`, a BOM and all leading comments.
        inserted = f"id: {number}{end}{' ' * (column - 1)}"
    result = bom + (text[:offset] + inserted + text[offset:]).encode()
    again = yaml.read(result, definition.path)
    if again.problems or again.document is None or again.document.data != {"id": number, **definition.data}:
        raise ValueError(f"an id cannot be inserted into {definition.path}")
    return result
