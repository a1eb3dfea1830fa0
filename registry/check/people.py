"""Fields for people, around `definition`: who answers for it, and what follows when it is on its way out."""

from collections.abc import Iterator

from registry.check.rule import Registry, Rule
from registry.errors import Problem, Severity
from registry.loader import Definition


def _no_title(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if "title" not in definition.data:
        yield rule.problem(definition, (), "no title", "add `title: …`, a short name for lists")


def _no_owners(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if definition.data.get("lifecycle", "production") == "production" and not definition.data.get("owners"):
        yield rule.problem(definition, (), "no owners, and people rely on it", "add `owners: [your-team]`, or `lifecycle: experimental`")


def _no_deprecation(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if definition.data.get("lifecycle") == "deprecated" and not definition.data.get("deprecation"):
        yield rule.problem(definition, ("lifecycle",), "deprecated, and nobody is told since when and what to use instead",
                           'add `deprecation: {since: "YYYY-MM-DD", replaced_by: …, reason: …}`')  # fmt: skip


_OLD = "title: T\nlifecycle: deprecated\n{}definition: {{exec: /bin/true}}\n"
RULES = (
    Rule("W201", Severity.WARNING, "No title", "Lists show the title; without it people see a path.",
         "definition: {exec: /bin/true}\n", "title: T\ndefinition: {exec: /bin/true}\n", find=_no_title, kind="*"),
    Rule("W202", Severity.WARNING, "No owners", "Somebody must answer for what production relies on.",
         "title: T\ndefinition: {exec: /bin/true}\n", "title: T\nowners: [team]\ndefinition: {exec: /bin/true}\n", find=_no_owners, kind="*"),
    Rule("W204", Severity.WARNING, "An exception that excepts nothing", "It hides what comes later.",
         "title: T\nowners: [t]\nignore: [{rule: W107, reason: Old}]\ndefinition: {exec: /bin/true, cwd: /srv}\n",
         "title: T\nowners: [t]\nignore: [{rule: W107, reason: Old}]\ndefinition: {exec: /bin/true, cwd: /srv/}\n", kind="*"),
    Rule("W203", Severity.WARNING, "Deprecated without a word why", "Whoever uses it needs to know until when, and what to use instead.",
         _OLD.format(""), _OLD.format('deprecation: {since: "2026-03-01", reason: Old}\n'), find=_no_deprecation, kind="*"),
)  # fmt: skip
