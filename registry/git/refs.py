"""Names of refs. Inside the program they are full (`refs/heads/main`): a tag can have a branch's short name."""

import re

from registry.errors import UsageError

HEADS = "refs/heads/"
SHORT_FOR = ("refs/", "refs/tags/", "refs/heads/", "refs/remotes/")
"""What git puts in front of a short name, besides nothing (gitrevisions(7))."""

HIGH_WATER = "refs/registry/high-water"
"""Names the last commit that gave ids, on the remote and here: a memory that setting back a branch does not touch."""

_AMBIGUOUS = re.compile(r"refname '(.{1,4000})' is ambiguous")
# git-check-ref-format(1).
_NOT_IN_A_NAME = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^/|/$|\.$|(?:^|/)\.|\.lock(?:/|$)|^-|^@$|^$"
)


def branch_ref(name: str) -> str:
    """The full name of a branch that a user names, in short or in full. Raises UsageError for what no branch can be called."""
    short = name.removeprefix(HEADS)
    if _NOT_IN_A_NAME.search(short):
        raise UsageError(f"{name!r} cannot be the name of a branch", "as in --branch main")
    return f"{HEADS}{short}"


def base_of(revision: str) -> str:
    """The name that a revision starts with, before `~2`, `^`, `@{1}` or `:path`."""
    return re.split(r"[~^:]|@\{", revision, maxsplit=1)[0]


def ambiguous_name(said: str) -> str | None:
    """The name that git calls ambiguous, or None."""
    found = _AMBIGUOUS.search(said)
    return found[1] if found else None
