"""SQLite files that hold what can be made again: opened only when they are what this program wrote, else made from scratch.

A file may come with a repository or an archive. SQLite runs what a schema says: a view that never ends, a trigger that writes. So
the file must be a plain one of this user, its schema must be exactly the expected one, and nothing is read of it before that
(https://www.sqlite.org/security.html, "Untrusted SQLite Database Files").
"""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from registry.files.safe_paths import create_new, is_own_file

Schema = Mapping[str, str]
"""The statement that creates each table, by the table's name; written as SQLite stores it, `CREATE TABLE name (…)`."""

_SIDE_FILES = ("-wal", "-shm", "-journal")
_BUSY_S = 5.0
# Looking at a schema takes a millisecond. A file that takes so long is odd.
_OPEN_WITHIN_S = 30.0
_STEPS_BETWEEN_CHECKS = 10_000
# The file may be good, only not now or not for us: it stays.
_NOT_ITS_FAULT = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_PERM",
    "SQLITE_NOMEM",
)


def open_database(path: Path, schema: Schema, form: int, page_size: int = 4096) -> sqlite3.Connection | None:
    """A connection to a file with just this schema and `form` (its `user_version`), made from scratch where there is none or an odd one.

    None where there can be none now (locked, read-only, no room). The folder must be checked by the caller. The connection may be
    used by several threads, one at a time.
    """
    for _ in range(2):
        connection = None
        try:
            if not _is_usable(path):
                remove_database(path)
            with suppress(FileExistsError):
                create_new(path, b"", 0o600)
            connection = _connect(path, page_size)
            if _prepared(connection, schema, form):
                connection.set_progress_handler(None, 0)
                return connection
            is_odd = True
        except OSError:
            return None
        except sqlite3.DatabaseError as error:
            is_odd = not is_temporary(error)
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
        if not is_odd:
            return None
        remove_database(path)
    return None


def remove_database(path: Path) -> None:
    """Remove the file and those beside it; links themselves, never what they point to."""
    for name in (path.name, *(path.name + suffix for suffix in _SIDE_FILES)):
        with suppress(OSError):
            path.with_name(name).unlink()


def is_temporary(error: sqlite3.DatabaseError) -> bool:
    """True where the file need not be broken: another process uses it, or the disk is full."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(_NOT_ITS_FAULT)


def _is_usable(path: Path) -> bool:
    """True where everything that SQLite would open is a plain file of ours, or not there."""
    files = [path, *(path.with_name(path.name + suffix) for suffix in _SIDE_FILES)]
    return all(is_own_file(one) or not (one.exists() or one.is_symlink()) for one in files)


def _connect(path: Path, page_size: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    deadline = time.monotonic() + _OPEN_WITHIN_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_CHECKS)
    if hasattr(sqlite3, "SQLITE_DBCONFIG_DEFENSIVE"):  # from Python 3.12 on
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # type: ignore[attr-defined, unused-ignore]
    connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    connection.execute(f"PRAGMA page_size={page_size}")  # of a new file
    return connection


def _prepared(connection: sqlite3.Connection, schema: Schema, form: int) -> bool:
    """See that the tables are there, and nothing else; False for another schema."""
    found = _matches(connection, schema, form)
    if found is False:
        return False
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    if found is None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            found = _matches(connection, schema, form)
            if found is None:  # and no other process has made them meanwhile
                for statement in schema.values():
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={form}")
        finally:
            connection.execute("COMMIT")
    return found is not False


def _matches(connection: sqlite3.Connection, schema: Schema, form: int) -> bool | None:
    """True for just this schema and form, None for an empty file."""
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 100").fetchall()
    if not found:
        return None
    tables = {name: sql for type_, name, _, sql in found if type_ == "table"}
    # The index of a primary key is SQLite's own, and has no statement.
    others = [(type_, table, sql) for type_, _, table, sql in found if type_ != "table"]
    is_expected = tables == schema and all(
        type_ == "index" and table in schema and sql is None for type_, table, sql in others
    )
    return is_expected and connection.execute("PRAGMA user_version").fetchone() == (form,)
