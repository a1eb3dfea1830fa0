"""Results kept between runs, by content; safe to delete at any time.

One SQLite file in `.registry/cache/`. It is optional: data is used only if this version of the program wrote
it, and any defect of the file means to start with an empty one. A build without a cache is slower and gives
the same result.
"""

import hashlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from registry import __version__
from registry.cache.sqlite_file import is_temporary, open_database, remove_database
from registry.errors import RefusedError
from registry.files.safe_paths import create_new, link_on_the_way, make_folders

_TOP = ".registry"
FOLDER = f"{_TOP}/cache"
_FILE = "cache.sqlite"
# A complete history of 100,000 definitions fits; a larger file is created again from scratch.
_LARGEST_BYTES = 2 * 1024**3
_TABLES = (
    "answers",
    "search",
    "mcp",
    "documents",
    "parsed_files",
    "parsed_blobs",
    "findings",
    "histories",
    "builds",
    "judgments",
    "tables",
)
_SCHEMA = {
    **{table: f"CREATE TABLE {table} (key TEXT PRIMARY KEY, value BLOB)" for table in _TABLES},
    "about": "CREATE TABLE about (program TEXT, file TEXT)",
}
# SQLite allowed at most 999 parameters per statement before version 3.32.
_IN_ONE_QUERY = 500
# Increase when the format of the tables' content changes.
_FORM = 15
_inherited: list[
    sqlite3.Connection
] = []  # kept open, because closing them would release the other process's locks


class CacheFile:
    """Values (bytes) by table and key (text). Without a usable file, every method does nothing."""

    def __init__(self, root: Path, is_tracked: bool = False) -> None:
        """`root` is the registry's folder. The file is created when a value is first stored.

        `is_tracked`: git tracks files in the cache folder, which are then of unknown origin and not used.
        """
        self._root = root
        self._path = root / FOLDER / _FILE
        self._opened: sqlite3.Connection | None = None
        self._process = os.getpid()
        # A server reads in several threads, and the writes of one thread are one transaction.
        self._lock = threading.RLock()
        link = link_on_the_way(root, FOLDER)
        self.unused_because = (
            f"{link} is a link" if link is not None else f"git tracks files in {_TOP}/" if is_tracked else ""
        )
        """Why there is no cache, where that is not as it should be; else ""."""
        if self._path.exists():
            self._opened = self._open()

    @property
    def _connection(self) -> sqlite3.Connection | None:
        """The file, opened by this process: a connection inherited by a fork must not be used or closed."""
        if self._opened is not None and self._process != os.getpid():
            _inherited.append(self._opened)
            self._process, self._opened = os.getpid(), self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection | None:
        """Open the file; empties one of another version and recreates a damaged one."""
        if self.unused_because:
            return None
        # The second attempt opens the file that replaces a removed one. A third would repeat the same
        # failure.
        for _ in range(2):
            connection = open_database(self._path, _SCHEMA, _FORM)
            if connection is None:
                return None
            try:
                status = self._path.stat()
                # A file with another inode is a copy, for example from a commit.
                about = (program_digest(), f"{status.st_dev} {status.st_ino}")
                known = _about(connection)
                if known and known[0][1] != about[1]:
                    connection.close()
                    remove_database(self._path)
                    continue
                is_too_large = status.st_size > _LARGEST_BYTES
                if known != [about] or is_too_large:
                    self._empty(connection, about, even_if_ours=is_too_large)
            except OSError:
                return None
            except sqlite3.DatabaseError as error:
                connection.close()
                if is_temporary(error):
                    return None
                remove_database(self._path)
            else:
                # The last connection that is closed empties the log, which the next process would read whole.
                weakref.finalize(self, _close_if_ours, connection, os.getpid())
                return connection
        return None

    @staticmethod
    def _empty(connection: sqlite3.Connection, about: tuple[str, str], *, even_if_ours: bool) -> None:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have emptied it while this one waited, and stored its values.
        if even_if_ours or _about(connection) != [about]:
            for table, statement in _SCHEMA.items():
                connection.execute(f"DROP TABLE {table}")
                connection.execute(statement)
            connection.execute("INSERT INTO about VALUES (?, ?)", about)
        connection.execute("COMMIT")

    def get(self, table: str, key: str) -> bytes | None:
        """Return the value of a key, or None."""
        # Through `get_many`, so that errors of the file are handled at one place only.
        return next((value for _, value in self.get_many(table, [key])), None)

    def get_many(self, table: str, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the existing keys among `keys` with their values, in no order."""
        if self._connection is None:
            return
        with self._or_without():
            for start in range(0, len(keys), _IN_ONE_QUERY):
                part = keys[start : start + _IN_ONE_QUERY]
                marks = ",".join("?" * len(part))
                # All rows at once: an open cursor would hold a read transaction while the caller works.
                yield from self._connection.execute(
                    f"SELECT key, value FROM {table} WHERE key IN ({marks})", part
                ).fetchall()

    def keys(self, table: str) -> list[str]:
        """Return the keys of a table, most recently stored first."""
        if self._connection is not None:
            with self._or_without():
                rows = self._connection.execute(f"SELECT key FROM {table} ORDER BY rowid DESC").fetchall()
                return [key for (key,) in rows]
        return []

    def all_of(self, table: str) -> dict[str, bytes]:
        """Return all values of a table by key."""
        if self._connection is not None:
            with self._or_without():
                return dict(self._connection.execute(f"SELECT key, value FROM {table}").fetchall())
        return {}

    def keep(
        self, values: Mapping[str, Iterable[tuple[str, bytes]]], gone: Mapping[str, Iterable[str]] = {}
    ) -> bool:
        """Store and delete values by table and key in one transaction; False if nothing was stored."""
        if self._connection is None:
            if self.unused_because:
                return False
            try:
                make_folders(self._root, FOLDER)
                # The file ignores itself, too: a clone's `git status` stays clean without a change of its
                # .gitignore.
                with suppress(FileExistsError):
                    create_new(self._root / _TOP / ".gitignore", b"*\n")
            except (OSError, RefusedError):
                return False
            self._opened = self._open()
        connection = self._connection
        if connection is None:
            return False
        with self._or_without():
            connection.execute("BEGIN IMMEDIATE")
            for table, keys in gone.items():
                connection.executemany(f"DELETE FROM {table} WHERE key = ?", ((key,) for key in keys))
            for table, rows in values.items():
                connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)
            connection.execute("COMMIT")
        return self._opened is not None  # an error closed it

    @contextmanager
    def _or_without(self) -> Iterator[None]:
        """Continue without the file after any error of it."""
        try:
            with self._lock:
                yield
        except sqlite3.DatabaseError as error:
            self.close()
            # Operational errors (locked, disk full) say nothing about the content, so the file stays for
            # later runs.
            if not isinstance(error, sqlite3.OperationalError):
                remove_database(self._path)

    def close(self) -> None:
        """Close the file; stored values remain."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._opened = None


def _close_if_ours(connection: sqlite3.Connection, owner: int) -> None:
    if os.getpid() == owner:
        with suppress(sqlite3.Error):
            connection.close()


def _about(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the program version that wrote the file, and the identity of the file."""
    return connection.execute("SELECT program, file FROM about LIMIT 2").fetchall()


@lru_cache(maxsize=1)
def program_digest() -> str:
    """Return a digest of the program's version and files: a modified program does not reuse caches."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=16)
    # Sizes and times instead of contents: reading every module would cost more than most cache hits save.
    for folder, _, names in sorted(os.walk(Path(__file__).parent.parent)):
        for name in sorted(names):
            if name.endswith(".py"):
                status = os.stat(f"{folder}/{name}")  # noqa: PTH116 - a Path costs more than the stat call
                digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
