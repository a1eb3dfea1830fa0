"""What each generation on disk was made from: units with their keys and paths, in one SQLite file beside the generations.

Nothing is believed of a folder that is not the very one that was written, and whatever is wrong with the file means that
the next generation is written from nothing.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_FILE = ".units.sqlite"
_FORM = 1


class Recorded(NamedTuple):
    """One generation that can be built upon: its place in the file, its folder's name, and how many files it has."""

    slot: int
    folder: str
    files: int


class Record:
    """The file; every method works, and knows nothing, where it cannot be used. Used by one build at a time."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the generations."""
        self._folder = folder
        self._path = folder / _FILE
        self._connection = self._open() or self._open()

    def _open(self) -> sqlite3.Connection | None:
        try:
            connection = sqlite3.connect(self._path, timeout=5, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            if connection.execute("PRAGMA user_version").fetchone() != (_FORM,):
                connection.executescript(
                    f"BEGIN; DROP TABLE IF EXISTS slots; DROP TABLE IF EXISTS units;"
                    f"CREATE TABLE slots (slot INTEGER PRIMARY KEY, folder TEXT, mark TEXT, files INTEGER);"
                    f"CREATE TABLE units (slot INTEGER, name TEXT, key TEXT, paths TEXT, PRIMARY KEY (slot, name)) WITHOUT ROWID;"
                    f"PRAGMA user_version = {_FORM}; COMMIT;"
                )
            return connection
        except sqlite3.DatabaseError:
            self._remove()
            return None

    def _remove(self) -> None:
        for name in (_FILE, f"{_FILE}-wal", f"{_FILE}-shm"):
            with suppress(OSError):
                (self._folder / name).unlink()

    def generations(self) -> list[Recorded]:
        """Those that are there as they were written, oldest first."""
        if self._connection is None:
            return []
        try:
            rows = self._connection.execute("SELECT slot, folder, mark, files FROM slots ORDER BY folder").fetchall()
        except sqlite3.DatabaseError:
            self.remove()
            return []
        return [Recorded(slot, folder, files) for slot, folder, mark, files in rows if mark == _mark(self._folder / folder)]

    def remove(self) -> None:
        """Remove the file: it cannot be used."""
        self.close()
        self._remove()

    def keys(self, slot: int) -> dict[str, str]:
        """The key of each unit of a generation, by the unit's name."""
        assert self._connection is not None
        return dict(self._connection.execute("SELECT name, key FROM units WHERE slot = ?", (slot,)).fetchall())

    def paths(self, slot: int, names: Iterable[str]) -> dict[str, str]:
        """The paths of some units, one a line."""
        assert self._connection is not None
        found = {}
        for name in names:
            row = self._connection.execute("SELECT paths FROM units WHERE slot = ? AND name = ?", (slot, name)).fetchone()
            if row is not None:
                found[name] = row[0]
        return found

    def forget(self, slot: int) -> None:
        """A folder is going to be changed: until `note`, nothing is known of it."""
        if self._connection is not None:
            self._connection.execute("UPDATE slots SET mark = '' WHERE slot = ?", (slot,))

    def note(self, slot: int, folder: Path, name: str, units: Mapping[str, tuple[str, str]], gone: Iterable[str], files: int) -> None:
        """That a folder (to be called `name`) now holds these units in place of what they were, and no more those that are gone."""
        if self._connection is None:
            return
        rows = ((slot, unit, key, paths) for unit, (key, paths) in units.items())
        with suppress(sqlite3.DatabaseError):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM units WHERE slot = ? AND name = ?", ((slot, unit) for unit in gone))
            self._connection.executemany("INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?)", rows)
            self._connection.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?)", (slot, name, _mark(folder), files))
            self._connection.execute("COMMIT")

    def copy(self, slot: int, to: int) -> None:
        """Note for another slot the units of one: its folder was copied."""
        if self._connection is not None:
            self._connection.execute("DELETE FROM units WHERE slot = ?", (to,))
            self._connection.execute("INSERT INTO units SELECT ?, name, key, paths FROM units WHERE slot = ?", (to, slot))

    def keep_only(self, slots: Iterable[int]) -> None:
        """Forget all slots but these."""
        kept = set(slots)
        if self._connection is not None:
            with suppress(sqlite3.DatabaseError):
                self._connection.execute("BEGIN IMMEDIATE")
                for slot in self.slots() - kept:
                    self._connection.execute("DELETE FROM units WHERE slot = ?", (slot,))
                    self._connection.execute("DELETE FROM slots WHERE slot = ?", (slot,))
                self._connection.execute("COMMIT")

    def slots(self) -> set[int]:
        """Every slot that anything is noted for."""
        if self._connection is None:
            return set()
        return {slot for (slot,) in self._connection.execute("SELECT slot FROM slots")}

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _mark(folder: Path) -> str | None:
    """What tells a folder from a copy of it, or from one that came with a commit."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return f"{status.st_dev} {status.st_ino}"
