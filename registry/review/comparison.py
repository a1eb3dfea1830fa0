"""Compare two revisions of a registry. Only files that differ are read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from registry.changes.compare import GUARDS, Changed, Comparison, Side, What, compare, judged_by_settings
from registry.changes.guards import loosened_settings
from registry.changes.meaning import Meaning, meaning
from registry.changes.schema_guards import loosened_schema
from registry.errors import UsageError
from registry.git import Repository, as_pattern
from registry.load.defaults import SCHEMA_FOLDER, TEMPLATES_FOLDER
from registry.load.kinds import Kind, Kinds, load_kinds
from registry.load.loader import load_definitions
from registry.load.search import paths_with
from registry.load.settings import SETTINGS_PATH, Settings, source_date_epoch
from registry.load.source import Commit, Source, open_source
from registry.load.x_registry import DEPRECATION
from registry.model.definition import Definition, definition_path, kind_and_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path


def compare_revisions(root: Path, base: str, head: str = "worktree") -> Comparison:
    """Return what changed from the commit that `base` names to `head`.

    `head` is a revision or `worktree`. Raises UsageError if one of them cannot be read: a failed comparison
    must not look like "no changes".
    """
    after = open_source(root, head)
    repository = after.repository
    if repository is None:
        raise UsageError(
            f"{root} is not in a git repository, so there is nothing to compare",
            "run `git init` and commit the files",
        )
    return compare_sources(Commit(root, repository, repository.resolve(base)), after)


def compare_sources(before: Commit, after: Source) -> Comparison:
    """Return what changed from one source to another of the same repository.

    The settings of `before` determine the levels, so that a change cannot loosen its own rules. Raises
    UsageError if the settings of `before` or a changed definition cannot be read.
    """
    repository = before.repository
    touched = touched_paths(after, repository, before.commit, after.commit)
    settings, problems = before.settings, before.settings_problems
    if problems:
        raise UsageError(
            f"the settings of {before.commit[:12]} cannot be read: {problems[0].message}",
            "fix registry.yaml on that branch first",
        )
    old_kinds, own_kinds = _kinds_of(before, after, touched)
    new_kinds = own_kinds.with_secret_fields_of(old_kinds)  # fields hidden in the base stay hidden
    changed = {path for path in touched if kind_and_name(path)}
    was, now = _read(before, old_kinds, changed), _read(after, new_kinds, changed)
    named = (_machines(was, old_kinds) | _machines(now, new_kinds)) - changed
    sides = [
        Side(definitions, kinds, _read(source, kinds, named) if named else ())
        for source, kinds, definitions in ((before, old_kinds, was), (after, new_kinds, now))
    ]

    def used_by(kind: str, name: str) -> Sequence[str]:
        return _used_by(after, new_kinds, kind, name)

    found = (
        *_guards(after, touched, settings, old_kinds, own_kinds),
        *compare(*sides, settings=settings, today=_today(after, repository), used_by=used_by),
    )
    return Comparison(before.commit, None if after.is_work_tree else after.commit, found, settings)


def loosened_guards(before: Commit, after: Source, touched: frozenset[str]) -> tuple[Changed, ...]:
    """Return the entries for settings, schemas and templates only. Definitions are not compared."""
    if not any(
        path == SETTINGS_PATH or path.startswith((f"{SCHEMA_FOLDER}/", f"{TEMPLATES_FOLDER}/"))
        for path in touched
    ):
        return ()
    old_kinds, new_kinds = _kinds_of(before, after, touched)
    return tuple(_guards(after, touched, before.settings, old_kinds, new_kinds))


def _kinds_of(before: Commit, after: Source, touched: frozenset[str]) -> tuple[Kinds, Kinds]:
    """Return the kinds before and after. They are the same object if no schema differs."""
    kinds, _ = load_kinds(before)
    if SETTINGS_PATH in touched or any(path.startswith(f"{SCHEMA_FOLDER}/") for path in touched):
        return kinds, load_kinds(after)[0]
    return kinds, kinds


def _guards(
    after: Source, touched: frozenset[str], settings: Settings, old_kinds: Kinds, new_kinds: Kinds
) -> Iterator[Changed]:
    """Yield an entry for each settings or schema file that the change loosens, and one for templates.

    `settings` determine the levels.
    """
    if SETTINGS_PATH in touched:
        meanings = loosened_settings(settings, after.settings)
        yield from _guard(SETTINGS_PATH, SETTINGS_PATH, meanings, settings)
    for old in old_kinds if new_kinds is not old_kinds else ():
        path = f"{SCHEMA_FOLDER}/{old.name}.schema.json"
        yield from _guard(path, path, _loosened_kind(old, new_kinds), settings)
    templates = sorted(path for path in touched if path.startswith(f"{TEMPLATES_FOLDER}/"))
    if templates:
        more = f" and {len(templates) - 10} more" if len(templates) > 10 else ""
        changed = meaning("C204", "", more=f"{', '.join(templates[:10])}{more}")
        yield from _guard(TEMPLATES_FOLDER, templates[0], [changed], settings)


def _loosened_kind(old: Kind, new_kinds: Kinds) -> Iterable[Meaning]:
    if old.name in new_kinds.by_name:
        return loosened_schema(old, new_kinds.by_name[old.name])
    return [meaning("C203", "", more="the kind was removed, so its definitions are no longer read")]


def _guard(name: str, path: str, meanings: Iterable[Meaning], settings: Settings) -> Iterator[Changed]:
    """Yield an entry for the file at `path` unless the settings ignore all of its changes."""
    judged = tuple(one for each in meanings if (one := judged_by_settings(each, "", settings)) is not None)
    if judged:
        yield Changed(What.CHANGED, GUARDS, None, name, "", path, (), judged)


def touched_paths(source: Source, repository: Repository, base: str, tree: str | None) -> frozenset[str]:
    """Return the paths that differ from `base` to `tree` (commits or trees), relative to the registry's root.

    Uncommitted changes are included.
    """
    prefix = repository.prefix_of(source.root)
    paths = set(repository.changes(base, tree, prefix or ".")) if tree is not None else set()
    if source.is_work_tree:
        paths |= repository.changed_paths(prefix or ".").keys()
    return frozenset(path[len(prefix) :] for path in paths if path.startswith(prefix))


def _read(source: Source, kinds: Kinds, paths: Collection[str]) -> Sequence[Definition]:
    """Return the definitions at these paths. Raises UsageError if one of them is unreadable."""
    if not paths:
        return ()
    loaded = load_definitions(source, kinds, frozenset(paths))
    broken = sorted(loaded.unreadable & set(paths))
    if broken:
        why = next(
            (problem.message for problem in loaded.problems if problem.span.path == broken[0]),
            "it cannot be read",
        )
        where = "the work tree" if source.is_work_tree else f"{source.commit or ''}"[:12]
        raise UsageError(f"cannot compare: {broken[0]} in {where}: {why}", "registry check")
    return loaded.definitions


def _machines(definitions: Sequence[Definition], kinds: Kinds) -> set[str]:
    """Return the paths of the machines that definitions refer to.

    The sites of a machine count when a reference changes.
    """
    machines = kinds.using("machine")
    return {
        definition_path(reference.kind, name)
        for one in definitions
        if one.kind in kinds.by_name
        for reference, name in zip(kinds.by_name[one.kind].references, one.summary.references, strict=True)
        if name and reference.kind in machines and one.kind not in machines
    }


def _used_by(source: Source, kinds: Kinds, kind: str, name: str) -> tuple[str, ...]:
    """Return the names of the definitions that refer to the definition with this kind and name."""
    repository = source.repository
    if repository is None:
        return ()
    wanted = paths_with(source, repository, [as_pattern(name)])
    if not wanted:
        return ()
    found = load_definitions(source, kinds, frozenset(wanted)).definitions
    return tuple(
        one.name
        for one in found
        if any(
            # A deprecated definition does not use the one that replaces it.
            reference.kind == kind and named == name and reference.pointer != DEPRECATION
            for reference, named in zip(
                kinds.by_name[one.kind].references, one.summary.references, strict=True
            )
        )
    )


def _today(source: Source, repository: Repository) -> date:
    """Return the date that a sunset is compared with.

    For a commit this is its date, so that a comparison always gives the same result. For the work tree it is
    today.
    """
    given = source_date_epoch()
    if given is not None:
        return datetime.fromtimestamp(given, UTC).date()
    if source.is_work_tree or source.commit is None or not repository.is_commit(source.commit):
        return datetime.now(UTC).date()
    return date.fromisoformat(repository.commit_time(source.commit)[:10])
