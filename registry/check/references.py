"""References between definitions: the field's pointer and the kind it refers to come from the kind's schema."""

from collections.abc import Iterator

from registry.check.rule import Registry, Rule
from registry.errors import nearest
from registry.model.definition import sample_files
from registry.model.pointer import steps_of
from registry.model.problem import Problem, Severity

# Each is compared with all names: beyond, what is wrong is not the spelling of one.
_MOST_SUGGESTIONS = 500


def _unknown(rule: Rule, registry: Registry) -> Iterator[Problem]:
    references = {kind.name: kind.references for kind in registry.kinds}
    # Each name once: many definitions have the same references, and nearly always nothing is missing.
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
                names = registry.names.get(reference.kind, [])
                guess = nearest(name, names) if len(hints) < _MOST_SUGGESTIONS else ""
                shown = (
                    f"there are {', '.join(names[:8])}"
                    if names
                    else f"add definitions/{reference.kind}/{name}.yaml"
                )
                hints[pair] = guess or shown
            hint = hints[pair]
            yield rule.problem(
                definition, steps_of(reference.pointer), f"there is no {reference.kind} `{name}`", hint
            )


def _unused(rule: Rule, registry: Registry) -> Iterator[Problem]:
    used = {
        definition.summary.application
        for definition in registry.loaded.definitions
        if definition.kind == "process_definition"
    }
    if registry.loaded.unreadable:
        return  # what could not be read may use it
    for definition in registry.loaded.definitions:
        if (
            definition.kind == "application"
            and definition.name not in used
            and definition.summary.lifecycle != "deprecated"
        ):
            yield rule.problem(
                definition,
                (),
                f"no process definition uses the application `{definition.name}`",
                "remove it, or mark it `lifecycle: deprecated`",
            )


def _deprecated(rule: Rule, registry: Registry) -> Iterator[Problem]:
    deprecated = {
        one.name: one
        for one in registry.loaded.definitions
        if one.kind == "application" and one.summary.lifecycle == "deprecated"
    }
    if not deprecated:
        return
    for definition in registry.loaded.definitions:
        name = definition.summary.application
        application = deprecated.get(name) if definition.kind == "process_definition" else None
        if application is not None and definition.summary.lifecycle == "production":
            replacement = application.summary.replaced_by
            hint = f"use `{replacement}`" if replacement else "choose another, or mark this one deprecated"
            yield rule.problem(
                definition, ("definition", "application"), f"the application `{name}` is deprecated", hint
            )


def _sample(rule: Rule, registry: Registry) -> Iterator[Problem]:
    wrong = registry.loaded.samples
    if not wrong:
        return
    for definition in registry.loaded.definitions:
        if definition.kind != "process_definition" or wrong.keys().isdisjoint(definition.summary.samples):
            continue
        for number, key, path in sample_files(definition.data):
            if path in wrong:
                yield rule.problem(
                    definition,
                    ("examples", number, key),
                    f"{wrong[path]} {path}",
                    "samples are small files below samples/",
                )


_APPLICATION = (
    "title: T\nlifecycle: {}\ndefinition: {{mappings: {{hotel: {{iaas_image: i, iaas_allocation: a}}}}}}\n"
)
_USES = "title: T\ndefinition: {exec: /bin/true, application: media}\n"


RULES = (
    Rule(
        "R001",
        Severity.ERROR,
        "A reference to nothing",
        "What is named must exist, or the process cannot start.",
        _USES,
        "title: T\ndefinition: {exec: /bin/true}\n",
        find_all=_unknown,
        kind="*",
    ),
    Rule(
        "R002",
        Severity.WARNING,
        "An application that nothing uses",
        "It is kept for nobody.",
        _APPLICATION.format("production"),
        _APPLICATION.format("deprecated"),
        find_all=_unused,
        kind="application",
    ),
    Rule(
        "R003",
        Severity.WARNING,
        "A deprecated application in production",
        "It is on its way out; what relies on it will stop.",
        _USES,
        "lifecycle: experimental\n" + _USES,
        find_all=_deprecated,
        beside={"application/media": _APPLICATION.format("deprecated")},
    ),
    Rule(
        "R004",
        Severity.ERROR,
        "A sample that is not there",
        "The example cannot be shown, nor tried.",
        "title: T\nowners: [t]\nexamples: [{title: one, input_file: samples/none.txt}]\ndefinition: {exec: /bin/true}\n",
        "title: T\nowners: [t]\nexamples: [{title: one, input_text: a}]\ndefinition: {exec: /bin/true}\n",
        find_all=_sample,
    ),
)
