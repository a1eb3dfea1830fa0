"""The order in which commits are read: it only ever grows at its end while the main line goes on; pure."""

from collections.abc import Mapping
from typing import NamedTuple


class CommitOrder(NamedTuple):
    """Commits in the order in which they are read, and where they stand in the graph.

    `names` are the commits, oldest first. `merges` names the first parent of each merge among them. `branched` are those that
    are not on the main line: the last commit, its first parent, the first parent of that, and so on.
    """

    names: list[str]
    merges: Mapping[str, str]
    branched: frozenset[str]


def commit_order(parents: Mapping[str, str], head: str) -> CommitOrder:
    """The commits of `parents` that `head` holds; `parents` as in `in_order`."""
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
    """The commits of `parents` that `head` holds, oldest first: what its first parent holds, what each further one brings, itself.

    So with every commit. What a branch brings comes right before its merge, however old it is, and no commit comes before its
    parents. Git's own topological order puts what an updated branch brings between commits that were there before.
    `parents` are those of each commit, as git lists them: with blanks between, "" of the first one.
    """
    left = dict(parents)
    order: list[str] = []
    # Commits to go on from, and lines of commits, newest first, that follow once all above them on the stack is done.
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
