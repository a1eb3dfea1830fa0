"""References between definitions. The kind's schema states which fields are references, and to which kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.check.rule import Registry, Rule
from registry.errors import nearest
from registry.model.definition import Definition, Reference, sample_files
from registry.model.pointer import steps_of
from registry.model.problem import Problem, Severity
from registry.model.values import list_of, map_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# A suggestion compares the name with all names. With more missing names than this, spelling is not the cause.
_MOST_SUGGESTIONS = 500


def _unknown(rule: Rule, registry: Registry) -> Iterator[Problem]:
    references = {kind.name: kind.references for kind in registry.kinds}
    # Check each distinct reference once: many definitions share references, and usually none is missing.
    named = {(one.kind, one.summary.references) for one in registry.loaded.definitions}
    pairs = {
        (to.kind, name)
        for kind, names in named
        for to, name in zip(references[kind], names, strict=True)
        if name is not None
    }
    missing = {pair for pair in pairs if not registry.has(*pair)}
    if not missing:
        return
    hints: dict[tuple[str, str], str] = {}
    for definition in registry.loaded.definitions:
        for reference, name in zip(references[definition.kind], definition.summary.references, strict=True):
            if name is None or (reference.kind, name) not in missing:
                continue
            pair = (reference.kind, name)
            if pair not in hints:
                hints[pair] = _hint(registry, *pair, may_guess=len(hints) < _MOST_SUGGESTIONS)
            message = f"{reference.kind} `{name}` does not exist"
            yield rule.problem(definition, steps_of(reference.pointer), message, hints[pair])


def _hint(registry: Registry, kind: str, name: str, *, may_guess: bool) -> str:
    names = registry.similar(kind, name)
    guess = nearest(name, names) if may_guess else ""
    if guess:
        return guess
    return f"known: {', '.join(names[:8])}" if names else f"add definitions/{kind}/{name}.yaml"


def _used(registry: Registry) -> Iterator[tuple[Definition, Reference, str]]:
    """Each reference of a definition to another one in use, with the name it gives."""
    kinds = {kind.name: (kind.references, kind.traits.shown_references) for kind in registry.kinds}
    for definition in registry.loaded.definitions:
        references, shown = kinds[definition.kind]
        for reference, name in zip(references, definition.summary.references, strict=True):
            if name is not None and reference in shown:
                yield definition, reference, name


def _unused(rule: Rule, registry: Registry) -> Iterator[Problem]:
    if registry.loaded.unreadable:
        return  # an unreadable file may use it
    kinds = {kind.name: kind for kind in registry.kinds if kind.traits.is_for_use}
    used = {(reference.kind, name) for _, reference, name in _used(registry)}
    for definition in registry.loaded.definitions:
        kind = kinds.get(definition.kind)
        is_used = (definition.kind, definition.name) in used
        if kind is None or is_used or definition.summary.lifecycle == "deprecated":
            continue
        users = " or ".join(_titles_of_users(registry, kind.name)) or "definition"
        message = f"no {users} uses the {kind.title.lower()} `{definition.name}`"
        yield rule.problem(definition, (), message, "remove it, or mark it `lifecycle: deprecated`")


def _titles_of_users(registry: Registry, kind: str) -> list[str]:
    """Return the titles of the kinds that refer to `kind`."""
    return [
        one.title.lower()
        for one in registry.kinds
        if any(reference.kind == kind for reference in one.traits.shown_references)
    ]


def _deprecated(rule: Rule, registry: Registry) -> Iterator[Problem]:
    deprecated = {
        (one.kind, one.name): one
        for one in registry.loaded.definitions
        if one.summary.lifecycle == "deprecated"
    }
    if not deprecated:
        return
    for definition, reference, name in _used(registry):
        target = deprecated.get((reference.kind, name))
        if target is not None and definition.summary.lifecycle == "production":
            replacement = target.summary.replaced_by
            hint = (
                f"use `{replacement}`"
                if replacement
                else "use another one, or mark this definition deprecated"
            )
            title = registry.kinds.by_name[reference.kind].title.lower()
            message = f"the {title} `{name}` is deprecated"
            yield rule.problem(definition, steps_of(reference.pointer), message, hint)


def _sample(rule: Rule, registry: Registry) -> Iterator[Problem]:
    wrong = registry.loaded.samples
    if not wrong:
        return
    kinds = registry.kinds.using(rule.kind)
    for definition in registry.loaded.definitions:
        if definition.kind not in kinds or wrong.keys().isdisjoint(definition.summary.samples):
            continue
        for number, key, path in sample_files(definition.data):
            if path in wrong:
                yield rule.problem(
                    definition,
                    ("examples", number, key),
                    f"{wrong[path]} {path}",
                    "samples are small files in samples/",
                )


def _impossible_size(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for number, example in enumerate(list_of(definition.data.get("examples"))):
        size = map_of(map_of(example).get("output_size"))
        least, most = size.get("min"), size.get("max")
        if isinstance(least, int) and isinstance(most, int) and least > most:
            yield rule.problem(
                definition,
                ("examples", number, "output_size"),
                f"no output has at least {least:,} and at most {most:,} bytes",
                "exchange `min` and `max`",
            )


_APPLICATION = (
    "title: T\nlifecycle: {}\ndefinition: {{mappings: {{hotel: {{iaas_image: i, iaas_allocation: a}}}}}}\n"
)
_USES = "title: T\ndefinition: {exec: /bin/true, application: media}\n"


RULES = (
    Rule(
        "R001",
        Severity.ERROR,
        "Reference to a missing definition",
        "The process cannot start without the definition it refers to.",
        _USES,
        "title: T\ndefinition: {exec: /bin/true}\n",
        find_all=_unknown,
        kind="*",
    ),
    Rule(
        "R002",
        Severity.WARNING,
        "Unused definition",
        "Unused definitions add maintenance and clutter lists.",
        _APPLICATION.format("production"),
        _APPLICATION.format("deprecated"),
        find_all=_unused,
        kind="machine",
    ),
    Rule(
        "R003",
        Severity.WARNING,
        "Deprecated definition used in production",
        "The definition will be removed, and production depends on it.",
        _USES,
        "lifecycle: experimental\n" + _USES,
        find_all=_deprecated,
        beside={"application/media": _APPLICATION.format("deprecated")},
    ),
    Rule(
        "R004",
        Severity.ERROR,
        "Missing sample file",
        "The example cannot be shown or tried.",
        "title: T\nowners: [t]\n"
        "examples: [{title: one, input_file: samples/none.txt}]\ndefinition: {exec: /bin/true}\n",
        "title: T\nowners: [t]\nexamples: [{title: one, input_text: a}]\ndefinition: {exec: /bin/true}\n",
        find_all=_sample,
    ),
    Rule(
        "R005",
        Severity.ERROR,
        "Example that no output can meet",
        "`registry try` would always report a failure.",
        "title: T\nowners: [t]\n"
        "examples: [{title: one, output_size: {min: 2, max: 1}}]\ndefinition: {exec: /bin/true}\n",
        "title: T\nowners: [t]\n"
        "examples: [{title: one, output_size: {min: 1, max: 2}}]\ndefinition: {exec: /bin/true}\n",
        find=_impossible_size,
    ),
)
