"""Detect schema files of a registry that are unchanged copies of the program's, from any version.

`registry init` copies the program's schemas, and a registry's own files override the program's. Copies do not
change when the program is upgraded, so `schema_digests.txt` lists the SHA-256 of each text that the program
ever had under a path, in the format of sha256sum. A file that is not in the list was changed by its team and
is left alone.
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

DIGESTS = Path(__file__).with_name("schema_digests.txt")


def older_copies(own: Mapping[str, bytes], program: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the paths below `schema/` where `own` has an earlier text of the program's file.

    Both arguments map paths to texts.
    """
    for path, text in sorted(own.items()):
        if path in program and _unix(text) != _unix(program[path]) and (digest(text), path) in _known():
            yield path


def changed_copies(own: Mapping[str, bytes], program: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the paths where `own` has a modified text in place of the program's file."""
    for path, text in sorted(own.items()):
        if path in program and _unix(text) != _unix(program[path]) and (digest(text), path) not in _known():
            yield path


def is_copy(path: str, text: bytes) -> bool:
    """True if a text is one that the program has, or once had, at this path below `schema/`."""
    return (digest(text), path) in _known()


def digest(text: bytes) -> str:
    """Return the SHA-256 of a schema file in hexadecimal.

    Line endings are ignored, because git may convert them.
    """
    return hashlib.sha256(_unix(text)).hexdigest()


def _unix(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")


@lru_cache(maxsize=1)
def _known() -> frozenset[tuple[str, ...]]:
    lines = DIGESTS.read_text(encoding="ascii").splitlines()
    return frozenset(tuple(line.split("  ", 1)) for line in lines)
