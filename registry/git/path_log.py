"""The commits that changed some paths, parsed from the output of `git log`."""

from collections.abc import Iterable
from typing import NamedTuple

from registry.git.log import decoded_path, nul_terminated
from registry.git.order import CommitOrder, commit_order

PATH_LOG = (
    "log",
    "-z",
    "--raw",
    "--no-renames",
    "--no-abbrev",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    # All commits, with their true parents.
    "--full-history",
    "--sparse",
    "--parents",
    "--diff-merges=first-parent",
    # A row for each changed folder above a changed path.
    "-t",
    "--format=%H %P",
)
"""The command whose output `parse_path_log` reads."""


class PathLog(NamedTuple):
    """All commits in reading order, and the names of those that changed a path, by path.

    A path is that of a file, or of a folder in which any file changed. A merge is compared with its first
    parent.
    """

    order: CommitOrder
    changed: dict[str, set[str]]


def parse_path_log(chunks: Iterable[bytes], head: str, folder: str) -> PathLog:
    """Parse the output of `PATH_LOG` for the history of `head`; its paths are relative to `folder`."""
    parents: dict[str, str] = {}
    changed: dict[str, set[str]] = {}
    name = ""
    tokens = nul_terminated(chunks)
    for token in tokens:
        if token[:1] in (":", "\n"):
            changed.setdefault(folder + decoded_path(next(tokens)), set()).add(name)
        elif token:
            name, _, parents[name] = token.partition(" ")
    return PathLog(commit_order(parents, head), changed)
