"""Renders all definitions as tables: SQLite for queries and Datasette, Parquet for analysis. Pure: no I/O.

Only a build has these files. Making them takes seconds for ten thousand definitions, which a live server
would take after each change, and no page links to them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from registry.cache.build_cache import Table
from registry.cache.cache_file import program_digest
from registry.model import addresses
from registry.render.target import File, Target, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.snapshot import Snapshot

_DATABASES: Table[bytes] = Table("tables", bytes, bytes, in_pieces=False)
"""The database of the last build. The next one writes the rows that differ."""
_PATHS = {
    "sqlite": (addresses.SQLITE_TABLES, addresses.DATASETTE_METADATA),
    "parquet": (addresses.PARQUET_TABLES,),
}


def render(snapshot: Snapshot, *, live: bool = False) -> Iterator[Target]:
    """Yield the files of the setting `tables` together, because one is made from another."""
    paths = tuple(path for name in snapshot.settings.tables for path in _PATHS[name])
    if paths and not live:
        yield Target("tables", _fingerprint(snapshot), paths, partial(_files, snapshot), is_long=True)


def target_at(_snapshot: Snapshot, _path: str) -> Target | None:
    """Return None: a live server has none of the files."""
    return None


def _fingerprint(snapshot: Snapshot) -> str:
    return digest_of(
        snapshot.common_fingerprint,
        [snapshot.commit, snapshot.commit_time, snapshot.is_dirty, snapshot.ledger.head],
        snapshot.fingerprints_by_kind,
        [snapshot.fingerprint_of_tombstone(one) for one in snapshot.tombstones],
    )


def _files(snapshot: Snapshot) -> Iterator[File]:
    # Late: other sites need none of these libraries.
    from registry.exchange.sql.sqlite_file import sqlite_tables

    key = addresses.SQLITE_TABLES
    earlier = snapshot.cache.get(_DATABASES, key, program_digest())
    with sqlite_tables(snapshot, earlier) as tables:
        data = tables.serialize()
        snapshot.cache.put(_DATABASES, {key: program_digest()}, {key: data})
        if "sqlite" in snapshot.settings.tables:
            from registry.exchange.sql.datasette import datasette_metadata

            yield File(addresses.SQLITE_TABLES, data)
            metadata = datasette_metadata(snapshot.settings, key.partition(".")[0])
            yield File(addresses.DATASETTE_METADATA, metadata.encode())
        if "parquet" in snapshot.settings.tables:
            from registry.exchange.sql.parquet import parquet_file

            yield File(addresses.PARQUET_TABLES, parquet_file(tables))
