"""Results of earlier runs, by content.

The main method is `get_or_compute`: it takes a batch of keys and returns a batch of values. The cache is
optional: without a file, or with an empty one, a build is slower and gives the same bytes.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from registry.cache.cache_file import CacheFile
from registry.cache.spill_file import SpillFile

Value = TypeVar("Value")
# Number of pieces for rows of many small values: reading all is fast, and one change rewrites one piece.
_PIECES = 64


@dataclass(frozen=True, slots=True)
class Table(Generic[Value]):
    """A table of the cache. `encode` and `decode` convert a value to and from plain data (for bytes: bytes).

    `in_pieces` suits many small values that every run needs completely; otherwise each value is a row of
    bytes.
    """

    name: str
    encode: Callable[[Value], Any]
    decode: Callable[[Any], Value]
    in_pieces: bool = True


class BuildCache:
    """The cache of one registry. Without a file, values are kept for this process only."""

    def __init__(self, file: CacheFile | None = None) -> None:
        """`file` keeps values between runs."""
        self.file = file
        self._held: dict[str, dict[str, tuple[str, Any]]] = {}
        self._spill: SpillFile | None = None

    def get_or_compute(
        self,
        table: Table[Value],
        wanted: Mapping[str, str],
        compute_many: Callable[[Sequence[str]], Mapping[str, Value]],
        *,
        version: str = "",
    ) -> dict[str, Value]:
        """Return the value of each key of `wanted` that is stored with its digest.

        The others are computed and stored. `wanted` maps keys to digests of everything that a value depends
        on, except what `version` represents. An empty digest means: compute, and do not store. `compute_many`
        gets the missing keys in order and may omit keys, which are then missing in the result. For a table in
        pieces, `wanted` must name every key that is still in use.
        """
        rows = (
            self._read_pieces(table, version) if table.in_pieces else self._read_rows(table, wanted, version)
        )
        # An empty digest never equals a stored one: values without a digest are not stored.
        known = {key: row[1] for key, digest in wanted.items() if (row := rows.get(key)) and row[0] == digest}
        decode = table.decode if self.file is not None or not table.in_pieces else _as_it_is
        found = {key: decode(data) for key, data in known.items()}
        missing = [key for key in wanted if key not in known]
        if not missing:
            return found
        computed = compute_many(missing)
        found.update(computed)
        new = {key: value for key, value in computed.items() if wanted[key]}
        if new:
            self._store(table, version, rows, wanted, new)
        return found

    def get(self, table: Table[Value], key: str, digest: str, *, version: str = "") -> Value | None:
        """Return the value stored for this key and digest, or None."""
        return self.get_or_compute(table, {key: digest}, lambda _: {}, version=version).get(key)

    def put(self, table: Table[Value], digests: Mapping[str, str], values: Mapping[str, Value]) -> None:
        """Store values, with their digests, in a table that is not in pieces."""
        self._store(table, "", {}, digests, values)

    def keys(self, table: Table[Any]) -> list[str]:
        """Return the keys of a table that is not in pieces, most recently stored first."""
        if self.file is not None:
            return self.file.keys(table.name)
        return [*reversed(self._held.get(table.name, {}))]

    def forget(self, table: Table[Any], keys: Iterable[str]) -> None:
        """Remove values from a table that is not in pieces."""
        if self.file is not None:
            self.file.keep({}, {table.name: keys})
            return
        for key in keys:
            self._held.get(table.name, {}).pop(key, None)

    # Storage

    def _read_pieces(self, table: Table[Any], version: str) -> Mapping[str, tuple[str, Any]]:
        if self.file is None:
            return self._held.get(f"{table.name} {version}", {})
        rows: dict[str, tuple[str, Any]] = {}
        for stored_version, keys, digests, values in map(orjson.loads, self.file.all_of(table.name).values()):
            if stored_version == version:
                rows.update(zip(keys, zip(digests, values, strict=True), strict=True))
        return rows

    def _read_rows(
        self, table: Table[Any], wanted: Mapping[str, str], version: str
    ) -> Mapping[str, tuple[str, Any]]:
        if self.file is None:
            held = self._held.get(table.name, {})
            rows = {key: held[key] for key in wanted if key in held}
            return {key: (digest, spill.get(place)) for key, (digest, (spill, place)) in rows.items()}
        return {key: _split(value, version) for key, value in self.file.get_many(table.name, [*wanted])}

    def _store(
        self,
        table: Table[Value],
        version: str,
        rows: Mapping[str, tuple[str, Any]],
        wanted: Mapping[str, str],
        new: Mapping[str, Value],
    ) -> None:
        if self.file is None:
            self._hold(table, version, wanted, new)
        elif table.in_pieces:
            pieces = {_piece_of(key) for key in new}
            self.file.keep({table.name: _packed(table, version, pieces, rows, wanted, new)})
        else:
            encoded = (
                (key, _joined(wanted[key], version, table.encode(value))) for key, value in new.items()
            )
            # A generator: only one encoded value is in memory at a time, since documents can be large.
            self.file.keep({table.name: encoded})

    def _hold(
        self, table: Table[Value], version: str, wanted: Mapping[str, str], new: Mapping[str, Value]
    ) -> None:
        if table.in_pieces:
            name = f"{table.name} {version}"
            # Values of another version are never read again, and a server runs for months.
            for other in [one for one in self._held if one.startswith(f"{table.name} ") and one != name]:
                del self._held[other]
            held = self._held.setdefault(name, {})
            held.update({key: (wanted[key], value) for key, value in new.items()})
            return
        rows = self._held.setdefault(table.name, {})
        # After a fork the child starts a file of its own, because both processes share the offset of the old
        # one. Rows name their spill file, so rows in the old file stay readable.
        if self._spill is None or not self._spill.is_ours:
            self._spill = SpillFile()
        for key, value in new.items():
            rows.pop(key, None)  # most recently stored last
            rows[key] = (wanted[key], (self._spill, self._spill.put(table.encode(value))))


def _as_it_is(value: Any) -> Any:
    return value


def _piece_of(key: str) -> int:
    # Not `hash`: the piece of a key must be the same in every process.
    return zlib.crc32(key.encode("utf-8", "surrogateescape")) % _PIECES


def _packed(
    table: Table[Value],
    version: str,
    pieces: set[int],
    rows: Mapping[str, tuple[str, Any]],
    wanted: Mapping[str, str],
    new: Mapping[str, Value],
) -> Iterator[tuple[str, bytes]]:
    """Return the changed pieces in columns, without rows whose digest is no longer wanted."""
    columns: dict[int, tuple[list[str], list[str], list[Any]]] = {piece: ([], [], []) for piece in pieces}
    for key, digest in wanted.items():
        place = columns.get(_piece_of(key))
        if place is None:
            continue
        row = rows.get(key)
        if key in new:
            data = table.encode(new[key])
        elif row is not None and row[0] == digest:
            data = row[1]
        else:
            continue
        for column, value in zip(place, (key, digest, data), strict=True):
            column.append(value)
    for piece, (keys, digests, values) in columns.items():
        yield str(piece), orjson.dumps([version, keys, digests, values])


def _joined(digest: str, version: str, data: bytes) -> bytes:
    return f"{version} {digest}\n".encode() + data


def _split(value: bytes, version: str) -> tuple[str, bytes]:
    head, _, data = value.partition(b"\n")
    stored_version, _, digest = head.decode().rpartition(" ")
    return (digest if stored_version == version else "", data)
