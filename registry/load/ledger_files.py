"""Read the files of the ledger: the open segment and the sealed ones. `registry.ids` gives them a meaning."""

from registry.errors import UsageError
from registry.git import Oversize
from registry.load.source_files import EntryType, FileTooLargeError, Source
from registry.model.definition import LEDGER_FOLDER, LEDGER_PATH
from registry.model.ledger_files import LedgerFiles, is_segment_file
from registry.model.problem import Problem, Severity, Span

MAX_LEDGER_BYTES = 64 * 1024 * 1024
"""A larger ledger is not read: this size is enough for 400,000 events."""
LEDGER_ATTRIBUTES = (f"{LEDGER_PATH} -text\n", f"{LEDGER_FOLDER}/** -text\n")
"""Lines of `.gitattributes`. The ledger is a chain of hashes: its bytes must be the same on every system."""
OUTDATED_ATTRIBUTES = "I028"
"""The rule that `attributes_problems` reports."""
_ATTRIBUTES_PATH = ".gitattributes"


def read_ledger_files(source: Source) -> LedgerFiles:
    """Return the ledger's files in `source`; files that are not regular count as missing.

    Raises FileTooLargeError for a file of more than `MAX_LEDGER_BYTES`, UsageError if all of them are larger.
    """
    paths = [LEDGER_PATH]
    if source.type_of(LEDGER_FOLDER) is EntryType.OTHER:  # a folder, and not behind a link
        entries = source.entries(LEDGER_FOLDER)
        paths += [one.path for one in entries if one.type is EntryType.FILE and is_segment_file(one.path)]
    found: dict[str, bytes] = {}
    room = MAX_LEDGER_BYTES
    for path, data in source.read_many(paths, at_most=MAX_LEDGER_BYTES):
        if isinstance(data, Oversize):
            raise FileTooLargeError(path, data.size, MAX_LEDGER_BYTES)
        if data is not None:
            found[path] = data
            room -= len(data)
        if room < 0:
            raise UsageError(
                f"the files of the ledger have more than {MAX_LEDGER_BYTES:,} bytes in total",
                f"check that all files below {LEDGER_FOLDER}/ belong there",
            )
    return LedgerFiles(found.pop(LEDGER_PATH, b""), found)


def attributes_problems(source: Source) -> tuple[Problem, ...]:
    """Report a `.gitattributes` from before there were sealed segments: git could convert their line ends.

    A file that names neither form of the ledger may have rules of its own, which are not judged.
    """
    if source.type_of(LEDGER_FOLDER) is None or source.type_of(_ATTRIBUTES_PATH) is not EntryType.FILE:
        return ()
    _, data = next(iter(source.read_many([_ATTRIBUTES_PATH])))
    lines = data.decode("utf-8", "replace").splitlines() if isinstance(data, bytes) else []
    texts = [" ".join(line.split()) for line in lines]
    old, new = (one.rstrip() for one in LEDGER_ATTRIBUTES)
    if old not in texts or any(text.startswith(f"{LEDGER_FOLDER}/") for text in texts):
        return ()
    number = texts.index(old) + 1
    return (
        Problem(
            OUTDATED_ATTRIBUTES,
            Severity.WARNING,
            Span(_ATTRIBUTES_PATH, number, 1, number, len(lines[number - 1]) + 1),
            f"git may convert line ends in {LEDGER_FOLDER}/: the file is from before the ledger had segments",
            f"add the line: {new}",
        ),
    )
