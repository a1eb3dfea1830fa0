"""Requests that write, and the strict reading of their bodies; pure."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.load.foreign_json import read_json
from registry.load.yaml import MAX_DEPTH
from registry.writes.rejection import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from registry.writes.conditions import EntityTag
    from registry.writes.users import Right

# Twice the size of a file: JSON needs more bytes than YAML for the same document.
MAX_BODY_BYTES = 512 * 1024
"""A larger body gets status 413."""
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
ADDED_KEYS = frozenset({"resource_uri", "kind", "by_name_uri", "history_uri", "revision"})
"""Keys that the API adds to a file's own. A client may send back what it received."""


class Operation(Enum):
    """What a request asks for."""

    ADD = "add"
    REPLACE = "replace"
    UPDATE = "update"
    """Replace the given keys of the document (PATCH with `application/json`, as in 2013)."""
    MERGE = "merge"
    """Apply a JSON Merge Patch (RFC 7396)."""
    DELETE = "delete"
    RESTORE = "restore"


class Person(NamedTuple):
    """The author of a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A valid request to change one definition.

    `id` is None when a definition is added. `body` has the keys of the file to change, and `name`. `user` is
    the name that the client logged in with. `refusal(right, name)` returns why the user may not do something,
    or "". `tags` are those of `If-Match`. `is_conditional`: the header is there, `matches_any`: it is `*`.
    `digest` is that of method, address and body: two requests with one `Idempotency-Key` must have the same.
    `size` is that of the body, in bytes.
    """

    operation: Operation
    kind: str
    id: int | None
    body: Mapping[str, Any]
    user: str
    author: Person
    request_id: str
    refusal: Callable[[Right, str], str]
    tags: tuple[EntityTag, ...] = ()
    is_conditional: bool = False
    matches_any: bool = False
    idempotency_key: str = ""
    may_break: bool = False
    digest: str = ""
    size: int = 0


def operation_of(method: str, *, restores: bool, media_type: str) -> Operation:
    """Return what a method asks for; `media_type` as `checked_media_type` returns it."""
    if restores:
        return Operation.RESTORE
    if method == "PATCH":
        return Operation.MERGE if media_type == MERGE_PATCH else Operation.UPDATE
    return {"POST": Operation.ADD, "PUT": Operation.REPLACE, "DELETE": Operation.DELETE}[method]


def checked_media_type(method: str, content_type: str | None, content_encoding: str | None) -> str:
    """Return the media type of a body without parameters; none means JSON.

    Raises RejectedError with status 415 for a type or an encoding that is not read.
    """
    if content_encoding is not None:
        raise RejectedError(415, "a body with a Content-Encoding is not read; send it uncompressed")
    media_type = (content_type or JSON).partition(";")[0].strip().lower()
    allowed = (JSON, MERGE_PATCH) if method == "PATCH" else (JSON,)
    if media_type not in allowed:
        raise RejectedError(415, f"the Content-Type of the body is not {' or '.join(allowed)}")
    return media_type


def parse_body(data: bytes, number: int | None, *, is_merge_patch: bool = False) -> dict[str, Any]:
    """Return the keys of the file that a body names, and `name`; keys that the API adds are left out.

    `number` is the id in the address. Raises RejectedError: 400 for what is not a JSON object of at most 32
    levels, 409 for another id, 413 for a body that is too large.
    """
    if len(data) > MAX_BODY_BYTES:
        raise RejectedError(413, f"the body has more than {MAX_BODY_BYTES // 1024} KiB")
    body = _parse_json(data)
    if not isinstance(body, dict):
        raise RejectedError(400, "the body is not a JSON object")
    # Not ignored silently: a client that sends another id expects an effect.
    if "id" in body and not _is_own_id(body["id"], number):
        expected = (
            "ids are assigned by the registry" if number is None else f"the address is that of {number}"
        )
        raise RejectedError(409, f"the body has an id of its own, but {expected}")
    found = {key: value for key, value in body.items() if key != "id" and key not in ADDED_KEYS}
    is_text = isinstance(found.get("name", ""), str)
    if not is_text:
        raise RejectedError(
            422,
            "`name` is not a text"
            if found["name"] is not None or not is_merge_patch
            else "`name` cannot be removed",
        )
    return found


def _is_own_id(value: object, number: int | None) -> bool:
    # `True == 1` in Python, so the type is compared as well.
    return type(value) is int and value == number


def _parse_json(data: bytes) -> Any:
    if not data.strip():
        raise RejectedError(400, "the body is empty; send a JSON object")
    # RFC 8259, section 8.1: JSON in a network protocol has no byte order mark.
    if data.startswith(b"\xef\xbb\xbf"):
        raise RejectedError(400, "the body starts with a byte order mark; send JSON without it")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RejectedError(400, f"the body is not UTF-8 at byte {error.start + 1}") from error
    try:
        found = read_json(text, deepest=MAX_DEPTH, pairs=_no_duplicates, constant=_no_constant)
    except ValueError as error:
        raise RejectedError(400, f"Request is not valid JSON: {error}.") from error
    if _has_infinity(found):
        raise RejectedError(400, "Request is not valid JSON: a number is too large.")
    return found


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"duplicate key {twice[:100]!r}")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _has_infinity(value: Any) -> bool:
    """Return True for a number such as 1e400, which Python reads as infinity."""
    if isinstance(value, float):
        return math.isinf(value)
    if isinstance(value, dict):
        return any(map(_has_infinity, value.values()))
    return isinstance(value, list) and any(map(_has_infinity, value))


def request_digest(method: str, path: str, media_type: str, data: bytes) -> str:
    """Return the digest of a request, to recognize its repetition."""
    words = "\0".join((method, path, media_type)).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(words + b"\0" + data, digest_size=16).hexdigest()
