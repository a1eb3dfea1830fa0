"""SQLite files with reproducible content: opened only if this program wrote them, else created from scratch.

A file may come with a repository or an archive, and SQLite runs code in a schema, such as an endless view or
a trigger that writes. Therefore the file must be a regular file of this user and have exactly the expected
schema, and nothing is read before these checks (https://www.sqlite.org/security.html, "Untrusted SQLite
Database Files").
"""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from registry.files.safe_paths import create_new, is_own_file_or_missing

Tables = Mapping[str, str]
"""The statement that creates each table, by table name, in SQLite's stored form `CREATE TABLE name (…)`."""

_SIDE_FILES = ("-wal", "-shm", "-journal")
_BUSY_S = 5.0
_BUSY_PAUSE_S = 0.01
# Checking a schema takes a millisecond. A file that takes this long is not trusted.
_OPEN_WITHIN_S = 30.0
_STEPS_BETWEEN_CHECKS = 10_000
# The file may be valid but not usable at present: it is kept.
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


def open_database(path: Path, schema: Tables, form: int, page_size: int = 4096) -> sqlite3.Connection | None:
    """Return a connection to a file with exactly this schema and `form` (its `user_version`).

    A missing or invalid file is created from scratch. Returns None when the file cannot be used at present
    (locked, read-only, disk full). The caller must check the folder. Several threads may use the connection,
    one at a time.
    """
    for _ in range(2):
        connection = None
        try:
            if not _is_usable(path):
                remove_database(path)
            # Created here and not by SQLite: with mode 0600 from the first moment, and never through a link.
            with suppress(FileExistsError):
                create_new(path, b"", 0o600)
            connection = _connect(path, page_size)
            if _prepared(connection, schema, form):
                # The schema is ours now, so long queries are legitimate and the limit of time ends.
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
    """Remove the file and its companion files; links themselves, never their targets."""
    for name in (path.name, *(path.name + suffix for suffix in _SIDE_FILES)):
        with suppress(OSError):
            path.with_name(name).unlink()


def is_temporary(error: sqlite3.DatabaseError) -> bool:
    """True for errors with an intact file: another process uses it, or the disk is full."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(_NOT_ITS_FAULT)


def _is_usable(path: Path) -> bool:
    """True when every file that SQLite would open is a regular file of this user or missing."""
    files = [path, *(path.with_name(path.name + suffix) for suffix in _SIDE_FILES)]
    return all(is_own_file_or_missing(one) for one in files)


def _connect(path: Path, page_size: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    deadline = time.monotonic() + _OPEN_WITHIN_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_CHECKS)
    if hasattr(sqlite3, "SQLITE_DBCONFIG_DEFENSIVE"):  # from Python 3.12 on
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # type: ignore[attr-defined, unused-ignore]
    # Our schema has no trigger and attaches nothing: whatever needs more comes from a manipulated file.
    connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    connection.execute(f"PRAGMA page_size={page_size}")  # for a new file
    return connection


def _prepared(connection: sqlite3.Connection, schema: Tables, form: int) -> bool:
    """Create the tables in an empty file; False for another schema."""
    found = _matches(connection, schema, form)
    if found is False:
        return False
    # Only after the schema check: this statement writes. In this mode readers do not wait for a writer, and a
    # crash of the machine can lose the last transaction but not damage the file, which is enough for a cache.
    _use_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    if found is None:
        # Take the write lock before the second check. A lock taken later could fail at once instead of
        # waiting.
        connection.execute("BEGIN IMMEDIATE")
        try:
            found = _matches(connection, schema, form)
            if found is None:  # no other process has created them meanwhile
                for statement in schema.values():
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={form}")
        finally:
            connection.execute("COMMIT")
    return found is not False


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; waits for other processes that create the file at the same moment.

    While another connection writes, SQLite reports SQLITE_BUSY for this statement at once, without the
    timeout of the connection (seen with SQLite 3.40).
    """
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not is_temporary(error) or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_S)
        else:
            return


def _matches(connection: sqlite3.Connection, schema: Tables, form: int) -> bool | None:
    """True for exactly this schema and form, None for an empty file."""
    # The limit keeps a file with millions of tables from filling the memory.
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 100").fetchall()
    if not found:
        return None
    tables = {name: sql for type_, name, _, sql in found if type_ == "table"}
    # SQLite creates the index of a primary key itself, without a statement.
    others = [(type_, table, sql) for type_, _, table, sql in found if type_ != "table"]
    is_expected = tables == schema and all(
        type_ == "index" and table in schema and sql is None for type_, table, sql in others
    )
    # `user_version` counts only together with the exact schema: anyone can set the number.
    return is_expected and connection.execute("PRAGMA user_version").fetchone() == (form,)
