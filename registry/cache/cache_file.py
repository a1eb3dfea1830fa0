"""Results kept between runs, by content; safe to delete at any time.

One SQLite file in `.registry/cache/`. Nothing in it is needed, nothing is believed that did not come from this program in
this version, and whatever is wrong with the file means to start with an empty one: a build without a cache is slower, and
gives the same.
"""

import hashlib
import os
import sqlite3
import threading
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
# A whole history of 100,000 definitions fits; beyond, the file is made anew.
_LARGEST_BYTES = 2 * 1024**3
_TABLES = ("answers", "documents", "parsed_files", "parsed_blobs", "findings", "histories", "builds")
_SCHEMA = {
    **{table: f"CREATE TABLE {table} (key TEXT PRIMARY KEY, value BLOB)" for table in _TABLES},
    "about": "CREATE TABLE about (program TEXT, file TEXT)",
}
_IN_ONE_QUERY = 500
# Another one where what is in the tables has another form.
_FORM = 13
_inherited: list[
    sqlite3.Connection
] = []  # kept, so that nobody closes them: that would touch the other process's locks


class CacheFile:
    """Values (bytes) by table and key (text). Every method works, and does nothing, where there is no file to work with."""

    def __init__(self, root: Path, is_tracked: bool = False) -> None:
        """`root` is the registry's folder. The file is made when something is first kept.

        `is_tracked`: git tracks files in its folder. They are somebody else's then, and not used.
        """
        self._root = root
        self._path = root / FOLDER / _FILE
        self._opened: sqlite3.Connection | None = None
        self._process = os.getpid()
        # A server reads in many threads, and what one thread writes is one transaction.
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
        """The file, opened by this process: what a fork inherits must not be used there, nor closed."""
        if self._opened is not None and self._process != os.getpid():
            _inherited.append(self._opened)
            self._process, self._opened = os.getpid(), self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection | None:
        """The file, opened and of this version; emptied where it is another's, made from scratch where it is odd."""
        if self.unused_because:
            return None
        for _ in range(2):
            connection = open_database(self._path, _SCHEMA, _FORM)
            if connection is None:
                return None
            try:
                status = self._path.stat()
                # A file with another inode is a copy: it came with a commit, or from somewhere else.
                about = (program(), f"{status.st_dev} {status.st_ino}")
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
        """The value at a key, or None."""
        return next((value for _, value in self.get_many(table, [key])), None)

    def get_many(self, table: str, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Keys with their values, those that are there, in no order."""
        if self._connection is None:
            return
        with self._or_without():
            for start in range(0, len(keys), _IN_ONE_QUERY):
                part = keys[start : start + _IN_ONE_QUERY]
                marks = ",".join("?" * len(part))
                yield from self._connection.execute(
                    f"SELECT key, value FROM {table} WHERE key IN ({marks})", part
                ).fetchall()

    def keys(self, table: str) -> list[str]:
        """The keys of a table, the one kept last first."""
        if self._connection is not None:
            with self._or_without():
                rows = self._connection.execute(f"SELECT key FROM {table} ORDER BY rowid DESC").fetchall()
                return [key for (key,) in rows]
        return []

    def all_of(self, table: str) -> dict[str, bytes]:
        """Everything in a table."""
        if self._connection is not None:
            with self._or_without():
                return dict(self._connection.execute(f"SELECT key, value FROM {table}").fetchall())
        return {}

    def keep(
        self, values: Mapping[str, Iterable[tuple[str, bytes]]], gone: Mapping[str, Iterable[str]] = {}
    ) -> bool:
        """Keep values by table and key, and forget others, all of it or nothing; False when nothing was kept."""
        if self._connection is None:
            if self.unused_because:
                return False
            try:
                make_folders(self._root, FOLDER)
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
        """Whatever the file does: go on without it."""
        try:
            with self._lock:
                yield
        except sqlite3.DatabaseError as error:
            self.close()
            if not isinstance(error, sqlite3.OperationalError):
                remove_database(self._path)

    def close(self) -> None:
        """Close the file; what is kept stays."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._opened = None


def _about(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Which program wrote the file, and which file that was."""
    return connection.execute("SELECT program, file FROM about LIMIT 2").fetchall()


@lru_cache(maxsize=1)
def program() -> str:
    """What tells this program from every other version of itself: its own files, too, so that one under work is never believed."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=16)
    for file in sorted(Path(__file__).parent.parent.rglob("*.py")):
        status = file.stat()
        digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
