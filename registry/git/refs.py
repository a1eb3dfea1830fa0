"""Names of refs, and updates of their values.

The program uses full names (`refs/heads/main`), since a tag can share a branch's short name.
"""

import re
from typing import NamedTuple

from registry.errors import UsageError

HEADS = "refs/heads/"
SHORT_FOR = ("refs/", "refs/tags/", "refs/heads/", "refs/remotes/")
"""Prefixes that git adds to a short name, besides the empty one (gitrevisions(7))."""

HIGH_WATER = "refs/registry/high-water"
"""Names the last commit that assigned ids, here and on the remote; resetting a branch does not change it."""

_AMBIGUOUS = re.compile(r"refname '(.{1,4000})' is ambiguous")
# git-check-ref-format(1).
_NOT_IN_A_NAME = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^/|/$|\.$|(?:^|/)\.|\.lock(?:/|$)|^-|^@$|^$"
)


def branch_ref(name: str) -> str:
    """Return the full name of a branch from its short or full name. Raises UsageError for an invalid name."""
    short = name.removeprefix(HEADS)
    if _NOT_IN_A_NAME.search(short):
        raise UsageError(f"{name!r} cannot be the name of a branch", "as in --branch main")
    return f"{HEADS}{short}"


def base_of(revision: str) -> str:
    """Return the name that a revision starts with, before `~2`, `^`, `@{1}` or `:path`."""
    return re.split(r"[~^:]|@\{", revision, maxsplit=1)[0]


def ambiguous_name(message: str) -> str | None:
    """Return the name that git reports as ambiguous, or None."""
    found = _AMBIGUOUS.search(message)
    return found[1] if found else None


class RefUpdate(NamedTuple):
    """Set `ref` (a full name) to the commit `new`, if its value is `old` (None: there is no such ref)."""

    ref: str
    new: str
    old: str | None
