"""What every renderer gives: files of the site."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import orjson


@dataclass(frozen=True, slots=True)
class File:
    """One file of the site: its path below the site's folder and its bytes; `twins` are further paths with the same bytes."""

    path: str
    body: bytes
    twins: tuple[str, ...] = ()


T = TypeVar("T")
# So many definitions make a group of files: some hundred groups at 10,000, shared out among processes.
GROUP_SIZE = 100


def in_groups(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts of a sequence, of GROUP_SIZE each."""
    return (items[start : start + GROUP_SIZE] for start in range(0, len(items), GROUP_SIZE))


def json_file(folder: str, body: object) -> File:
    """`folder/index.json` and, for hosts without directory indexes, its twin `folder.json`."""
    return File(f"{folder}/index.json", to_json(body), (f"{folder}.json",))


def to_json(body: object) -> bytes:
    """Compact JSON, keys in the order given, with a line end."""
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def name_in_address(name: str) -> str:
    """A definition's name as it stands in an address."""
    return quote(name, safe="/+~")
