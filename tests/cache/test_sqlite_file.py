"""A database that several processes create and open at the same moment."""

import sqlite3
import threading
from pathlib import Path

from registry.cache.sqlite_file import open_database

SCHEMA = {"a": "CREATE TABLE a (key TEXT PRIMARY KEY, value BLOB)"}


def test_a_file_that_another_connection_writes_is_prepared_when_it_ends(tmp_path: Path) -> None:
    """SQLite refuses at once, without its timeout, to switch to the write-ahead log while a file is written."""
    path = tmp_path / "cache.sqlite"
    path.touch(0o600)
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    end = threading.Timer(0.5, lambda: writer.execute("COMMIT"))
    end.start()
    try:
        connection = open_database(path, SCHEMA, 1)
        assert connection is not None
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()
    finally:
        end.join()
        writer.close()
