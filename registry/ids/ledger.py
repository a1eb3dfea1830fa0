"""The ledger: a text of JSON lines, one for each event in the life of an id, only ever appended to.

Each line carries the SHA-256 of the line before (`prev`), the first one the registry's id, so that a changed or lost line
shows. A `Mark` is what somebody outside of the branch remembers of it.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import orjson

from registry.model.definition import LEDGER_PATH
from registry.model.git_leftovers import leftover_in
from registry.model.problem import Problem, Severity, Span

STATES = ("live", "moved", "gone")
MAX_ID = 2**53 - 1
_KEYS = ("kind", "id", "name", "state", "commit", "prev")
# The line of nearly every entry, taken as it is: reading it as JSON and writing it again takes four times as long.
_PLAIN_TEXT = r"([A-Za-z0-9 /_.+~-]+)"
_PLAIN_LINE = re.compile(
    rf'^{{"kind":"{_PLAIN_TEXT}","id":([1-9][0-9]{{0,14}}),"name":"{_PLAIN_TEXT}","state":"(live|moved|gone)",'
    rf'"commit":(?:null|"{_PLAIN_TEXT}"),"prev":"{_PLAIN_TEXT}"}}\n',
    re.MULTILINE,
)


class LedgerEntry(NamedTuple):
    """One event: the definition `name` of `kind` got its id (or came back), moved, or is gone; `commit` was indexed."""

    kind: str
    id: int
    name: str
    state: str
    commit: str | None
    prev: str

    def line(self) -> str:
        """The entry as its line, without the line end; keys in fixed order."""
        facts = {
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "commit": self.commit,
            "prev": self.prev,
        }
        try:
            return orjson.dumps(facts).decode()
        except TypeError:  # half of a pair of surrogates, in a name that is no UTF-8
            return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Ledger:
    """All events, oldest first; the registry that they belong to; and the SHA-256 of the last line (none: `registry_id`)."""

    entries: tuple[LedgerEntry, ...]
    registry_id: str
    head: str

    @cached_property
    def text(self) -> str:
        """All lines, as the ledger has them."""
        return "".join([f"{entry.line()}\n" for entry in self.entries])

    @cached_property
    def latest(self) -> Mapping[tuple[str, int], LedgerEntry]:
        """The last event of each id."""
        return {(entry.kind, entry.id): entry for entry in self.entries}

    @cached_property
    def next_ids(self) -> Mapping[str, int]:
        """For each kind with an id, the first one that was never given."""
        found: dict[str, int] = {}
        for entry in self.entries:
            found[entry.kind] = max(found.get(entry.kind, 1), entry.id + 1)
        return found

    def next_id(self, kind: str) -> int:
        """The first id of `kind` that was never given."""
        return self.next_ids.get(kind, 1)

    def hash_after(self, lines: int) -> str:
        """The SHA-256 of line number `lines` (from 1); of none: the registry's id."""
        if lines == len(self.entries):
            return self.head
        return self.entries[lines].prev

    def extends(self, mark: "Mark") -> bool:
        """True when every line that `mark` remembers is here, unchanged."""
        return mark.lines <= len(self.entries) and (
            mark.lines == 0 or self.hash_after(mark.lines) == mark.head
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """What was published of a ledger: of which registry, the next id of each kind, how many lines, the hash of the last.

    `where` says in words for people where it was found.
    """

    where: str
    registry_id: str
    next_ids: Mapping[str, int]
    lines: int
    head: str


def mark_of(ledger: Ledger, where: str) -> Mark:
    """The mark that a whole ledger is."""
    return Mark(where, ledger.registry_id, ledger.next_ids, len(ledger.entries), ledger.head)


def append(
    ledger: Ledger, events: Iterable[tuple[str, int, str, str]], commit: str | None
) -> tuple[LedgerEntry, ...]:
    """New entries for events (kind, id, name, state), chained to the ledger's last line."""
    found = []
    prev = ledger.head
    for kind, number, name, state in events:
        entry = LedgerEntry(kind, number, name, state, commit, prev)
        found.append(entry)
        prev = _hash(entry.line())
    return tuple(found)


# A server asks for the same one again and again.
@lru_cache(maxsize=2)
def parse_ledger(data: bytes | None, registry_id: str) -> tuple[Ledger, tuple[Problem, ...]]:
    """The ledger from its bytes (None or empty: there is none yet, and `registry_id` is whose it will be).

    The problem says where its chain is broken, if it is; then the ledger holds what stands before that place.
    """
    text = (data or b"").decode("utf-8", "replace").replace("\r\n", "\n")  # a checkout on Windows
    found = _unbroken(text) if text else None
    if found is not None:
        return found, ()
    entries: list[LedgerEntry] = []
    owner = prev = registry_id
    # Not splitlines, which also splits at characters that can stand inside a line.
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1], 1):
        entry = _parse_entry(line)
        if entry is None:
            leftover = leftover_in(text)
            message = leftover.message if leftover is not None else "this line is no entry of the ledger"
            return Ledger(tuple(entries), owner, prev), (_broken(number, message),)
        if number == 1:
            owner = prev = entry.prev
        if entry.prev != prev:
            return Ledger(tuple(entries), owner, prev), (
                _broken(number, "the line before was changed or is missing"),
            )
        entries.append(entry)
        prev = _hash(line)
    if lines[-1]:
        return Ledger(tuple(entries), owner, prev), (
            _broken(len(lines), "the last line has no end: it may be cut off"),
        )
    return Ledger(tuple(entries), owner, prev), ()


def _unbroken(text: str) -> Ledger | None:
    """The ledger that a text is, all lines at once; None where one is not in the usual form, or where the chain is broken."""
    lines = text.split("\n")
    plain = _PLAIN_LINE.findall(text)
    if lines.pop() or len(plain) != len(lines):  # a line cannot hold two, so each line is one
        return None
    kinds, numbers, names, states, commits, prevs = zip(*plain, strict=True)
    hashes = [_hash(line) for line in lines]
    if list(prevs[1:]) != hashes[:-1]:
        return None
    found = Ledger(
        tuple(
            map(
                LedgerEntry,
                kinds,
                map(int, numbers),
                names,
                states,
                [commit or None for commit in commits],
                prevs,
            )
        ),
        prevs[0],
        hashes[-1],
    )
    found.__dict__["text"] = text  # each line is as its entry would be written
    return found


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()


def _parse_entry(line: str) -> LedgerEntry | None:
    try:
        facts: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or tuple(facts) != _KEYS or facts["state"] not in STATES:
        return None
    if (
        type(facts["id"]) is not int
        or not 0 < facts["id"] <= MAX_ID
        or not (facts["commit"] is None or isinstance(facts["commit"], str))
    ):
        return None
    if not all(isinstance(facts[key], str) for key in ("kind", "name", "prev")):
        return None
    entry = LedgerEntry(**facts)
    # Another spelling of the same facts has another hash: only ours is the ledger's.
    return entry if entry.line() == line else None


def _broken(number: int, message: str) -> Problem:
    return Problem(
        "I020",
        Severity.ERROR,
        Span(LEDGER_PATH, number, 1, number, 2),
        f"the ledger is broken: {message}",
        f"take a good one back: git checkout COMMIT -- {LEDGER_PATH}, or registry index --recover --published ADDRESS",
    )
