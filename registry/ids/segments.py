"""How the ledger's lines are spread over files. Pure.

New lines go into the open segment, `ledger.jsonl`. When it would have more than `SEGMENT_LINES` lines, its
oldest ones are sealed as `ledger/<number>.jsonl`, and the open segment then starts with a line that names the
last sealed one and the hash of its last line. Sealed files never change, so an append costs the same however
long the ledger is. The `continues` line is not part of the chain; a program from before there were segments
takes it for a broken line and stops.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson

from registry.model.definition import DEFINITIONS_FOLDER, LEDGER_FOLDER, LEDGER_PATH
from registry.model.ledger_files import SEGMENT_SUFFIX, LedgerFiles

# About 28 KB: git compresses that in a millisecond or two for each write (docs/decisions, 19).
SEGMENT_LINES = 128
"""Lines of a sealed segment, and the most of the open one. Segments of other lengths are read as well."""
_CONTINUES = re.compile(rb'\{"continues":"ledger/([0-9]{6,9})\.jsonl","prev":"([0-9a-f]{64})"\}\r?\n')


class OpenSegment(NamedTuple):
    """An open segment in parts.

    `sealed` is the number of sealed segments before it, `prev` the hash of their last line ("" without any),
    and `lines` the lines of the chain.
    """

    sealed: int
    prev: str
    lines: bytes


def segment_path(number: int) -> str:
    """Return the path of a sealed segment. Six digits keep names in order up to 128 million lines."""
    return f"{LEDGER_FOLDER}/{number:06}{SEGMENT_SUFFIX}"


def line_hash(line: bytes) -> str:
    """Return the hash of a line, without its line end: the `prev` of the next line."""
    return hashlib.sha256(line.rstrip(b"\r\n")).hexdigest()


def split_open(data: bytes) -> OpenSegment:
    """Separate the first line that names the last sealed segment from the lines of the chain.

    A first line in any other form counts as a line of the chain, where it is a broken one.
    """
    found = _CONTINUES.match(data)
    sealed = int(found[1]) if found is not None else 0
    # Exactly six digits up to 999,999: a second spelling of the same number would be a second valid layout.
    if found is None or sealed == 0 or found[1] != b"%06d" % sealed:
        return OpenSegment(0, "", data)
    return OpenSegment(sealed, found[2].decode(), data[found.end() :])


def sealed_paths(files: LedgerFiles) -> Iterator[str]:
    """Yield the paths of the sealed segments that the open one continues, up to the first missing one."""
    for number in range(1, split_open(files.open).sealed + 1):
        yield segment_path(number)
        # Stop after the missing path. A hostile first line can name a segment number of nine digits.
        if segment_path(number) not in files.sealed:
            return


def unfinished(files: LedgerFiles) -> list[str]:
    """Return segment files that the open segment does not continue."""
    return sorted(files.sealed.keys() - set(sealed_paths(files)))


def all_lines(files: LedgerFiles) -> bytes:
    """Return the lines of all segments in order, without a check: what a site publishes as one file."""
    sealed = (files.sealed.get(path, b"") for path in sealed_paths(files))
    return b"".join((*sealed, split_open(files.open).lines))


def file_and_line(line: int, sealed: Sequence[int]) -> tuple[str, int]:
    """Return path and line number in the file of a line of the ledger, from 1.

    `sealed` has the number of lines of each sealed segment.
    """
    for number, count in enumerate(sealed, 1):
        if line <= count:
            return segment_path(number), line
        line -= count
    # With sealed segments, the `continues` line takes line 1 of the open segment.
    return LEDGER_PATH, line + bool(sealed)


def append_lines(open_segment: bytes, lines: bytes) -> dict[str, bytes]:
    """Return the files to write, by path, to append whole `lines` to a ledger with this open segment.

    These are segments that are sealed now, in order, then the open segment; nothing without lines. Needs no
    other segment, so the cost depends on the two arguments only.
    """
    if not lines:
        return {}
    sealed, prev, known = split_open(open_segment)
    every = (known + lines).splitlines(keepends=True)
    files: dict[str, bytes] = {}
    start = 0
    # Only a line beyond the limit seals: the open segment always keeps a line after an append.
    while len(every) - start > SEGMENT_LINES:
        sealed += 1
        piece = every[start : start + SEGMENT_LINES]
        files[segment_path(sealed)] = b"".join(piece)
        prev = line_hash(piece[-1])
        start += SEGMENT_LINES
    files[LEDGER_PATH] = (_continues(sealed, prev) if sealed else b"") + b"".join(every[start:])
    return files


def plan_append(files: LedgerFiles, lines: bytes) -> dict[str, bytes | None]:
    """As `append_lines`; None for files to remove, which an interrupted run left behind."""
    planned = append_lines(files.open, lines)
    # Removals come first: a planned segment may have the path of a left one, and then its content counts.
    return {**dict.fromkeys(unfinished(files) if planned else ()), **planned}


def plan_rewrite(files: LedgerFiles, lines: bytes) -> dict[str, bytes | None]:
    """Return the files to write, or to remove (None), so that the ledger has exactly these lines."""
    wanted = append_lines(b"", lines)
    there = {**files.sealed, LEDGER_PATH: files.open}
    changed = {path: data for path, data in wanted.items() if there.get(path) != data}
    return {**dict.fromkeys(sorted(files.sealed.keys() - wanted.keys())), **changed}


def in_safe_order(open_segment: bytes, planned: dict[str, bytes | None]) -> list[tuple[str, bytes | None]]:
    """Return the writes of `plan_append` in an order in which every prefix leaves a ledger without a loss.

    Work trees have no transaction. First the open segment takes all lines, then segments are sealed, which
    the open one repeats until it is written again without them.
    """
    sealed = [(path, data) for path, data in planned.items() if path != LEDGER_PATH]
    new = [data for _, data in sealed if data is not None]
    last = planned.get(LEDGER_PATH)
    if last is None or not new:
        return list(planned.items())
    known = split_open(open_segment)
    # The first write keeps the old `continues` line, because the new segments do not exist yet.
    head = _continues(known.sealed, known.prev) if known.sealed else b""
    everything = head + b"".join(new) + split_open(last).lines
    return [(LEDGER_PATH, everything), *sealed, (LEDGER_PATH, last)]


def _continues(sealed: int, prev: str) -> bytes:
    name = segment_path(sealed).removeprefix(f"{DEFINITIONS_FOLDER}/")
    return orjson.dumps({"continues": name, "prev": prev}) + b"\n"
