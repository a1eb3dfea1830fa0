"""A change as it would be after the merge: the merge result with the target as it is now, checked together with its ids."""

from dataclasses import dataclass
from pathlib import Path

from registry import yaml
from registry.build import check_source
from registry.check.rule import Target
from registry.errors import Problem, Severity, Span, UsageError
from registry.git import Conflict, Repository, open_repository
from registry.ids import parse_ledger
from registry.loader import LEDGER_PATH, kind_and_name
from registry.settings import SETTINGS_PATH, parse_settings
from registry.source import READ_LARGE, Commit, Source, open_source


@dataclass(frozen=True, slots=True)
class Review:
    """What is wrong with a change. `count` definitions were looked at, in `source`; `note` says what was not, if anything."""

    problems: tuple[Problem, ...]
    source: Source
    count: int = 0
    note: str = ""


def review(root: Path, target: str, revision: str = "worktree") -> Review:
    """Check what `revision` (a commit, or the work tree) would be after its merge into `target`."""
    opened = open_source(root, revision)
    repository = opened.repository
    if repository is None:
        raise UsageError(f"{root} is not in a git repository, so there is no {target!r} to compare with", "leave out --base")
    base = repository.resolve(target)
    head = opened.commit
    if head is None:
        raise UsageError("nothing was committed yet", "git add . && git commit")
    source, tree, note = opened, head, ""
    if not repository.is_ancestor(base, head):
        merged = repository.merge(base, head)
        if isinstance(merged, Conflict):
            return Review(_conflicts(merged, target, repository.prefix_of(root)), opened)
        source, tree = Commit(root, repository, merged), merged
        if opened.is_work_tree and repository.changed_paths(repository.prefix_of(root) or "."):
            note = f"checked as merged with {target}: what is not committed was left out"
    return _review(source, Commit(root, open_repository(root) or repository, base), tree, note)


def _review(source: Source, base: Commit, tree: str, note: str) -> Review:
    repository = base.repository
    touched = _touched(source, repository, base.commit, tree)
    target = _target(base, touched, parse_settings(source.read(SETTINGS_PATH))[0].registry_id)
    checked = check_source(source, target)
    return Review(checked.problems, source, len(checked.loaded.definitions), note)


def _touched(source: Source, repository: Repository, base: str, tree: str) -> frozenset[str]:
    """Paths that differ from the target, those that are not committed included; relative to the registry's root."""
    prefix = repository.prefix_of(source.root)
    paths = set(repository.changes(base, tree, prefix or "."))
    if source.is_work_tree:
        paths |= repository.changed_paths(prefix or ".").keys()
    return frozenset(path[len(prefix) :] for path in paths if path.startswith(prefix))


def _target(base: Commit, touched: frozenset[str], registry_id: str) -> Target:
    there = {entry.path for entry in base.entries("definitions")}
    wanted = [path for path in sorted(touched & there) if kind_and_name(path)]
    ids = {path: _id_in(data) for path, data in base.read_many(wanted)}
    settings, _ = parse_settings(base.read(SETTINGS_PATH))
    ledger, _ = parse_ledger(base.read(LEDGER_PATH, at_most=READ_LARGE), settings.registry_id)
    names = {key: entry.name for key, entry in ledger.latest.items()}
    return Target(touched, ids, names, settings.registry_id not in ("", registry_id))


def _id_in(data: bytes | None) -> int | None:
    document = yaml.read_data(data) if data is not None else None
    number = document.get("id") if isinstance(document, dict) else None
    return number if type(number) is int and number > 0 else None


def _conflicts(merged: Conflict, target: str, prefix: str) -> tuple[Problem, ...]:
    hint = f"git merge {target}, and solve it there"
    return tuple(
        Problem("I036", Severity.ERROR, Span(path.removeprefix(prefix)), f"changed here and on {target}, in ways that do not fit together", hint)
        for path in merged.paths
    )
