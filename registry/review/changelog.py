"""List what changed in a registry since a revision or date: the changes, their meaning and their commits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from registry.errors import UsageError
from registry.history.reader import begin_log
from registry.load.source import Commit, open_source
from registry.model.definition import definition_path
from registry.review.comparison import compare_sources

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from registry.changes.compare import Changed, Comparison
    from registry.git import LogCommit, Repository

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:]{5,8}(?:Z|[+-][0-9]{2}:[0-9]{2})?)?")


@dataclass(frozen=True, slots=True)
class ChangelogEntry:
    """One changed definition with the commits that changed it, newest first."""

    changed: Changed
    commits: tuple[LogCommit, ...]


@dataclass(frozen=True, slots=True)
class Changelog:
    """The changes since `since` (a description in words), most severe first."""

    title: str
    since: str
    comparison: Comparison
    entries: tuple[ChangelogEntry, ...]


def changelog(root: Path, since: str | None = None, head: str = "HEAD") -> Changelog:
    """Return the changes up to `head`.

    The start is a revision, a date (YYYY-MM-DD), or by default the newest tag before `head`. Without any tag,
    all changes since the first commit are returned. A date selects the newest commit on the main line (first
    parents) that was committed before it.

    Raises UsageError if there are no commits, no such start, or a file cannot be read.
    """
    after = open_source(root, head)
    repository, commit = after.repository, after.commit
    if repository is None or commit is None:
        raise UsageError(
            f"{root} has no commits, so there are no changes to list", "run `git init` and commit the files"
        )
    base, words = _base(repository, commit, since)
    before = Commit(root, repository, base or repository.empty_tree())
    comparison = compare_sources(before, after)
    settings = after.settings
    prefix = repository.prefix_of(root)
    mailmap = repository.mailmap(commit)
    commits = begin_log(repository, repository.order(commit, base), prefix).commits()
    # Newest first: a definition is followed back from its current name through renames.
    newest_first = [one._replace(author=mailmap.name(one.author, one.email)) for one in commits][::-1]
    entries = tuple(
        ChangelogEntry(one, tuple(_commits_of(one, newest_first, prefix))) for one in comparison.changed
    )
    return Changelog(settings.title, words, comparison, entries)


def _base(repository: Repository, commit: str, since: str | None) -> tuple[str | None, str]:
    """Return the start commit (None for the beginning) and its name."""
    if since is None:
        # A tag on the commit itself would give an empty list: release notes are written when a release is
        # tagged.
        tag = repository.newest_tag(commit, before=True)
        return (repository.resolve(f"refs/tags/{tag}"), tag) if tag else (None, "the beginning")
    if not _DATE.fullmatch(since):
        base = repository.resolve(since)
        if not repository.is_ancestor(base, commit):
            raise UsageError(
                f"{since!r} is not an ancestor of {commit[:12]}",
                "`registry diff` compares any two revisions",
            )
        return base, since
    try:
        moment = datetime.fromisoformat(since.replace("Z", "+00:00"))
    except ValueError as error:
        raise UsageError(f"{since!r} is not a valid date", "use the format YYYY-MM-DD") from error
    return repository.commit_before(
        commit, int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    ), since


def _commits_of(changed: Changed, newest_first: Iterable[LogCommit], prefix: str) -> Iterable[LogCommit]:
    """Return the commits that changed a definition, followed back through renames."""
    paths = {prefix + changed.path, prefix + definition_path(changed.kind, changed.name)}
    for commit in newest_first:
        rows = [
            row for row in commit.rows if row.path in paths or (row.status == "D" and row.old_path in paths)
        ]
        if rows:
            paths |= {row.old_path for row in rows}
            yield commit
