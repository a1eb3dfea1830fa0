"""Find definitions whose file may contain one of several texts, without reading every file in Python."""

from collections.abc import Sequence

from registry.git import Repository
from registry.load.source_files import EntryType, Source
from registry.load.yaml import MAX_BYTES
from registry.model.definition import DEFINITIONS_FOLDER, kind_and_name


def paths_with(source: Source, repository: Repository, patterns: Sequence[str]) -> set[str]:
    """Return paths of definitions in `source` that may match `patterns` (extended regular expressions).

    `git grep` reads whole files of any size. If a file in the folder of a kind is larger than a definition
    can be, git does not search, and all paths are returned: the caller then reads more files than necessary,
    with the same result. The ledger can be larger. It is in none of these folders and is not searched.
    """
    definitions = [
        (entry.path, place[0])
        for entry in source.entries(DEFINITIONS_FOLDER)
        if entry.type is EntryType.FILE and (place := kind_and_name(entry.path))
    ]
    folders = sorted({f"{DEFINITIONS_FOLDER}/{kind}" for _, kind in definitions})
    if not (patterns and folders):
        return set()
    if source.largest_file(folders) > MAX_BYTES:
        return {path for path, _ in definitions}
    prefix = repository.prefix_of(source.root)
    tree = None if source.is_work_tree else source.commit
    paths = repository.files_with(patterns, [f"{prefix}{folder}" for folder in folders], tree)
    return {path for found in paths if kind_and_name(path := found.removeprefix(prefix))}
