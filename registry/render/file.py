"""What every renderer gives: files of the site."""

from dataclasses import dataclass
from urllib.parse import quote

import orjson


@dataclass(frozen=True, slots=True)
class File:
    """One file of the site: its path below the site's folder and its bytes; `twin` is a second path with the same bytes."""

    path: str
    body: bytes
    twin: str = ""


def json_file(folder: str, body: object) -> File:
    """`folder/index.json` and, for hosts without directory indexes, its twin `folder.json`."""
    return File(f"{folder}/index.json", to_json(body), f"{folder}.json")


def to_json(body: object) -> bytes:
    """Compact JSON, keys in the order given, with a line end."""
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def name_in_address(name: str) -> str:
    """A definition's name as it stands in an address."""
    return quote(name, safe="/+~")
