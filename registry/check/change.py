"""Rules for changes to ids.

Only `registry index`, on the target branch, assigns ids and writes the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.check.rule import MergeTarget, Registry, Rule
from registry.load.settings import SETTINGS_PATH
from registry.model.definition import (
    LEDGER_FOLDER,
    LEDGER_PATH,
    Definition,
    definition_path,
    is_ledger_path,
    kind_and_name,
)
from registry.model.problem import Problem, Severity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

_DELETE = "delete the id line: `registry index` assigns an id after the merge"


def _touched(registry: Registry) -> Iterator[tuple[MergeTarget, Definition]]:
    """Yield the definitions that the change adds or edits, each with the target branch."""
    if registry.target is not None:
        for definition in registry.loaded.definitions:
            if definition.path in registry.target.touched:
                yield registry.target, definition


def _holder(registry: Registry, target: MergeTarget, kind: str, number: int) -> str | None:
    """Return the path that has an id on the target branch, or None."""
    # Files that the change touches count with their id on the target branch: the change may have edited the
    # id away.
    for path, one in target.ids.items():
        if one == number and (kind_and_name(path) or ("",))[0] == kind:
            return path
    return next(
        (
            one.path
            for one in registry.loaded.definitions
            if (one.kind, one.id) == (kind, number) and one.path not in target.touched
        ),
        None,
    )


def _exists(registry: Registry, path: str) -> bool:
    found = kind_and_name(path)
    return path in registry.loaded.unreadable | registry.loaded.elsewhere or (
        found is not None and found in registry.by_name
    )


def _in_new_file(rule: Rule, registry: Registry) -> Iterator[Problem]:
    for target, definition in _touched(registry):
        number = definition.id
        if (
            number is None
            or definition.path in target.ids
            or _holder(registry, target, definition.kind, number) is not None
        ):
            continue
        if (definition.kind, number) not in target.last_names:
            yield rule.problem(
                definition,
                ("id",),
                f"new file with the id {number}, which was never assigned",
                f"{_DELETE}; to take over ids of another registry, run `registry import` on the target "
                "branch",
            )


def _changed(rule: Rule, registry: Registry) -> Iterator[Problem]:
    for target, definition in _touched(registry):
        before = target.ids.get(definition.path)
        if before is None and definition.path in target.ids and definition.id is not None:
            yield rule.problem(definition, ("id",), f"the id {definition.id} was added by hand", _DELETE)
        elif before is not None and definition.id is None:
            yield rule.problem(
                definition,
                ("title",),
                f"the id {before} was removed",
                f"restore it: id: {before}",
                key=True,
            )
        elif before is not None and definition.id != before:
            yield rule.problem(
                definition,
                ("id",),
                f"the id changed from {before} to {definition.id}",
                f"restore it: id: {before}",
            )


def _taken_from_existing_file(rule: Rule, registry: Registry) -> Iterator[Problem]:
    for target, definition in _touched(registry):
        if definition.id is None or definition.path in target.ids:
            continue
        holder = _holder(registry, target, definition.kind, definition.id)
        there = registry.by_name.get(kind_and_name(holder) or ("", "")) if holder is not None else None
        if holder is not None and _exists(registry, holder) and (there is None or there.id != definition.id):
            yield rule.problem(
                definition,
                ("id",),
                f"the id {definition.id} belongs to {holder}, which still exists",
                f"{_DELETE}; keep the id in {holder}",
            )


def _restored_elsewhere(rule: Rule, registry: Registry) -> Iterator[Problem]:
    for target, definition in _touched(registry):
        if (
            definition.id is None
            or definition.path in target.ids
            or _holder(registry, target, definition.kind, definition.id) is not None
        ):
            continue
        name = target.last_names.get((definition.kind, definition.id), definition.name)
        if name != definition.name:
            yield rule.problem(
                definition,
                ("id",),
                f"the id {definition.id} belonged to {name}, which was deleted",
                f"restore it as {definition_path(definition.kind, name)}, or {_DELETE}",
            )


def _ledger(rule: Rule, registry: Registry) -> Iterator[Problem]:
    touched = sorted(filter(is_ledger_path, registry.target.touched)) if registry.target is not None else []
    if not touched:
        return
    hint = f"git checkout TARGET -- {LEDGER_PATH}"
    if touched != [LEDGER_PATH]:
        # Unlike checkout, this removes segments that the target does not have.
        places = f"{LEDGER_PATH} {LEDGER_FOLDER}" if LEDGER_PATH in touched else LEDGER_FOLDER
        hint = f"git restore --source TARGET --staged --worktree -- {places}"
    yield Problem(
        rule.id,
        rule.severity,
        Span(touched[0]),
        "the change edits the ledger, which only `registry index` writes",
        hint,
    )


def _registry_id(rule: Rule, registry: Registry) -> Iterator[Problem]:
    if registry.target is not None and registry.target.registry_id_is_touched:
        yield Problem(
            rule.id,
            rule.severity,
            Span(SETTINGS_PATH),
            "the change edits registry_id, which identifies this registry",
            f"git checkout TARGET -- {SETTINGS_PATH}",
        )


_GOOD = "title: T\ndefinition: {exec: /bin/true}\n"
_PATH = "definitions/process_definition/"
_ENTRY = (
    '{"kind":"process_definition","id":1,"name":"another","state":"live","commit":null,'
    '"prev":"example-registry"}\n'
)
_SETTINGS = "registry_id: example-registry\n"
RULES = (
    Rule(
        "I030",
        Severity.ERROR,
        "Id in a new file",
        "Two changes could choose the same id, so ids are assigned after the merge.",
        "id: 7\n" + _GOOD,
        _GOOD,
        find_all=_in_new_file,
        kind="*",
        before={"registry.yaml": _SETTINGS},
    ),
    Rule(
        "I031",
        Severity.ERROR,
        "Changed or removed id",
        "Clients store ids and would no longer find the definition.",
        "id: 2\n" + _GOOD,
        "id: 1\n" + _GOOD,
        find_all=_changed,
        kind="*",
        before={f"{_PATH}example.yaml": "id: 1\n" + _GOOD},
    ),
    Rule(
        "I032",
        Severity.ERROR,
        "Id taken from an existing file",
        "A renamed file keeps its id. A copy starts without one.",
        "id: 1\n" + _GOOD,
        _GOOD,
        find_all=_taken_from_existing_file,
        kind="*",
        before={f"{_PATH}another.yaml": "id: 1\n" + _GOOD},
        beside={"process_definition/another": _GOOD},
    ),
    Rule(
        "I033",
        Severity.ERROR,
        "Id of a deleted definition under another name",
        "Clients that stored the id would get another definition.",
        "id: 1\n" + _GOOD,
        "file: another\nid: 1\n" + _GOOD,
        find_all=_restored_elsewhere,
        kind="*",
        before={"registry.yaml": _SETTINGS, LEDGER_PATH: _ENTRY},
    ),
    Rule(
        "I034",
        Severity.ERROR,
        "Edited ledger",
        "The ledger records every id ever assigned.",
        f"file: /{LEDGER_PATH}\n" + _ENTRY.replace("1", "2"),
        _GOOD,
        find_all=_ledger,
        kind="*",
        before={"registry.yaml": _SETTINGS, LEDGER_PATH: _ENTRY},
    ),
    Rule(
        "I035",
        Severity.ERROR,
        "Changed `registry_id`",
        "With another `registry_id`, `registry index` assigns no ids.",
        "file: /registry.yaml\nregistry_id: another-registry\n",
        _GOOD,
        find_all=_registry_id,
        kind="*",
        before={"registry.yaml": _SETTINGS},
    ),
)
