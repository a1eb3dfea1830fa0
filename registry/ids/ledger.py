"""The ledger: an append-only file of JSON lines, one for each event in the life of an id.

`prev` of each line is the SHA-256 of the previous line; `prev` of the first line is the registry's id. A
changed or lost line therefore breaks the chain. A `Mark` is a record of the ledger that is stored outside the
branch.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import orjson

from registry.ids.segments import (
    OpenSegment,
    append_lines,
    file_and_line,
    line_hash,
    sealed_paths,
    segment_path,
    split_open,
    unfinished,
)
from registry.model.definition import LEDGER_FOLDER, LEDGER_PATH
from registry.model.git_leftovers import leftover_in
from registry.model.ledger_files import LedgerFiles
from registry.model.persistent import extended, persistent_sequence, persistent_table, updated
from registry.model.problem import Problem, Severity, Span

STATES = ("live", "moved", "gone")
# The largest integer that JavaScript clients read exactly.
MAX_ID = 2**53 - 1
_KEYS = ("kind", "id", "name", "state", "commit", "prev")
# Fast path for the usual form of a line: parsing JSON and serializing it again takes four times as long.
_PLAIN_TEXT = r"([A-Za-z0-9 /_.+~-]+)"
_PLAIN_LINE = re.compile(
    rf'^{{"kind":"{_PLAIN_TEXT}","id":([1-9][0-9]{{0,14}}),"name":"{_PLAIN_TEXT}","state":"(live|moved|gone)",'
    rf'"commit":(?:null|"{_PLAIN_TEXT}"),"prev":"{_PLAIN_TEXT}"}}\n',
    re.MULTILINE,
)


class LedgerEntry(NamedTuple):
    """One event: the definition `name` of `kind` got or regained its id, was renamed, or was deleted.

    `state` is "live", "moved" or "gone". `commit` is the indexed commit.
    """

    kind: str
    id: int
    name: str
    state: str
    commit: str | None
    prev: str

    def line(self) -> str:
        """Return the entry as a line without line end, keys in fixed order."""
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
        except TypeError:  # a lone surrogate, in a name that is not UTF-8
            return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """The SHA-256 of the line, which is `prev` of the next one."""
        return _hash(self.line())


@dataclass(frozen=True)
class Ledger:
    """All events, oldest first. `head` is the SHA-256 of the last line, or `registry_id` if there is none.

    `sealed` is the number of lines of each sealed segment.
    """

    entries: Sequence[LedgerEntry]
    registry_id: str
    head: str
    sealed: tuple[int, ...] = ()

    @cached_property
    def text(self) -> str:
        """All lines, without regard to segments: what is published."""
        return "".join([f"{entry.line()}\n" for entry in self.entries])

    @cached_property
    def latest(self) -> Mapping[tuple[str, int], LedgerEntry]:
        """The last event of each id, by (kind, id)."""
        return {(entry.kind, entry.id): entry for entry in self.entries}

    @cached_property
    def last_lines(self) -> Mapping[tuple[str, int], int]:
        """The number of the last line (from 1) of each id, by (kind, id)."""
        return {(entry.kind, entry.id): number for number, entry in enumerate(self.entries, 1)}

    @cached_property
    def next_ids(self) -> Mapping[str, int]:
        """The next free id of each kind that has ids."""
        found: dict[str, int] = {}
        for entry in self.entries:
            found[entry.kind] = max(found.get(entry.kind, 1), entry.id + 1)
        return found

    def next_id(self, kind: str) -> int:
        """Return the next free id of `kind`."""
        return self.next_ids.get(kind, 1)

    def persistent(self) -> "Ledger":
        """Return the same ledger with persistent tables: `continued` copies nothing."""
        found = replace(self, entries=persistent_sequence(self.entries))
        # Fills the cached properties. A frozen dataclass forbids assignment, but `cached_property` reads
        # `__dict__`.
        found.__dict__.update(latest=persistent_table(self.latest), next_ids=self.next_ids)
        return found

    def continued(self, entries: Sequence[LedgerEntry]) -> "Ledger":
        """Return the ledger with more entries at its end."""
        if not entries:
            return self
        # `replace` does not copy cached properties, so those of the old ledger cannot leak into the new one.
        # The two that each write needs are carried on; the others would be computed from all lines.
        after = replace(self, entries=extended(self.entries, entries), head=entries[-1].hash)
        after.__dict__["latest"] = updated(self.latest, {(one.kind, one.id): one for one in entries})
        next_ids = dict(self.next_ids)
        for one in entries:
            next_ids[one.kind] = max(next_ids.get(one.kind, 1), one.id + 1)
        after.__dict__["next_ids"] = next_ids
        return after

    def hash_after(self, lines: int) -> str:
        """Return the SHA-256 of line number `lines` (from 1), or the registry's id for 0."""
        if lines == len(self.entries):
            return self.head
        # `prev` of the next line has this hash already; computing it would serialize the entry.
        return self.entries[lines].prev

    def place_of(self, line: int) -> tuple[str, int]:
        """Return path and line number in the file of line number `line` (from 1)."""
        return file_and_line(line, self.sealed)

    def extends(self, mark: "Mark") -> bool:
        """Return True when every line recorded by `mark` is present and unchanged."""
        return mark.lines <= len(self.entries) and (
            mark.lines == 0 or self.hash_after(mark.lines) == mark.head
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """A published state of a ledger.

    `lines` and `head` are the number of its lines and the SHA-256 of the last one. `where` describes its
    location for messages.
    """

    where: str
    registry_id: str
    next_ids: Mapping[str, int]
    lines: int
    head: str


def mark_of(ledger: Ledger, where: str) -> Mark:
    """Return the mark of a whole ledger."""
    return Mark(where, ledger.registry_id, ledger.next_ids, len(ledger.entries), ledger.head)


def append(
    ledger: Ledger, events: Iterable[tuple[str, int, str, str]], commit: str | None
) -> tuple[LedgerEntry, ...]:
    """Return new entries for events (kind, id, name, state), chained to the ledger's last line."""
    return chain(ledger.head, events, commit)


def chain(
    head: str, events: Iterable[tuple[str, int, str, str]], commit: str | None
) -> tuple[LedgerEntry, ...]:
    """As `append`, when only the hash of the last line is at hand (or the registry's id without a line)."""
    found = []
    for kind, number, name, state in events:
        # Each line has the hash of the one before it, so entries must be made in order.
        found.append(LedgerEntry(kind, number, name, state, commit, head))
        head = found[-1].hash
    return tuple(found)


def encode(entries: Iterable[LedgerEntry]) -> bytes:
    """Return the lines of entries."""
    return "".join([f"{entry.line()}\n" for entry in entries]).encode()


def append_entries(open_segment: bytes, entries: Sequence[LedgerEntry]) -> dict[str, bytes]:
    """Return the files to write, by path, to append entries to a ledger with this open segment.

    These are the open segment and those that are sealed now. No other file of the ledger is needed. Raises
    ValueError when the entries do not follow the open segment's last line.
    """
    _, head, lines = split_open(open_segment)
    # An open segment that was only just started has no line of its own; its first line names the hash then.
    if lines:
        head = line_hash(lines.rstrip(b"\r\n").rpartition(b"\n")[2])
    if head and entries and entries[0].prev != head:
        raise ValueError(f"an entry that follows {entries[0].prev} cannot be appended to {head}")
    return append_lines(open_segment, encode(entries))


def parse_ledger(data: bytes | None, registry_id: str) -> tuple[Ledger, tuple[Problem, ...]]:
    """Parse the lines of a whole ledger, as a site publishes them.

    `data` is None or empty when there is none yet; it then belongs to `registry_id`. Returns the ledger and
    the problems. A broken chain gives one I020 problem, and the ledger then contains the entries before the
    broken line.
    """
    return _parse_lines(data or b"", registry_id, ())


def parse_ledger_files(files: LedgerFiles, registry_id: str) -> tuple[Ledger, tuple[Problem, ...]]:
    """Parse the files of a ledger, as `parse_ledger`. Each line is located in its file.

    A segment that is missing, or that the open one does not continue, is a problem, too. Only a repetition of
    the open segment's first lines is accepted: an interrupted run leaves it behind.
    """
    texts: list[bytes] = []
    broken: Problem | None = None
    for path in sealed_paths(files):
        data = files.sealed.get(path)
        if not data:
            broken = _broken(path, 1, "this segment is missing" if data is None else "this segment is empty")
            break
        texts.append(data)
        # Joining more segments to a line without its end would merge two lines into one.
        if not data.endswith(b"\n"):
            break  # reported as an incomplete line
    # An incomplete last line counts as well: its problem must point into this file.
    sealed = tuple(data.count(b"\n") + (not data.endswith(b"\n")) for data in texts)
    opened = split_open(files.open)
    if broken is None and len(texts) == opened.sealed and all(data.endswith(b"\n") for data in texts):
        ledger, problems = _parse_lines(b"".join((*texts, opened.lines)), registry_id, sealed)
        return ledger, problems or tuple(_seams(files, opened, ledger))
    ledger, problems = _parse_lines(b"".join(texts), registry_id, sealed)
    return ledger, problems or ((broken,) if broken is not None else ())


def _seams(files: LedgerFiles, opened: OpenSegment, ledger: Ledger) -> Iterator[Problem]:
    """Find what the chain of lines does not show: a wrong first line, and files outside of the chain."""
    if opened.sealed and ledger.hash_after(sum(ledger.sealed)) != opened.prev:
        yield _broken(LEDGER_PATH, 1, "`prev` is not the hash of the last sealed line")
        return
    more = unfinished(files)
    repeated = [files.sealed[path] for path in more]
    if (
        more != [segment_path(opened.sealed + number) for number in range(1, len(more) + 1)]
        or not all(data.endswith(b"\n") for data in repeated)
        or not opened.lines.startswith(b"".join(repeated))
    ):
        yield _broken(more[0], 1, f"{LEDGER_PATH} does not continue this segment")


# A server parses the same ledger repeatedly.
@lru_cache(maxsize=2)
def _parse_lines(
    data: bytes, registry_id: str, sealed: tuple[int, ...]
) -> tuple[Ledger, tuple[Problem, ...]]:
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")  # checked out on Windows
    found = _unbroken(text, sealed) if text else None
    if found is not None:
        return found, ()

    def broken(number: int, message: str) -> tuple[Ledger, tuple[Problem, ...]]:
        place = file_and_line(number, sealed)
        return Ledger(tuple(entries), owner, prev, sealed), (_broken(*place, message),)

    entries: list[LedgerEntry] = []
    owner = prev = registry_id
    # splitlines would also split at characters that are valid inside a line.
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1], 1):
        entry = _parse_entry(line)
        if entry is None:
            leftover = leftover_in(text)
            return broken(
                number, leftover.message if leftover is not None else "this line is not a ledger entry"
            )
        # The first line defines to which registry the ledger belongs. Callers compare it with the settings.
        if number == 1:
            owner = prev = entry.prev
        if entry.prev != prev:
            return broken(number, "the previous line was changed or is missing")
        entries.append(entry)
        prev = _hash(line)
    if lines[-1]:
        return broken(len(lines), "the last line is incomplete")
    return Ledger(tuple(entries), owner, prev, sealed), ()


def find_entries(data: bytes, kind: str, number: int) -> list[LedgerEntry]:
    """Return the events of one id, oldest first, from the content of a ledger.

    Nothing else is parsed and the chain is not verified: this takes milliseconds for 100,000 lines.
    """
    # Only the canonical form is valid, so kind and id are always the first bytes of a line, in this spelling.
    wanted = orjson.dumps({"kind": kind, "id": number})[:-1] + b","
    entries = []
    start = data.find(wanted)
    while start >= 0:
        end = data.find(b"\n", start)
        line = data[start:end] if end >= 0 else data[start:]
        entry = _parse_entry(line.removesuffix(b"\r").decode("utf-8", "replace"))
        if entry is not None:
            entries.append(entry)
        start = data.find(wanted, start + len(wanted))
    return entries


def owner_of(data: bytes) -> str | None:
    """Return the id of the registry to which a ledger belongs; None if it has no valid first line."""
    entry = _parse_entry(data.partition(b"\n")[0].removesuffix(b"\r").decode("utf-8", "replace"))
    return entry.prev if entry is not None else None


def _unbroken(text: str, sealed: tuple[int, ...]) -> Ledger | None:
    """Parse all lines at once. Returns None when a line has an unusual form or the chain is broken."""
    lines = text.split("\n")
    plain = _PLAIN_LINE.findall(text)
    if lines.pop() or len(plain) != len(lines):  # a line cannot match twice, so every line matches
        return None
    kinds, numbers, names, states, commits, prevs = zip(*plain, strict=True)
    hashes = [_hash(line) for line in lines]
    # `prev` of the first line is not checked: it is the registry's id.
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
        sealed,
    )
    found.__dict__["text"] = text  # identical to what the entries would be serialized to
    return found


def _hash(line: str) -> str:
    return line_hash(line.encode("utf-8", "surrogatepass"))


def _parse_entry(line: str) -> LedgerEntry | None:
    try:
        facts: Any = json.loads(line)
    # Deep nesting raises RecursionError instead of ValueError.
    except (ValueError, RecursionError):
        return None
    if not isinstance(facts, dict) or tuple(facts) != _KEYS or facts["state"] not in STATES:
        return None
    if (
        # `isinstance` would accept true and false, which are integers in Python.
        type(facts["id"]) is not int
        or not 0 < facts["id"] <= MAX_ID
        or not (facts["commit"] is None or isinstance(facts["commit"], str))
    ):
        return None
    if not all(isinstance(facts[key], str) for key in ("kind", "name", "prev")):
        return None
    entry = LedgerEntry(**facts)
    # The same facts in another spelling have another hash, so only the canonical form is valid.
    return entry if entry.line() == line else None


def _broken(path: str, line: int, message: str) -> Problem:
    files = LEDGER_PATH if path == LEDGER_PATH else f"{LEDGER_PATH} {LEDGER_FOLDER}"
    return Problem(
        "I020",
        Severity.ERROR,
        Span(path, line, 1, line, 2),
        f"the ledger is broken: {message}",
        f"restore a valid ledger: git checkout COMMIT -- {files}, or registry index --recover "
        "--published URL",
    )
