"""The tables of a snapshot as one SQLite file with full-text search, made in memory.

Two files of one snapshot have equal rows, but not equal bytes: SQLite writes its version into them, and a
file that was made from an earlier one has other pages.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from registry.exchange.sql import create_state, update_tables
from registry.exchange.sql.database import use_whole_transactions
from registry.exchange.sql.tables import DEFINITIONS, METADATA
from registry.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.snapshot import Snapshot

SEARCH_TABLE = "definition_fts"
"""The table for full-text search (FTS5) in definitions. Its rows have the `rowid` of these."""
_SEARCHED = ("name", "title", "description", "executable", "document")
_NAMES = ", ".join(_SEARCHED)
_OLD, _NEW = (", ".join(f"{row}.{name}" for name in _SEARCHED) for row in ("old", "new"))
# "External content tables" in SQLite's documentation of FTS5. An export deletes and inserts rows only.
_SEARCH = f"""
CREATE VIRTUAL TABLE IF NOT EXISTS {SEARCH_TABLE}
USING fts5({_NAMES}, content='{DEFINITIONS.name}', tokenize='unicode61 remove_diacritics 2');
CREATE TRIGGER IF NOT EXISTS {SEARCH_TABLE}_insert AFTER INSERT ON {DEFINITIONS.name} BEGIN
  INSERT INTO {SEARCH_TABLE}(rowid, {_NAMES}) VALUES (new.rowid, {_NEW});
END;
CREATE TRIGGER IF NOT EXISTS {SEARCH_TABLE}_delete AFTER DELETE ON {DEFINITIONS.name} BEGIN
  INSERT INTO {SEARCH_TABLE}({SEARCH_TABLE}, rowid, {_NAMES}) VALUES ('delete', old.rowid, {_OLD});
END;
"""


@contextmanager
def sqlite_tables(snapshot: Snapshot, earlier: bytes | None) -> Iterator[sqlite3.Connection]:
    """Yield a database in memory that contains exactly `snapshot`; `serialize` returns it as a file.

    With the file of an `earlier` snapshot of any registry, only the rows that differ are written.
    """
    # The rows of one part of the definitions are stored while another thread makes the next.
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        if earlier is not None:
            connection.deserialize(earlier)
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        use_whole_transactions(engine)
        METADATA.create_all(engine)
        connection.executescript(_SEARCH)
        with engine.begin() as transaction:
            create_state(transaction)
            update_tables(transaction, snapshot, silent)
        yield connection
        engine.dispose()
