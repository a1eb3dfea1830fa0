"""Build the history of each definition from git's raw changes, commit by commit; pure.

A definition is followed by its id if its file has one, else by its path and git's renames. Commits come in
the order of `registry.git.order`: for a merge, first the history of its first parent, then the commits of the
branch. Two rules apply:

- On the main line (from the last commit along first parents) the state is exact: the definition at each path
  and its content. At a merge into it, the state before the branch is restored, and the changes of the merge
  against its first parent are applied. The newest revision of a definition then has the content of the merge.
- On a branch, a changed file is found by its previous path and content, because the state is that of the main
  line.
"""

from collections.abc import Callable, Iterator, Sequence

from registry.git import CommitOrder, LogCommit, LogRow
from registry.history.archive import History
from registry.history.commit_changes import CommitChanges
from registry.history.lineage import Ids, LineageStore
from registry.history.main_line_merge import MainLineMerge
from registry.model.definition import kind_and_name


def is_definition_row(row: LogRow, prefix: str) -> bool:
    """True when a changed path (before or after) is that of a definition."""
    return _is_definition(row.path, prefix) or (
        row.old_path != row.path and _is_definition(row.old_path, prefix)
    )


def relative_row(row: LogRow, prefix: str) -> LogRow:
    """Return a row with paths relative to the registry, whose folder is `prefix`."""
    start = len(prefix)
    return row._replace(old_path=row.old_path[start:], path=row.path[start:]) if start else row


def _is_definition(path: str, prefix: str) -> bool:
    return (
        kind_and_name(path) is not None
        if not prefix
        else path.startswith(prefix) and kind_and_name(path[len(prefix) :]) is not None
    )


class HistoryBuilder:
    """Follows every definition through all commits.

    The result becomes a `History` and can be continued later.
    """

    def __init__(
        self,
        prefix: str,
        order: CommitOrder,
        read_commit: Callable[[str], LogCommit],
        history: History | None = None,
    ) -> None:
        """Start with the first commit, or continue after the end of `history`.

        `prefix` is the registry's folder within the repository ("" or "folder/"). `read_commit` returns the
        author, date and message of a merge without changes against its first parent.
        """
        self.prefix = prefix
        self._merges, self._branched = order.merges, order.branched
        self._lineages = LineageStore(read_commit, history)

    def stored(self) -> bytes:
        """Return the data for a `History`."""
        return b"".join(self.parts())

    def parts(self) -> Iterator[bytes]:
        """Yield the data of `stored` in parts: for 500,000 revisions it has hundreds of megabytes."""
        return self._lineages.parts()

    def take(self, commit: LogCommit, ids: Ids) -> None:
        """Add the changes of one commit; `ids` are the ids in its blobs."""
        self._lineages.is_on_branch = commit.commit in self._branched
        if commit.commit in self._merges:
            if self._lineages.is_on_branch:
                self._take_merge_on_branch(commit, ids)
            else:
                self._take_merge(commit, ids)
        elif len(commit.rows) != 1 or not self._goes_on(commit, commit.rows[0], ids):
            CommitChanges(self._lineages, commit, self._own(commit.rows), ids).take()

    def _own(self, rows: Sequence[LogRow]) -> list[LogRow]:
        """Return the rows of definitions, with paths relative to the registry."""
        own = [row for row in rows if is_definition_row(row, self.prefix)]
        return [relative_row(row, self.prefix) for row in own] if self.prefix else own

    def _goes_on(self, commit: LogCommit, row: LogRow, ids: Ids) -> bool:
        """Add the edit of one file that keeps its name and id, which is the usual commit.

        Returns False, without changes, if the commit may be more than that.
        """
        if (
            row.status != "M"
            or row.blob is None
            or row.old_path != row.path
            or not row.path.startswith(self.prefix)
        ):
            return False
        blob = row.blob
        row = relative_row(row, self.prefix)
        lineage, found = self._lineages.paths.get(row.path), kind_and_name(row.path)
        if lineage is None or found is None or lineage.path != row.path or lineage.id != ids.get(blob):
            return False
        if lineage.last_blob != row.old_blob:
            return False  # on a branch, and the main line has changed it since
        self._lineages.add(lineage, commit, row, found[1])
        return True

    def _take_merge_on_branch(self, commit: LogCommit, ids: Ids) -> None:
        """Take a merge within a branch: its own changes, and the changes of the branch that it discarded."""
        rows = self._own(commit.rows)
        brought = self._own(commit.brought)
        CommitChanges(self._lineages, commit, rows, ids, brought).take()
        made = {row.path for row in rows}
        for row in brought:
            lineage, found = self._lineages.paths.get(row.old_path), kind_and_name(row.path)
            if row.path in made or lineage is None or found is None or row.blob == row.old_blob:
                continue
            if row.blob is not None and not lineage.had(row.blob):
                continue  # the file of another definition
            if self._lineages.is_changed_on_branch(lineage) and (lineage.path, lineage.last_blob) == (
                row.old_path,
                row.old_blob,
            ):
                self._lineages.add(
                    lineage, commit, row._replace(other_blobs=(row.blob,) if row.blob else ()), found[1]
                )
                if row.blob is None:
                    lineage.path = None
                else:
                    self._lineages.put(row.path, lineage)

    def _take_merge(self, commit: LogCommit, ids: Ids) -> None:
        """Take a merge into the main line, which ends a branch."""
        made = {row.path: row for row in self._own(commit.rows)}
        MainLineMerge(self._lineages, commit, made, self._own(commit.brought), ids).take()
