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

_FILE = ".manifest.sqlite"
# Raise it when the meaning of a column changes: an older file is then replaced, and the site is written once
# from scratch.
_FORMAT = 4
_SCHEMA = {
    "generations": (
        "CREATE TABLE generations (folder_id INTEGER PRIMARY KEY, folder TEXT, inode TEXT, files INTEGER, "
        "fingerprints BLOB)"
    ),
    "targets": (
        "CREATE TABLE targets (folder_id INTEGER, name TEXT, prefixes TEXT, path_template TEXT, "
        "PRIMARY KEY (folder_id, name)) WITHOUT ROWID"
    ),
}
# A full rebuild writes tens of thousands of rows at once.
_PAGE_SIZE = 16384


class RecordedGeneration(NamedTuple):
    """One generation in the manifest.

    `folder_id` stays with the folder when its name changes. `packed` are the fingerprints of its targets in
    packed form.
    """

    folder_id: int
    folder: str
    files: int
    packed: bytes

    def load(self) -> Generation:
        """Return the generation with its fingerprints by the names of targets."""
        return Generation(self.folder_id, self.folder, self.files, orjson.loads(self.packed))


class Manifest:
    """The manifest file. Used by one build at a time.

    If the file cannot be used, every method works as if the manifest were empty.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder that holds the generations."""
        self._folder = folder
        self._path = folder / _FILE
        self._connection = open_database(self._path, _SCHEMA, _FORMAT, _PAGE_SIZE)

    def generations(self) -> list[RecordedGeneration]:
        """Return the generations whose folders are as they were written, oldest first."""
        if self._connection is None:
            return []
        try:
            rows = self._connection.execute(
                "SELECT folder_id, folder, inode, files, fingerprints FROM generations ORDER BY folder"
            ).fetchall()
        except sqlite3.DatabaseError:
            self.remove()
            return []
        return [
            RecordedGeneration(folder_id, folder, files, bytes(fingerprints))
            for folder_id, folder, inode, files, fingerprints in rows
            if isinstance(folder, str) and inode == _inode_of(self._folder / folder)
        ]

    def remove(self) -> None:
        """Remove a file that cannot be used."""
        self.close()
        remove_database(self._path)

    def paths(self, folder_id: int, names: Iterable[str]) -> list[str]:
        """Return the paths of the named targets in a folder."""
        assert self._connection is not None
        found: list[str] = []
        for name in names:
            row = self._connection.execute(
                "SELECT prefixes, path_template FROM targets WHERE folder_id = ? AND name = ?",
                (folder_id, name),
            ).fetchone()
            if row is not None:
                prefixes, path_template = row
                found.extend(paths_of(path_template, prefixes.split("\n")))
        return found

    def path_templates(self, folder: str, names: Container[str]) -> dict[str, str]:
        """Return the path templates of the named targets of one generation, by name."""
        assert self._connection is not None
        rows = self._connection.execute(
            "SELECT name, path_template FROM targets WHERE folder_id = "
            "(SELECT folder_id FROM generations WHERE folder = ?)",
            (folder,),
        )
        # Few templates differ, and thousands of targets share one: interned they take no memory of their own.
        return {name: intern(template) for name, template in rows if name in names}

    def invalidate(self, folder_id: int) -> None:
        """Mark a folder as changing: it is not trusted until `record` is called."""
        if self._connection is not None:
            self._connection.execute("UPDATE generations SET inode = '' WHERE folder_id = ?", (folder_id,))

    def record(
        self,
        folder: Path,
        recorded: RecordedGeneration,
        written: Iterable[tuple[Target, str]],
        removed: Iterable[str],
    ) -> None:
        """Record that a folder has the content of `recorded`.

        The caller then renames the folder to `recorded.folder`. `written` are its new or changed targets
        with the templates of their paths. `removed` are the names of removed targets.
        """
        if self._connection is None:
            return
        folder_id = recorded.folder_id
        with suppress(sqlite3.DatabaseError):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "DELETE FROM targets WHERE folder_id = ? AND name = ?",
                ((folder_id, name) for name in removed),
            )
            rows = (
                (folder_id, target.name, "\n".join(target.prefixes), path_template)
                for target, path_template in written
            )
            self._connection.executemany("INSERT OR REPLACE INTO targets VALUES (?, ?, ?, ?)", rows)
            # The inode stays the same when the caller renames the folder.
            row = (folder_id, recorded.folder, _inode_of(folder), recorded.files, recorded.packed)
            self._connection.execute("INSERT OR REPLACE INTO generations VALUES (?, ?, ?, ?, ?)", row)
            self._connection.execute("COMMIT")

    def copy(self, folder_id: int, to: int) -> None:
        """Copy the targets of one folder to another after the folder was copied."""
        if self._connection is not None:
            self._connection.execute("DELETE FROM targets WHERE folder_id = ?", (to,))
            self._connection.execute(
                "INSERT INTO targets "
                "SELECT ?, name, prefixes, path_template FROM targets WHERE folder_id = ?",
                (to, folder_id),
            )
            self._connection.execute(
                "INSERT OR REPLACE INTO generations "
                "SELECT ?, '', '', files, fingerprints FROM generations WHERE folder_id = ?",
                (to, folder_id),
            )

    def keep_only(self, folder_ids: Iterable[int]) -> None:
        """Remove everything about folders except these."""
        kept = set(folder_ids)
        if self._connection is not None:
            with suppress(sqlite3.DatabaseError):
                self._connection.execute("BEGIN IMMEDIATE")
                for folder_id in self.folder_ids() - kept:
                    self._connection.execute("DELETE FROM targets WHERE folder_id = ?", (folder_id,))
                    self._connection.execute("DELETE FROM generations WHERE folder_id = ?", (folder_id,))
                self._connection.execute("COMMIT")

    def folder_ids(self) -> set[int]:
        """Return the ids of all recorded folders."""
        if self._connection is None:
            return set()
        return {number for (number,) in self._connection.execute("SELECT folder_id FROM generations")}

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def pack(fingerprints: Mapping[str, str]) -> bytes:
    """Return fingerprints by target name as one value.

    Rows of a table would take ten times as long, and each build reads all of them.
    """
    return orjson.dumps(fingerprints)


def _inode_of(folder: Path) -> str | None:
    """Return device and inode: they distinguish a folder from a copy of it and from one in a commit."""
    try:
        status = folder.lstat()
    except OSError:
        return None
    return f"{status.st_dev} {status.st_ino}"
