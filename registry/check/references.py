"""References between definitions: the field's pointer and the kind it refers to come from the kind's schema."""

from collections.abc import Iterator

from registry.check.rule import Registry, Rule, text_at
from registry.diff import steps_of
from registry.errors import Problem, Severity, nearest
from registry.loader import Definition, sample_files


def _unknown(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    for reference in registry.kinds.by_name[definition.kind].references:
        steps = steps_of(reference.pointer)
        name = text_at(definition.data, *steps)
        if name is None or registry.has(reference.kind, name):
            continue
        names = registry.names.get(reference.kind, [])
        hint = nearest(name, names) or (f"there are {', '.join(names[:8])}" if names else f"add definitions/{reference.kind}/{name}.yaml")
        yield rule.problem(definition, steps, f"there is no {reference.kind} `{name}`", hint)


def _unused(rule: Rule, registry: Registry) -> Iterator[Problem]:
    used = {text_at(definition.inside, "application") for definition in registry.loaded.definitions if definition.kind == "process_definition"}
    if registry.loaded.unreadable:
        return  # what could not be read may use it
    for definition in registry.loaded.definitions:
        if definition.kind == "application" and definition.name not in used and definition.data.get("lifecycle") != "deprecated":
            yield rule.problem(definition, (), f"no process definition uses the application `{definition.name}`",
                               "remove it, or mark it `lifecycle: deprecated`")  # fmt: skip


def _deprecated(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    name = text_at(definition.inside, "application")
    application = registry.by_name.get(("application", name)) if name else None
    if application and application.data.get("lifecycle") == "deprecated" and definition.data.get("lifecycle", "production") == "production":
        replacement = text_at(application.data, "deprecation", "replaced_by")
        hint = f"use `{replacement}`" if replacement else "choose another, or mark this one deprecated"
        yield rule.problem(definition, ("definition", "application"), f"the application `{name}` is deprecated", hint)


_APPLICATION = "title: T\nlifecycle: {}\ndefinition: {{mappings: {{hotel: {{iaas_image: i, iaas_allocation: a}}}}}}\n"
_USES = "title: T\ndefinition: {exec: /bin/true, application: media}\n"


def _sample(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    if not registry.loaded.samples:
        return
    for number, key, path in sample_files(definition):
        if path in registry.loaded.samples:
            message = f"{registry.loaded.samples[path]} {path}"
            yield rule.problem(definition, ("examples", number, key), message, "samples are small files below samples/")


RULES = (
    Rule("R001", Severity.ERROR, "A reference to nothing", "What is named must exist, or the process cannot start.",
         _USES, "title: T\ndefinition: {exec: /bin/true}\n", find=_unknown, kind="*", looks_around=True),
    Rule("R002", Severity.WARNING, "An application that nothing uses", "It is kept for nobody.",
         _APPLICATION.format("production"), _APPLICATION.format("deprecated"), find_all=_unused, kind="application"),
    Rule("R003", Severity.WARNING, "A deprecated application in production", "It is on its way out; what relies on it will stop.",
         _USES, "lifecycle: experimental\n" + _USES, find=_deprecated, looks_around=True,
         beside={"application/media": _APPLICATION.format("deprecated")}),
    Rule("R004", Severity.ERROR, "A sample that is not there", "The example cannot be shown, nor tried.",
         "title: T\nowners: [t]\nexamples: [{title: one, input_file: samples/none.txt}]\ndefinition: {exec: /bin/true}\n",
         "title: T\nowners: [t]\nexamples: [{title: one, input_text: a}]\ndefinition: {exec: /bin/true}\n", find=_sample, looks_around=True),
)  # fmt: skip
