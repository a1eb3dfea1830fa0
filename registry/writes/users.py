"""Users, tokens and rights of a registry server: plain values, and the document that holds them.

A user has rights; a token belongs to a user and can only reduce them. The rights are `read`, `write` and
`break` (make a change that the policy calls too breaking), each for a list of folders of names: `weather/`
covers `weather/qc` and `weather/lab/x`, `/` covers everything. `allowed` decides about one name; nothing else
compares rights.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from registry.errors import UsageError, nearest
from registry.load import yaml
from registry.load.validation import explain
from registry.model.problem import Span

if TYPE_CHECKING:
    import jsonschema_rs

Right = Literal["read", "write", "break"]
RIGHTS: tuple[Right, ...] = ("read", "write", "break")
Rights = Mapping[str, tuple[str, ...]]
"""Folders by right. A folder ends in `/`; `/` alone covers every name."""
EVERYTHING = "/"

TOKEN_PREFIX = "registry_"
"""Every token starts with this, so that people and scanners recognize it."""
_TOKEN = re.compile(rf"{TOKEN_PREFIX}[0-9a-f]{{64}}\Z")
_TOKEN_BYTES = 32
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class User:
    """One user. `password` is an argon2id hash, or None for a user who logs in by other means."""

    name: str
    email: str
    full_name: str
    password: str | None
    rights: Rights


@dataclass(frozen=True, slots=True)
class Token:
    """One token: the SHA-256 of its text in hexadecimal, and when it expires (None: never).

    `rights` None means all rights of the user.
    """

    name: str
    user: str
    sha256: str
    expires: datetime | None
    rights: Rights | None

    def is_expired(self, now: datetime) -> bool:
        """Return True if the token is no longer valid at `now`, which has a time zone."""
        return self.expires is not None and now >= self.expires


@dataclass(frozen=True, slots=True)
class Principal:
    """The user that a request acts for, and the token that it was sent with, if any."""

    user: User
    token: Token | None = None

    @property
    def author(self) -> tuple[str, str]:
        """Name and e-mail address for commits; the name is the user's name where no full name is known."""
        return self.user.full_name or self.user.name, self.user.email

    @property
    def description(self) -> str:
        """The user, and the token where there is one, for logs and messages."""
        return f"{self.user.name} (token {self.token.name})" if self.token is not None else self.user.name


class AccessDecision(NamedTuple):
    """The answer of `allowed`: true if `refusal` is empty, else one sentence that names the folder."""

    refusal: str = ""

    def __bool__(self) -> bool:
        """Return True if the request is allowed."""
        return not self.refusal


def allowed(principal: Principal, right: Right, name: str) -> AccessDecision:
    """Decide whether `principal` has a right for the definition `name`.

    The name "" stands for everything, for example for a list. A change of a name needs the right for both
    names.
    """
    holders: list[tuple[str, Rights]] = [(principal.user.name, principal.user.rights)]
    if principal.token is not None and principal.token.rights is not None:
        holders.append((f"the token {principal.token.name}", principal.token.rights))
    # Every holder must have the right, so a token can only reduce what its user may do.
    for holder, rights in holders:
        if not _cover(rights.get(right, ()), name):
            return AccessDecision(f"{holder} does not have the right `{right}` for {_folder_of(name)}")
    return AccessDecision()


def _cover(folders: tuple[str, ...], name: str) -> bool:
    return any(folder == EVERYTHING or name.startswith(folder) for folder in folders)


def _folder_of(name: str) -> str:
    if not name:
        return "the whole registry"
    folder = name.rpartition("/")[0]
    return f"the folder {folder}/" if folder else "the top folder"


@dataclass(frozen=True, slots=True)
class Users:
    """All users and tokens of one state of the users file."""

    users: Mapping[str, User]
    tokens: Mapping[str, Token]
    by_sha256: Mapping[str, Token]

    def token_of(self, text: str) -> Token | None:
        """Return the token with this text, or None."""
        return self.by_sha256.get(sha256_of(text))


def new_token() -> str:
    """Return the text of a new token: the prefix and 256 random bits in hexadecimal."""
    return f"{TOKEN_PREFIX}{secrets.token_hex(_TOKEN_BYTES)}"


def looks_like_token(text: str) -> bool:
    """Return True if `text` has the form of a token."""
    return _TOKEN.match(text) is not None


def sha256_of(token: str) -> str:
    """Return the SHA-256 of a token in hexadecimal.

    A fast hash is enough: 256 random bits cannot be guessed.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def time_text(time: datetime) -> str:
    """Return a time with a time zone as the users file has it, in UTC and whole seconds."""
    return time.astimezone(UTC).strftime(_TIME_FORMAT)


def document_of_user(user: User) -> dict[str, Any]:
    """Return the entry of a user in the document."""
    return {
        "email": user.email,
        **({"name": user.full_name} if user.full_name else {}),
        **({"password": user.password} if user.password is not None else {}),
        "rights": _document_of_rights(user.rights),
    }


def document_of_token(token: Token) -> dict[str, Any]:
    """Return the entry of a token in the document."""
    return {
        "user": token.user,
        "sha256": token.sha256,
        **({"expires": time_text(token.expires)} if token.expires is not None else {}),
        **({"rights": _document_of_rights(token.rights)} if token.rights is not None else {}),
    }


def _document_of_rights(rights: Rights) -> dict[str, list[str]]:
    return {right: list(rights[right]) for right in RIGHTS if right in rights}


class UsersProblem(NamedTuple):
    """One mistake in the users file."""

    span: Span
    message: str
    hint: str


def parse_users(data: bytes, path: str) -> Users:
    """Parse the bytes of a users file; `path` is its name in messages.

    Raises UsageError with line and column of each mistake. A message never repeats a password hash.
    """
    reading = yaml.read(data, path)
    problems = [UsersProblem(one.span, one.message, one.hint) for one in reading.problems]
    if reading.document is None or problems:
        raise _invalid(path, problems)
    problems = list(_problems(reading.document))
    if problems:
        raise _invalid(path, problems)
    return _users(reading.document.data)


def require_valid_entry(section: Literal["users", "tokens"], name: str, entry: Mapping[str, Any]) -> None:
    """Raise UsageError with the first mistake in a new entry, before it has a place in a file."""
    schema, _ = _schema()
    data = {"users": {}, section: {name: entry}}
    for one in explain(schema, data):
        raise UsageError(one.message, one.hint)


def _invalid(path: str, problems: list[UsersProblem]) -> UsageError:
    if not problems:
        return UsageError(f"{path} is empty", "`registry user add` adds the first user")
    first, *others = sorted(problems, key=lambda one: one.span)
    lines = [f"{_place(one)}: {one.message}{f'; {one.hint}' if one.hint else ''}" for one in others]
    return UsageError(f"{_place(first)}: {first.message}", first.hint, lines)


def _place(problem: UsersProblem) -> str:
    return f"{problem.span.path}:{problem.span.line}:{problem.span.column}"


@lru_cache(maxsize=1)
def _schema() -> "tuple[dict[str, Any], jsonschema_rs.Draft202012Validator]":
    import jsonschema_rs

    schema = json.loads(Path(__file__).with_name("users.schema.json").read_bytes())
    return schema, jsonschema_rs.Draft202012Validator(schema)


def _problems(document: yaml.ParsedDocument) -> Iterator[UsersProblem]:
    schema, validator = _schema()
    # References between entries are checked in a valid document only, where every key that is read below
    # exists.
    if not validator.is_valid(document.data):
        for one in explain(schema, document.data):
            yield UsersProblem(document.span(one.pointer, key=one.is_key), one.message, one.hint)
        return
    users, hashes = document.data["users"], set()
    for name, token in document.data.get("tokens", {}).items():
        here = ("tokens", name)
        if token["user"] not in users:
            message = f"there is no user `{token['user']}` for the token `{name}`"
            yield UsersProblem(document.span((*here, "user")), message, nearest(token["user"], users))
        if token["sha256"] in hashes:
            message = f"the token `{name}` is the same as another one"
            yield UsersProblem(document.span((*here, "sha256")), message, "remove one of them")
        hashes.add(token["sha256"])
        if "expires" in token and _time(token["expires"]) is None:
            message = "this day does not exist"
            yield UsersProblem(document.span((*here, "expires")), message, "")


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _users(data: Mapping[str, Any]) -> Users:
    users = {
        name: User(
            name, entry["email"], entry.get("name", ""), entry.get("password"), _rights(entry["rights"])
        )
        for name, entry in data["users"].items()
    }
    tokens = {
        name: Token(
            name,
            entry["user"],
            entry["sha256"],
            _time(entry["expires"]) if "expires" in entry else None,
            _rights(entry["rights"]) if "rights" in entry else None,
        )
        for name, entry in data.get("tokens", {}).items()
    }
    return Users(
        MappingProxyType(users),
        MappingProxyType(tokens),
        MappingProxyType({token.sha256: token for token in tokens.values()}),
    )


def _rights(entry: Mapping[str, list[str]]) -> Rights:
    return MappingProxyType({right: tuple(folders) for right, folders in entry.items()})
