"""Automatic fixes for `registry check --fix`: small text edits that keep comments and all other bytes.

A fix is proposed only where the file has a single possible meaning. It is kept only if the changed file
parses to exactly the intended document, the fixed findings are gone and no finding is new. All checks run in
memory: each file is written once, after its result is verified.

`proposals` has the fix of each rule, `fixer` tries them on a file, and `edits` has what both work with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.autofix.fixer import Check, FileFixer
from registry.files.atomic_write import replace_in
from registry.load.kinds import Kinds, load_kinds
from registry.load.work_tree import EditedWorkTree, WorkTree
from registry.model.definition import kind_and_name
from registry.pipeline import check_source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from registry.model.problem import Problem


@dataclass(frozen=True, slots=True)
class FixedFile:
    """A file that was changed, before and after."""

    path: str
    before: bytes
    after: bytes


def fix_files(root: Path, paths: Iterable[str]) -> tuple[FixedFile, ...]:
    """Fix the definitions at `paths` where that is safe, and return the changed files.

    Raises UsageError when a file cannot be written. A file that changes on disk in the meantime is not
    modified.
    """
    source = WorkTree(root)
    schemas = load_kinds(source)
    fixed = []
    for path, data in source.read_many(sorted(set(paths))):
        found = kind_and_name(path)
        if found is None or found[0] not in schemas[0].by_name or not isinstance(data, bytes):
            continue
        after = FileFixer(path, schemas[0].by_name[found[0]], _checker(root, path, schemas)).fixed(data)
        if after != data and next(source.read_many([path]))[1] == data:
            fixed.append(FixedFile(path, data, after))
    for one in fixed:
        replace_in(root, one.path, one.after)
    return tuple(fixed)


def _checker(root: Path, path: str, schemas: tuple[Kinds, tuple[Problem, ...]]) -> Check:
    def check(data: bytes) -> tuple[Problem, ...]:
        problems = check_source(EditedWorkTree(root, path, data), only={path}, schemas=schemas).problems
        return tuple(problem for problem in problems if problem.span.path == path)

    return check
