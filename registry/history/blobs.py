"""What revisions hold, by blob id: read from git when somebody asks, many at once, and never held all together."""

import os
import re
import tempfile
import threading
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from registry.credentials import hide, hide_in_line
from registry.git import GitError, Repository
from registry.load import yaml
from registry.model.definition import Definition, id_of
from registry.model.redaction import redacted

DocumentData = dict[str, Any]
"""A file's data, credentials hidden; never changed by whoever gets it: parts of it are shared."""

# So many are read at once where it is known which will be asked for next: starting git takes longer than reading them.
_AHEAD = 500
# Those of the first definitions alone: after one edit no others are asked for.
_GROUPS_ALONE = 8
_MOST_HELD = 500
# A file in block style that starts at the first column, where a line that starts with `id:` can only be its id: quoted
# text of several lines is left to the reader.
_IN_BLOCK_STYLE = re.compile(rb"(?:[ \t]*+(?:#[^\n]*+)?\r?\n)*+[A-Za-z_][A-Za-z0-9_-]*:(?=[ \t\r\n])")
# What can make a line at the first column the id, or the line of an id something else.
# (From the end of the line before: a search for one character is ten times as fast as one for a place.)
_TOP = re.compile(rb"\n(?:id[ \t]*:[^\n]*|[\"'?{&!]|---|\.\.\.)")
_COMMENT = re.compile(rb"#[^\n]*")
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_ID = re.compile(rb"\nid:[ \t]+([1-9][0-9]{0,14})[ \t]*(?:#[^\n]*)?\r?\Z")


class _Content(NamedTuple):
    """The data of one revision, credentials hidden; and its bytes, where none had to be."""

    document: DocumentData | None
    raw: bytes


class BlobSpool:
    """File contents kept in a temporary file that every process forked from this one can read: git gives single ones slowly.

    Filled in one process, which tells the others its `index` once all are in. A record is the blob's id and its content.
    """

    def __init__(self) -> None:
        """Empty."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is there as long as we are
        weakref.finalize(self, self._file.close)
        self._number = self._file.fileno()
        self._prefixes, self._starts, self._sizes = array("Q"), array("Q"), array("L")
        self._end = 0
        self.index = BlobSpoolIndex(array("Q"), array("Q"), array("L"))

    def put(self, blob: str, data: bytes) -> None:
        """Add one."""
        size = self._file.write(bytes.fromhex(blob) + data)
        self._prefixes.append(_prefix(blob))
        self._starts.append(self._end)
        self._sizes.append(size)
        self._end += size

    def finish(self) -> "BlobSpoolIndex":
        """Make what was put readable to all; where it is."""
        self._file.flush()
        order = sorted(range(len(self._prefixes)), key=self._prefixes.__getitem__)
        columns = (self._prefixes, self._starts, self._sizes)
        self.index = BlobSpoolIndex(
            *(array(column.typecode, [column[place] for place in order]) for column in columns)
        )
        self._prefixes, self._starts, self._sizes = array("Q"), array("Q"), array("L")
        return self.index

    def get(self, blob: str) -> bytes | None:
        """One, or None where it was not put."""
        name, prefix = bytes.fromhex(blob), _prefix(blob)
        prefixes, starts, sizes = self.index
        number = bisect_left(prefixes, prefix)
        while number < len(prefixes) and prefixes[number] == prefix:
            record = os.pread(self._number, sizes[number], starts[number])
            if record.startswith(name):
                return record[len(name) :]
            number += 1
        return None


class BlobSpoolIndex(NamedTuple):
    """Where contents are, by the first half of their ids' digits, in order; as numbers, for there are hundreds of thousands."""

    prefixes: "array[int]"
    starts: "array[int]"
    sizes: "array[int]"


def _prefix(blob: str) -> int:
    return int(blob[:16], 16)


class BlobReader:
    """The contents of one registry's revisions, from its repository and from the definitions that there are now."""

    def __init__(self) -> None:
        """Empty; `read_from` says where to read."""
        self._repository: Repository | None = None
        self._fields: tuple[tuple[str, ...], ...] = ()
        self._current: dict[str, Definition] = {}
        self._before: dict[str, Definition] = {}
        self._groups: Callable[[], Iterable[Iterable[str]]] = tuple
        self._expected: list[list[str]] = []
        self._place: dict[str, int] = {}
        self._misses = 0
        self._next: Sequence[str] = ()
        self._read: dict[str, bytes] = {}
        self._held: dict[str, _Content] = {}
        self._spool: BlobSpool | None = None
        self._lock = threading.Lock()

    def read_from(self, repository: Repository, fields: Iterable[tuple[str, ...]]) -> None:
        """Where to read; below `fields` credentials are hidden: a revision that was mended since is still shown to everybody."""
        with self._lock:
            if self._fields != (told := tuple(fields)):
                self._held.clear()
            self._repository, self._fields = repository, told

    def take(self, definitions: Iterable[Definition]) -> None:
        """The definitions that there are now, committed or not. Those before stay: they may be being shown."""
        self._before, self._current = self._current, {one.blob: one for one in definitions}

    def read_first_from(self, spool: BlobSpool) -> None:
        """Where contents may be found faster than in git."""
        self._spool = spool

    def add(self, definition: Definition) -> None:
        """One more that there is now."""
        self._current[definition.blob] = definition

    def expect(self, groups: Callable[[], Iterable[Iterable[str]]]) -> None:
        """Group after group they are going to be asked for, each in any order."""
        self._groups, self._expected, self._place, self._misses = groups, [], {}, 0

    def expect_now(self, blobs: Sequence[str]) -> None:
        """What is going to be asked for next, in this order: where one has to be read from git, those after it are read with it."""
        self._next = blobs

    def _note_expected(self) -> None:
        for number, group in enumerate(self._groups()):
            new = [blob for blob in dict.fromkeys(group) if blob not in self._place]
            self._place.update(dict.fromkeys(new, number))
            self._expected.append(new)
        self._groups = tuple

    def get(self, blob: str) -> DocumentData | None:
        """The data of one revision; None where the file cannot be read as a map. Raises GitError where git has it no more."""
        return self._get(blob).document

    def written(self, blob: str) -> str:
        """The text of one revision as it was written; "" where a credential is in it, or what is no map. Raises as `get` does."""
        raw = self._get(blob).raw
        # What the document holds was looked at. In a comment something may be that nobody was told of.
        for line in _COMMENT.findall(raw):
            if _hides(line):
                return ""
        return raw.removeprefix(b"\xef\xbb\xbf").decode()

    def raw(self, blob: str) -> bytes | None:
        """The bytes of one file that was committed; None for one that never was. Without the definitions that there are now."""
        data = self._spool.get(blob) if self._spool is not None else None
        if data is None and self._repository is not None:
            with suppress(GitError):
                found = next(iter(self._repository.read_blobs([blob], at_most=yaml.MAX_BYTES)))[1]
                data = found if isinstance(found, bytes) else None
        return data

    def _get(self, blob: str) -> "_Content":
        if (held := self._held.get(blob)) is not None:
            return held  # most of the time, and without the lock
        with self._lock:
            found = self._held.get(blob)  # another thread may have read it meanwhile
            if found is None:
                found = self._load(blob)
                if len(self._held) >= _MOST_HELD:
                    for old in list(islice(self._held, _MOST_HELD // 2)):
                        del self._held[old]
                self._held[blob] = found
            return found

    def _load(self, blob: str) -> "_Content":
        definition = self._current.get(blob) or self._before.get(blob)
        if definition is not None:
            return self._content(definition.data, definition.raw)
        data = self._spool.get(blob) if self._spool is not None else None
        if data is None:
            if blob not in self._read:
                assert self._repository is not None
                self._misses += 1
                wanted = self._with_expected(blob) if self._misses > _GROUPS_ALONE else self._with_next(blob)
                # What was read ahead and not asked for is of no use any more.
                read = self._repository.read_blobs(islice(wanted, _AHEAD), at_most=yaml.MAX_BYTES)
                # What is larger than any definition can be reads as nothing.
                self._read = {name: found if isinstance(found, bytes) else b"" for name, found in read}
            data = self._read.pop(blob)
        # What an old revision holds that is refused today (`yes`, dates) stays as its text.
        return self._content(yaml.read_data(data), data)

    def _content(self, document: Any, raw: bytes) -> "_Content":
        if not isinstance(document, dict):
            return _Content(None, b"")
        shown = redacted(document, self._fields)
        return _Content(shown, raw if shown is document else b"")

    def _with_next(self, blob: str) -> Iterator[str]:
        """A blob and those that are asked for after it, as far as they have to be read."""
        following = self._next  # once: another thread may announce others meanwhile
        rest = following[following.index(blob) :] if blob in following else ()
        yield from (
            one
            for one in dict.fromkeys((blob, *rest))
            if one == blob or (one not in self._current and one not in self._held)
        )

    def _with_expected(self, blob: str) -> Iterator[str]:
        """A blob, those of its group and of the groups after it, as far as they have to be read."""
        yield blob
        self._note_expected()
        for group in islice(self._expected, self._place.get(blob, len(self._expected)), None):
            yield from (
                one for one in group if one != blob and one not in self._current and one not in self._held
            )


def id_in(data: bytes) -> int | None:
    """The id that a file carries, seen without reading the file where its form is the usual one."""
    if _IN_BLOCK_STYLE.match(data):
        lines = b"\n" + data
        first = _TOP.search(lines)
        if first is None:
            return None
        line = _ID.match(first[0]) if _TOP.search(lines, first.end()) is None else None
        before = lines[: first.start()]
        if line is not None and before.count(b'"') % 2 == 0 and before.count(b"'") % 2 == 0:
            return int(line[1])
    document = yaml.read_data(data)
    return id_of(document) if isinstance(document, dict) else None


# The revisions of one definition have most of their comments in common.
@lru_cache(maxsize=4_096)
def _hides(line: bytes) -> bool:
    """True where part of a comment would be hidden, or looks like what only a machine would write: a mended secret stays unseen."""
    text = line.decode()
    return hide_in_line(text) != text or any(hide("", word) != word for word in _LONG.findall(text))
