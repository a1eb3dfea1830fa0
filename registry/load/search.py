"""Definitions whose file may contain one of some texts, found without reading every file here."""

from collections.abc import Sequence

from registry.git import Repository
from registry.load.source import EntryType, Source
from registry.load.yaml import MAX_BYTES
from registry.model.definition import DEFINITIONS_FOLDER, kind_and_name


def paths_with(source: Source, repository: Repository, patterns: Sequence[str]) -> set[str]:
    """Paths of the definitions of `source` in which one of `patterns` (extended regular expressions) may be found.

    `git grep` reads a file whole, however large it is. Where one is larger than a definition can be, git is not started, and
    all paths are returned: the caller then reads more than it needs, which is slower and finds the same.
    """
    if not patterns:
        return set()
    if source.largest_file(DEFINITIONS_FOLDER) > MAX_BYTES:
        entries = source.entries(DEFINITIONS_FOLDER)
        return {entry.path for entry in entries if entry.type is EntryType.FILE and kind_and_name(entry.path)}
    prefix = repository.prefix_of(source.root)
    tree = None if source.is_work_tree else source.commit
    paths = repository.files_with(patterns, f"{prefix}{DEFINITIONS_FOLDER}", tree)
    return {path for found in paths if kind_and_name(path := found.removeprefix(prefix))}
