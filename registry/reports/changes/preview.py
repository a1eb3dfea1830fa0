"""The banner and the marks of a site that shows a proposed change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.errors import UsageError
from registry.load.source import Commit
from registry.model.addresses import CHANGES, page_file, top_from
from registry.reports.changes.html import parts_for_site
from registry.reports.changes.words import comparison_summary
from registry.review.comparison import compare_sources
from registry.snapshot import Preview

if TYPE_CHECKING:
    from registry.load.source import Source


def preview_of(source: Source, title: str, base: str) -> Preview:
    """Return the preview of the change from the branch `base` to `source`.

    The change is compared with the merge base: commits that only the target branch has are not part of it.
    Raises UsageError if there are no commits, or no commit is called `base`.
    """
    repository, commit = source.repository, source.commit
    if repository is None or commit is None:
        raise UsageError("there are no commits to compare with", "omit --preview")
    target = repository.resolve(base)
    merge_base = repository.common_ancestor(target, commit) or target
    comparison = compare_sources(Commit(source.root, repository, merge_base), source)
    marks = {(one.kind, one.name): one.what.value for one in comparison.changed}
    parts = parts_for_site(comparison, top_from(page_file(CHANGES)))
    return Preview(title, comparison_summary(comparison), marks, parts.body, parts.by_definition)
