"""Manifest of the generations on disk: their targets with fingerprints and paths, in an SQLite file.

The manifest is in the folder of the generations. It is trusted only for a folder that is the very one that
was written. After any error in the file, the next generation is written from scratch.
"""

import sqlite3
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from sys import intern
from typing import NamedTuple

import orjson

from registry.cache.sqlite_file import open_database, remove_database
from registry.render.target import Target
from registry.site.path_templates import paths_of
from registry.site.plan import Generation

_FILE = ".units.sqlite"
_FORM = 3
_SCHEMA = {
    "slots": (
        "CREATE TABLE slots (slot INTEGER PRIMARY KEY, folder TEXT, mark TEXT, files INTEGER, keys BLOB)"
    ),
    "units": (
        "CREATE TABLE units (slot INTEGER, name TEXT, places TEXT, shape TEXT, "
        "PRIMARY KEY (slot, name)) WITHOUT ROWID"
    ),
}
# A full rebuild writes tens of thousands of rows at once.
_PAGE_SIZE = 16384


class RecordedGeneration(NamedTuple):
    """One generation in the manifest.

    It has a slot, the name of its folder, its number of files, and its fingerprints in packed form.
    """

    slot: int
    folder: str
    files: int
    packed: bytes

    def load(self) -> Generation:
        """Return the generation with its fingerprints by the names of targets."""
        return Generation(self.slot, self.folder, self.files, orjson.loads(self.packed))


class Manifest:
    """The manifest file. Used by one build at a time.

    If the file cannot be used, every method works as if the manifest were empty.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder that holds the generations."""
        self._folder = folder
        self._path = folder / _FILE
        self._connection = open_database(self._path, _SCHEMA, _FORM, _PAGE_SIZE)

    def generations(self) -> list[RecordedGeneration]:
        """Return the generations whose folders are as they were written, oldest first."""
        if self._connection is None:
            return []
        try:
            rows = self._connection.execute(
                "SELECT slot, folder, mark, files, keys FROM slots ORDER BY folder"
            ).fetchall()
        except sqlite3.DatabaseError:
            self.remove()
            return []
        return [
            RecordedGeneration(slot, folder, files, bytes(keys))
            for slot, folder, mark, files, keys in rows
            if isinstance(folder, str) and mark == _mark(self._folder / folder)
        ]

    def remove(self) -> None:
        """Remove a file that cannot be used."""
        self.close()
        remove_database(self._path)

    def paths(self, slot: int, names: Iterable[str]) -> list[str]:
        """Return the paths of the named targets in a slot."""
        assert self._connection is not None
        found: list[str] = []
        for name in names:
            row = self._connection.execute(
                "SELECT places, shape FROM units WHERE slot = ? AND name = ?", (slot, name)
            ).fetchone()
            if row is not None:
                found.extend(paths_of(row[1], row[0].split("\n")))
        return found

    def path_templates(self, folder: str, names: Container[str]) -> dict[str, str]:
        """Return the path templates of the named targets of one generation, by name."""
        assert self._connection is not None
        rows = self._connection.execute(
            "SELECT name, shape FROM units WHERE slot = (SELECT slot FROM slots WHERE folder = ?)", (folder,)
        )
        return {name: intern(template) for name, template in rows if name in names}

    def forget(self, slot: int) -> None:
        """Mark a folder as changing: it is not trusted until `note` is called."""
        if self._connection is not None:
            self._connection.execute("UPDATE slots SET mark = '' WHERE slot = ?", (slot,))

    def note(
        self,
        folder: Path,
        recorded: RecordedGeneration,
        made: Iterable[tuple[Target, str]],
        gone: Iterable[str],
    ) -> None:
        """Record that a folder has the content of `recorded`.

        The caller then renames the folder to `recorded.folder`. `made` are the new or changed targets
        of this slot, with the templates of their paths. `gone` are the names of removed targets.
        """
        if self._connection is None:
            return
        slot = recorded.slot
        with suppress(sqlite3.DatabaseError):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "DELETE FROM units WHERE slot = ? AND name = ?", ((slot, unit) for unit in gone)
            )
            rows = ((slot, unit.name, "\n".join(unit.places), shape) for unit, shape in made)
            self._connection.executemany("INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?)", rows)
            facts = (slot, recorded.folder, _mark(folder), recorded.files, recorded.packed)
            self._connection.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?, ?)", facts)
            self._connection.execute("COMMIT")

    def copy(self, slot: int, to: int) -> None:
        """Copy the targets of one slot to another after their folder was copied."""
        if self._connection is not None:
            self._connection.execute("DELETE FROM units WHERE slot = ?", (to,))
            self._connection.execute(
                "INSERT INTO units SELECT ?, name, places, shape FROM units WHERE slot = ?", (to, slot)
            )
            self._connection.execute(
                "INSERT OR REPLACE INTO slots SELECT ?, '', '', files, keys FROM slots WHERE slot = ?",
                (to, slot),
            )

    def keep_only(self, slots: Iterable[int]) -> None:
        """Remove all slots except these."""
        kept = set(slots)
        if self._connection is not None:
            with suppress(sqlite3.DatabaseError):
                self._connection.execute("BEGIN IMMEDIATE")
                for slot in self.slots() - kept:
                    self._connection.execute("DELETE FROM units WHERE slot = ?", (slot,))
                    self._connection.execute("DELETE FROM slots WHERE slot = ?", (slot,))
                self._connection.execute("COMMIT")

    def slots(self) -> set[int]:
        """Return all slots in use."""
        if self._connection is None:
            return set()
        return {slot for (slot,) in self._connection.execute("SELECT slot FROM slots")}

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def pack(keys: Mapping[str, str]) -> bytes:
    """Return fingerprints by target name as one value.

    Rows of a table would take ten times as long, and each build reads all of them.
    """
    return orjson.dumps(keys)


def _mark(folder: Path) -> str | None:
    """Return a value that distinguishes a folder from a copy of it and from a folder in a commit."""
    try:
        status = folder.lstat()
    except OSError:
        return None
    return f"{status.st_dev} {status.st_ino}"
