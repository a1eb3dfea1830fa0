"""The order in which commits are read: it only grows at the end while the main line advances; pure."""

from collections.abc import Mapping
from typing import NamedTuple


class CommitOrder(NamedTuple):
    """Commits in reading order, and their position in the graph.

    `names` are the commits, oldest first. `merges` maps each merge to its first parent. `branched` are the
    commits off the main line. The main line is the last commit, its first parent, the first parent of that,
    and so on.
    """

    names: list[str]
    merges: Mapping[str, str]
    branched: frozenset[str]


def commit_order(parents: Mapping[str, str], head: str) -> CommitOrder:
    """Return the commits of `parents` reachable from `head`; `parents` as in `in_order`."""
    names = in_order(parents, head)
    merges = {name: above.partition(" ")[0] for name in names if " " in (above := parents[name])}
    if not merges:
        return CommitOrder(names, merges, frozenset())
    branched = set(names)
    name = head
    while name in parents:
        branched.discard(name)
        name = parents[name].partition(" ")[0]
    return CommitOrder(names, merges, frozenset(branched))


def in_order(parents: Mapping[str, str], head: str) -> list[str]:
    """Return the commits of `parents` reachable from `head`, oldest first.

    For every commit: the history of its first parent, then what each other parent adds, then the commit
    itself. Commits of a branch come directly before its merge, regardless of age, and no commit comes before
    its parents. Git's own topological order inserts the commits of an updated branch between earlier ones.
    `parents` maps each commit to its parents as git lists them: separated by blanks, "" for a root commit.
    """
    left = dict(parents)
    order: list[str] = []
    # Commits to continue from, and lines of commits, newest first, to add once all above them on the stack is
    # done.
    stack: list[str | list[str]] = [head]
    while stack:
        name = stack.pop()
        if isinstance(name, list):
            order += reversed(name)
            continue
        line = []
        while (above := left.pop(name, None)) is not None:
            line.append(name)
            name = above
            if " " in above:
                stack.append(line)
                stack += reversed(above.split(" "))
                break
        else:
            order += reversed(line)
    return order
