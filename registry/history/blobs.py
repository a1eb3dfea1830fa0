"""Contents of revisions by blob id, read from git on demand and in batches, and never all held in memory."""

import re
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from registry.cache.spill_file import SpillFile, SpillRange
from registry.credentials import SecretFields, hide, hide_in_line
from registry.git import Oversize, Repository
from registry.load import yaml
from registry.model.definition import Definition, id_of
from registry.model.persistent import persistent_table, updated
from registry.model.redaction import redacted

DocumentData = dict[str, Any]
"""A file's data with credentials hidden. Callers must not change it, because parts are shared."""

# Enough for a page of changes; with definitions of at most 256 KiB it also bounds the memory.
_MOST_HELD = 500
# A file in block style starting at the first column, where a line that starts with `id:` can only be its id.
# Quoted multi-line text is left to the reader.
_IN_BLOCK_STYLE = re.compile(rb"(?:[ \t]*+(?:#[^\n]*+)?\r?\n)*+[A-Za-z_][A-Za-z0-9_-]*:(?=[ \t\r\n])")
# Constructs that can turn a line at the first column into the id, or change the meaning of the id's line.
# Matched from the end of the previous line: searching for a character is ten times as fast as for a position.
_TOP = re.compile(rb"\n(?:id[ \t]*:[^\n]*|[\"'?{&!]|---|\.\.\.)")
_COMMENT = re.compile(rb"#[^\n]*")
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_ID = re.compile(rb"\nid:[ \t]+([1-9][0-9]{0,14})[ \t]*(?:#[^\n]*)?\r?\Z")


class _Content(NamedTuple):
    """The data of one revision with credentials hidden, and its bytes if nothing was hidden."""

    document: DocumentData | None
    raw: bytes


class BlobSpool:
    """File contents in a temporary file shared with forked processes: git is slow at single blobs.

    One process fills it and sends its `index` to the others at the end. A record is the blob's id and its
    content.
    """

    def __init__(self) -> None:
        """Create an empty spool."""
        self._file = SpillFile()
        self._prefixes, self._starts, self._sizes = array("Q"), array("Q"), array("L")
        self.index = BlobSpoolIndex(array("Q"), array("Q"), array("L"))

    def put(self, blob: str, data: bytes) -> None:
        """Add one content."""
        start, end = self._file.put(bytes.fromhex(blob) + data)
        self._prefixes.append(_prefix(blob))
        self._starts.append(start)
        self._sizes.append(end - start)

    def finish(self) -> "BlobSpoolIndex":
        """Make all contents readable for other processes; returns their index."""
        self._file.flush()
        # Sorted once at the end, because a sorted insertion would move all later entries each time.
        order = sorted(range(len(self._prefixes)), key=self._prefixes.__getitem__)
        columns = (self._prefixes, self._starts, self._sizes)
        self.index = BlobSpoolIndex(
            *(array(column.typecode, [column[place] for place in order]) for column in columns)
        )
        self._prefixes, self._starts, self._sizes = array("Q"), array("Q"), array("L")
        return self.index

    def take_over(self, index: "BlobSpoolIndex") -> None:
        """Use the contents that another process added and finished."""
        self.index = index
        self._file.believe(
            max((start + size for start, size in zip(index.starts, index.sizes, strict=True)), default=0)
        )

    def get(self, blob: str) -> bytes | None:
        """Return one content, or None if it was not added."""
        name, prefix = bytes.fromhex(blob), _prefix(blob)
        prefixes, starts, sizes = self.index
        number = bisect_left(prefixes, prefix)
        while number < len(prefixes) and prefixes[number] == prefix:
            record = self._file.get(SpillRange(starts[number], starts[number] + sizes[number]))
            # The index has only half of an id, so the record itself decides.
            if record.startswith(name):
                return record[len(name) :]
            number += 1
        return None


class BlobSpoolIndex(NamedTuple):
    """Positions of contents by the first half of their ids, sorted.

    Stored as numbers, since there are hundreds of thousands.
    """

    prefixes: "array[int]"
    starts: "array[int]"
    sizes: "array[int]"


def _prefix(blob: str) -> int:
    return int(blob[:16], 16)


class BlobReader:
    """The contents of a registry's revisions, from the current definitions, the spool or git.

    Each target of the site names the blobs it needs, and the caller prefetches them in batches: starting git
    takes longer than reading hundreds of contents. Other blobs are read one at a time. Thread-safe.
    """

    def __init__(self, repository: Repository | None, secret_fields: SecretFields) -> None:
        """Hide credentials in `secret_fields`: a revision whose secret was removed is still public."""
        self._repository = repository
        self._fields = secret_fields
        self._current: Mapping[str, Definition] = {}
        self._spool: BlobSpool | None = None
        self._read: dict[str, bytes] = {}
        self._held: dict[str, _Content] = {}
        self._lock = threading.Lock()

    def take(self, definitions: Iterable[Definition]) -> None:
        """Add the contents of the current definitions, committed or not."""
        self._current = {one.blob: one for one in definitions}

    def read_first_from(self, spool: BlobSpool) -> None:
        """Use a spool, which is faster than git."""
        self._spool = spool

    def with_changes(self, replaced: Iterable[str], added: Iterable[Definition]) -> "BlobReader":
        """Return a reader without the `replaced` blobs among the current definitions, and with added ones.

        Contents already read are shared.
        """
        current = updated(self._current, {**dict.fromkeys(replaced), **{one.blob: one for one in added}})
        return self._with_current(current)

    def persistent(self) -> "BlobReader":
        """Return a reader of the same contents with a persistent table: `with_changes` copies nothing."""
        return self._with_current(persistent_table(self._current))

    def _with_current(self, current: Mapping[str, Definition]) -> "BlobReader":
        reader = BlobReader(self._repository, self._fields)
        reader._spool, reader._held, reader._lock = self._spool, self._held, self._lock
        reader._current = current
        return reader

    def prefetch(self, blobs: Iterable[str]) -> None:
        """Read the blobs for later `get` calls. Raises GitError for a blob that git does not have."""
        with self._lock:
            self._prefetch(blobs)

    def _prefetch(self, blobs: Iterable[str]) -> None:
        if self._spool is not None or self._repository is None:
            return
        known = (self._current, self._held, self._read)
        wanted = [one for one in dict.fromkeys(blobs) if not any(one in some for some in known)]
        if not wanted:
            return
        if len(self._read) > _MOST_HELD:
            self._read.clear()  # prefetched by other callers and not used
        read = self._repository.read_blobs(wanted, at_most=yaml.MAX_BYTES)
        self._read.update((name, _small(data)) for name, data in read)

    def get(self, blob: str) -> DocumentData | None:
        """Return the data of one revision; None if the file is not a map.

        Raises GitError if git no longer has the blob.
        """
        return self._get(blob).document

    def written(self, blob: str) -> str:
        """Return the original text of one revision; "" if it contains a credential or is not a map.

        Raises GitError if git no longer has the blob.
        """
        raw = self._get(blob).raw
        # The values were checked, but a comment may contain a credential that no rule covers.
        for line in _COMMENT.findall(raw):
            if _hides(line):
                return ""
        return raw.removeprefix(b"\xef\xbb\xbf").decode()

    def _get(self, blob: str) -> "_Content":
        if (held := self._held.get(blob)) is not None:
            return held  # the usual case, without the lock
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
        definition = self._current.get(blob)
        if definition is not None:
            return self._content(definition.data, definition.raw)
        data = self._spool.get(blob) if self._spool is not None else self._read.pop(blob, None)
        if data is None:
            assert self._repository is not None
            data = _small(next(self._repository.read_blobs([blob], at_most=yaml.MAX_BYTES))[1])
        # Scalars of old revisions that are refused today (`yes`, dates) stay as text.
        return self._content(yaml.read_data(data), data)

    def _content(self, document: Any, raw: bytes) -> "_Content":
        if not isinstance(document, dict):
            return _Content(None, b"")
        shown = redacted(document, self._fields)
        return _Content(shown, raw if shown is document else b"")


def _small(data: bytes | Oversize) -> bytes:
    """Replace content larger than any definition with an empty one."""
    return data if isinstance(data, bytes) else b""


def id_in(data: bytes) -> int | None:
    """Return the id in a file, without parsing it if it is in the usual form."""
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


# Cached, because the revisions of one definition share most comments.
@lru_cache(maxsize=4_096)
def _hides(line: bytes) -> bool:
    """True when a comment contains a credential or generated text: a secret that was removed stays hidden."""
    text = line.decode()
    return hide_in_line(text) != text or any(hide("", word) != word for word in _LONG.findall(text))
