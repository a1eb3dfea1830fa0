"""What a change may not do to ids: they are given and noted on the target branch alone, by `registry index`."""

from collections.abc import Iterator

from registry.check.rule import MergeTarget, Registry, Rule
from registry.load.settings import SETTINGS_PATH
from registry.model.definition import LEDGER_PATH, Definition, definition_path, kind_and_name
from registry.model.problem import Problem, Severity, Span

_DELETE = "delete the id line: `registry index` gives an id after the merge"


def _touched(registry: Registry) -> Iterator[tuple[MergeTarget, Definition]]:
    """The definitions that the change adds or edits."""
    if registry.target is not None:
        for definition in registry.loaded.definitions:
            if definition.path in registry.target.touched:
                yield registry.target, definition


def _holder(registry: Registry, target: MergeTarget, kind: str, number: int) -> str | None:
    """The path that carries an id on the target branch."""
    there = next(
        (
            path
            for path, one in target.ids.items()
            if one == number and (kind_and_name(path) or ("",))[0] == kind
        ),
        None,
    )
    if there is not None:
        return there
    return next(
        (
            one.path
            for one in registry.loaded.definitions
            if (one.kind, one.id) == (kind, number) and one.path not in target.touched
        ),
        None,
    )


def _is_there(registry: Registry, path: str) -> bool:
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
                f"a new file with the id {number}, which was never given",
                f"{_DELETE}; ids of another registry come with `registry import`, on the target branch itself",
            )


def _changed(rule: Rule, registry: Registry) -> Iterator[Problem]:
    for target, definition in _touched(registry):
        before = target.ids.get(definition.path)
        if before is None and definition.path in target.ids and definition.id is not None:
            yield rule.problem(definition, ("id",), f"the id {definition.id} was written by hand", _DELETE)
        elif before is not None and definition.id is None:
            yield rule.problem(
                definition,
                ("title",),
                f"the id {before} was removed",
                f"write it back: id: {before}",
                key=True,
            )
        elif before is not None and definition.id != before:
            yield rule.problem(
                definition,
                ("id",),
                f"the id was {before}, and is {definition.id} now",
                f"write it back: id: {before}",
            )


def _moved_from_a_file_that_stays(rule: Rule, registry: Registry) -> Iterator[Problem]:
    for target, definition in _touched(registry):
        if definition.id is None or definition.path in target.ids:
            continue
        holder = _holder(registry, target, definition.kind, definition.id)
        there = registry.by_name.get(kind_and_name(holder) or ("", "")) if holder is not None else None
        if (
            holder is not None
            and _is_there(registry, holder)
            and (there is None or there.id != definition.id)
        ):
            yield rule.problem(
                definition,
                ("id",),
                f"the id {definition.id} is that of {holder}, which is still there",
                f"{_DELETE}; and leave {holder} its id",
            )


def _back_elsewhere(rule: Rule, registry: Registry) -> Iterator[Problem]:
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
                f"the id {definition.id} was that of {name}, which was deleted",
                f"bring it back as {definition_path(definition.kind, name)}, or {_DELETE}",
            )


def _ledger(rule: Rule, registry: Registry) -> Iterator[Problem]:
    if registry.target is not None and LEDGER_PATH in registry.target.touched:
        yield Problem(
            rule.id,
            rule.severity,
            Span(LEDGER_PATH),
            "the change touches the ledger, which only `registry index` writes",
            f"git checkout TARGET -- {LEDGER_PATH}",
        )


def _registry_id(rule: Rule, registry: Registry) -> Iterator[Problem]:
    if registry.target is not None and registry.target.registry_id_is_touched:
        yield Problem(
            rule.id,
            rule.severity,
            Span(SETTINGS_PATH),
            "the change touches registry_id, which tells this registry from a fork",
            f"git checkout TARGET -- {SETTINGS_PATH}",
        )


_GOOD = "title: T\ndefinition: {exec: /bin/true}\n"
_PATH = "definitions/process_definition/"
_ONE = '{"kind":"process_definition","id":1,"name":"another","state":"live","commit":null,"prev":"example-registry"}\n'
_SETTINGS = "registry_id: example-registry\n"
RULES = (
    Rule(
        "I030",
        Severity.ERROR,
        "An id in a new file",
        "Two changes could choose the same one: ids are given after the merge.",
        "id: 7\n" + _GOOD,
        _GOOD,
        find_all=_in_new_file,
        kind="*",
        before={"registry.yaml": _SETTINGS},
    ),
    Rule(
        "I031",
        Severity.ERROR,
        "An id changed or removed",
        "Programs store it: the definition would be gone for them.",
        "id: 2\n" + _GOOD,
        "id: 1\n" + _GOOD,
        find_all=_changed,
        kind="*",
        before={f"{_PATH}example.yaml": "id: 1\n" + _GOOD},
    ),
    Rule(
        "I032",
        Severity.ERROR,
        "An id taken from a file that is still there",
        "A rename takes its id along; a copy starts without one.",
        "id: 1\n" + _GOOD,
        _GOOD,
        find_all=_moved_from_a_file_that_stays,
        kind="*",
        before={f"{_PATH}another.yaml": "id: 1\n" + _GOOD},
        beside={"process_definition/another": _GOOD},
    ),
    Rule(
        "I033",
        Severity.ERROR,
        "A deleted id under another name",
        "Whoever stored the id would get something else.",
        "id: 1\n" + _GOOD,
        "file: another\nid: 1\n" + _GOOD,
        find_all=_back_elsewhere,
        kind="*",
        before={"registry.yaml": _SETTINGS, LEDGER_PATH: _ONE},
    ),
    Rule(
        "I034",
        Severity.ERROR,
        "The ledger touched",
        "It is the memory of every id ever given.",
        f"file: /{LEDGER_PATH}\n" + _ONE.replace("1", "2"),
        _GOOD,
        find_all=_ledger,
        kind="*",
        before={"registry.yaml": _SETTINGS, LEDGER_PATH: _ONE},
    ),
    Rule(
        "I035",
        Severity.ERROR,
        "The registry's own id touched",
        "With another one no ids are given any more.",
        "file: /registry.yaml\nregistry_id: another-registry\n",
        _GOOD,
        find_all=_registry_id,
        kind="*",
        before={"registry.yaml": _SETTINGS},
    ),
)
