"""Review a change: check the result of its merge into the current target, including ids."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from registry.check.rule import MergeTarget
from registry.errors import UsageError
from registry.git import (
    Conflict,
    Repository,
    as_pattern,
    git_directories_in,
    git_directories_touched,
)
from registry.ids import parse_ledger_files
from registry.load import yaml
from registry.load.defaults import SCHEMA_FOLDER
from registry.load.kinds import load_kinds
from registry.load.ledger_files import read_ledger_files
from registry.load.loader import git_directory_problem
from registry.load.search import paths_with
from registry.load.settings import SETTINGS_PATH
from registry.load.source import Commit, Source, open_source
from registry.model.definition import definition_path, id_of, kind_and_name, text_at
from registry.model.pointer import steps_of
from registry.model.problem import Problem, Severity, Span
from registry.pipeline import Checked, check_source
from registry.review.comparison import loosened_guards, touched_paths

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

# From this many changed definitions on, finding related files costs more than reading everything.
_MANY = 300
# Rules that are reported in an unchanged file because of a changed one.
_BECAUSE_OF_OTHERS = frozenset(
    ("R001", "R003", "I004", "I010", "I030", "I031", "I032", "I033", "I034", "I035")
)


@dataclass(frozen=True, slots=True)
class Review:
    """The problems of a change.

    `count` is the number of checked definitions in `source`; `note` describes what was not checked, if
    anything. `base` is the target of the change. It is None if the two have conflicts, or if no target was
    given.
    """

    problems: tuple[Problem, ...]
    source: Source
    count: int = 0
    note: str = ""
    base: Commit | None = None

    @property
    def is_comparable(self) -> bool:
        """True if all files could be read and merged.

        Otherwise the problems report that, and a comparison must not report "no changes".
        """
        return not any(
            problem.severity is Severity.ERROR and problem.rule.startswith(("Y", "K", "I036"))
            for problem in self.problems
        )


def review(root: Path, target: str, revision: str = "worktree", *, of_change: bool = False) -> Review:
    """Check the result of merging `revision` (a commit or the work tree) into `target`.

    With `of_change`, only files that the change touches and files related to them are read and reported.
    Otherwise all problems are reported. Raises UsageError if there are no commits, or no such revision.
    """
    opened = open_source(root, revision)
    repository = opened.repository
    if repository is None:
        raise UsageError(
            f"{root} is not in a git repository, so there is no {target!r} to compare with",
            "omit --base",
        )
    base = repository.resolve(target)
    head = opened.commit
    if head is None:
        raise UsageError("there are no commits yet", "git add . && git commit")
    source, tree, note = opened, head, ""
    if (
        not repository.is_ancestor(base, head)
        and repository.is_shallow()
        and repository.common_ancestor(base, head) is None
    ):
        note = f"the history is incomplete (shallow clone): checked without merging it with {target}"
    elif not repository.is_ancestor(base, head):
        merged = repository.merge(base, head)
        if isinstance(merged, Conflict):
            return Review(_conflicts(merged, target, repository.prefix_of(root)), opened)
        source, tree = Commit(root, repository, merged), merged
        if opened.is_work_tree and repository.changed_paths(repository.prefix_of(root) or "."):
            note = f"checked as merged with {target}, without uncommitted changes"
    return _review(source, Commit(root, repository, base), tree, note, of_change=of_change)


def review_as_it_is(source: Commit, base: Commit) -> Review:
    """Check what `source` changes in `base`, without a merge.

    This is the check for a push, whose result is exactly `source`.
    """
    return _review(source, base, source.commit, "", of_change=True)


def check_changed_files(root: Path, base: str = "HEAD") -> Review:
    """Check the files of the work tree that differ from `base`.

    Only these files, files that refer to them and files that they refer to are read. The problems reported
    for a changed file, and for references and ids of other files, are the same as in a full check. Raises
    UsageError if the registry has no commits.
    """
    source = open_source(root)
    repository = source.repository
    if repository is None or repository.head() is None:
        raise UsageError(f"{root} has no commits to compare with", "omit --changed")
    touched = touched_paths(source, repository, repository.resolve(base), repository.head() or "")
    return _narrow(source, Commit(root, repository, repository.resolve(base)), touched)


def _narrow(
    source: Source, base: Commit, touched: frozenset[str], target: MergeTarget | None = None
) -> Review:
    """Return the problems of the files at `touched`, and the problems that they cause in other files."""
    changed = {path for path in touched if kind_and_name(path)}
    if len(changed) > _MANY or SETTINGS_PATH in touched or _touches_schemas(touched):
        checked = _checked(source, base, touched, target)  # any file may be affected
        return Review(checked.problems, source, len(checked.loaded.definitions))
    wanted = changed | _around(source, base.repository, changed)
    checked = _checked(source, base, touched, target, only=wanted)
    reported = [one for one in checked.problems if one.span.path in touched or one.rule in _BECAUSE_OF_OTHERS]
    return Review(tuple(reported), source, len(changed))


def _touches_schemas(touched: frozenset[str]) -> bool:
    return any(path.startswith(f"{SCHEMA_FOLDER}/") for path in touched)


def _checked(
    source: Source,
    base: Commit,
    touched: frozenset[str],
    target: MergeTarget | None,
    only: Container[str] | None = None,
) -> Checked:
    """Check `source` as a change of `base`.

    The settings and schemas of `base` still determine what counts as a credential.
    """
    schemas = None
    if _touches_schemas(touched):
        kinds, problems = load_kinds(source)
        schemas = kinds.with_secret_fields_of(load_kinds(base)[0]), problems
    return check_source(source, target, only, schemas=schemas, base=base.settings)


def _around(source: Source, repository: Repository, changed: set[str]) -> set[str]:
    """Return the paths of definitions related to the changed ones.

    These may refer to a changed definition or have its id, or a changed definition refers to them.
    """
    kinds, _ = load_kinds(source)
    found, patterns = set(), []
    for path, data in source.read_many(sorted(changed)):
        document = yaml.read_data(data) if isinstance(data, bytes) else None
        kind = kinds.by_name.get((kind_and_name(path) or ("", ""))[0])
        if not isinstance(document, dict) or kind is None:
            continue
        if type(document.get("id")) is int:
            # Every spelling of the key in YAML and JSON. More matches than needed cost time only.
            patterns.append(f"id\"?'?: *{document['id']}([^0-9]|$)")
        for reference in kind.references:
            name = text_at(document, *steps_of(reference.pointer))
            found |= {definition_path(reference.kind, name)} if name else set()
    for path in changed:
        _, name = kind_and_name(path) or ("", "")
        patterns.append(as_pattern(name))
    return found | paths_with(source, repository, patterns)


def _review(source: Source, base: Commit, tree: str, note: str, *, of_change: bool) -> Review:
    repository = base.repository
    touched = touched_paths(source, repository, base.commit, tree)
    target = _target(base, touched, source.settings.registry_id)
    embedded = embedded_git_directories(source, base, tree, touched)
    if of_change:
        found = _narrow(source, base, touched, target)
        return replace(found, problems=_with(found.problems, embedded), note=note, base=base)
    checked = _checked(source, base, touched, target)
    loosened = [one.name for one in loosened_guards(base, source, touched)]
    if loosened:
        words = f"the change relaxes its own checks: {', '.join(loosened)} (see `registry review`)"
        note = f"{note}; {words}" if note else words
    problems = _with(checked.problems, embedded)
    return Review(problems, source, len(checked.loaded.definitions), note, base)


def _with(problems: tuple[Problem, ...], more: tuple[Problem, ...]) -> tuple[Problem, ...]:
    return (*problems, *(one for one in more if one not in problems)) if more else problems


def embedded_git_directories(
    source: Source, base: Commit, tree: str, touched: frozenset[str]
) -> tuple[Problem, ...]:
    """Return a problem for each git directory among the regular files that the change touches.

    The change is from `base` to `tree`. The directories may be anywhere in the repository: git commands that
    run below one in a clone would use its configuration.
    """
    repository = base.repository
    prefix = repository.prefix_of(source.root)
    changed = {f"{prefix}{path}" for path in touched}
    if prefix:
        changed |= repository.changes(base.commit, tree, ".").keys()

    def paths() -> list[str]:
        here = [path for path in touched if (source.root / path).exists()] if source.is_work_tree else []
        return [*(row.path for row in repository.list_tree(tree)), *(f"{prefix}{path}" for path in here)]

    return _git_directory_problems(git_directories_touched(changed, paths), prefix)


def all_git_directories(source: Commit) -> tuple[Problem, ...]:
    """Return a problem for each git directory among the regular files of a commit.

    The directories may be anywhere in the repository.
    """
    rows = source.repository.list_tree(source.commit)
    return _git_directory_problems(
        git_directories_in(row.path for row in rows), source.repository.prefix_of(source.root)
    )


def _git_directory_problems(paths: list[str], prefix: str) -> tuple[Problem, ...]:
    return tuple(git_directory_problem(posixpath.relpath(path, prefix or ".")) for path in paths)


def _target(base: Commit, touched: frozenset[str], registry_id: str) -> MergeTarget:
    there = {entry.path for entry in base.entries("definitions")}
    wanted = [path for path in sorted(touched & there) if kind_and_name(path)]
    ids = {path: _id_in(data) if isinstance(data, bytes) else None for path, data in base.read_many(wanted)}
    settings = base.settings
    ledger, _ = parse_ledger_files(read_ledger_files(base), settings.registry_id)
    names = {key: entry.name for key, entry in ledger.latest.items()}
    return MergeTarget(touched, ids, names, settings.registry_id not in ("", registry_id))


def _id_in(data: bytes) -> int | None:
    document = yaml.read_data(data)
    return id_of(document) if isinstance(document, dict) else None


def _conflicts(merged: Conflict, target: str, prefix: str) -> tuple[Problem, ...]:
    hint = f"run git merge {target} and resolve the conflict"
    return tuple(
        Problem(
            "I036",
            Severity.ERROR,
            Span(path.removeprefix(prefix)),
            f"conflicting changes here and on {target}",
            hint,
        )
        for path in merged.paths
    )
