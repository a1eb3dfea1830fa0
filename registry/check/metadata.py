"""Fields for people, around `definition`: who answers for it, and what follows when it is on its way out."""

from collections.abc import Iterator

from registry.check.rule import Registry, Rule
from registry.model.definition import Definition
from registry.model.problem import Problem, Severity


def _no_title(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if "title" not in definition.data:
        yield rule.problem(definition, (), "no title", "add `title: …`, a short name for lists")


def _no_owners(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if definition.data.get("lifecycle", "production") == "production" and not definition.data.get("owners"):
        yield rule.problem(
            definition,
            (),
            "no owners, and people rely on it",
            "add `owners: [your-team]`, or `lifecycle: experimental`",
        )


def _no_deprecation(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if definition.data.get("lifecycle") == "deprecated" and not definition.data.get("deprecation"):
        yield rule.problem(
            definition,
            ("lifecycle",),
            "deprecated, and nobody is told since when and what to use instead",
            'add `deprecation: {since: "YYYY-MM-DD", replaced_by: …, reason: …}`',
        )


def _key_order(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    keys = list(definition.data)
    wanted = sorted(keys, key=key_rank)
    if keys != wanted:
        wrong = next(key for key, right in zip(keys, wanted, strict=True) if key != right)
        yield rule.problem(
            definition,
            (wrong,),
            f"`{wrong}` stands before `{wanted[keys.index(wrong)]}`",
            f"the usual order is {', '.join(wanted)}",
            key=True,
        )


def key_rank(key: str) -> int:
    """Place of a key in the usual order: what it is first, who answers for it, what it does last."""
    return KEY_ORDER.index(key) if key in KEY_ORDER else KEY_ORDER.index("definition") - 1


KEY_ORDER = (
    "id",
    "title",
    "description",
    "owners",
    "tags",
    "lifecycle",
    "deprecation",
    "links",
    "container_image",
    "container_resources",
    "interface",
    "examples",
    "ignore",
    "",
    "definition",
)
_ASKED = "rules: {%s: warning}\n"
_OLD = "title: T\nlifecycle: deprecated\n{}definition: {{exec: /bin/true}}\n"
RULES = (
    Rule(
        "W201",
        Severity.WARNING,
        "No title",
        "Lists show the title; without it people see a path.",
        "definition: {exec: /bin/true}\n",
        "title: T\ndefinition: {exec: /bin/true}\n",
        find=_no_title,
        kind="*",
    ),
    Rule(
        "W202",
        Severity.WARNING,
        "No owners",
        "Somebody must answer for what production relies on.",
        "title: T\ndefinition: {exec: /bin/true}\n",
        "title: T\nowners: [team]\ndefinition: {exec: /bin/true}\n",
        find=_no_owners,
        kind="*",
    ),
    Rule(
        "W205",
        Severity.WARNING,
        "Keys in another order than usual",
        "People find what they look for where it always is.",
        "definition: {exec: /bin/true}\ntitle: T\nowners: [t]\n",
        "title: T\nowners: [t]\ndefinition: {exec: /bin/true}\n",
        find=_key_order,
        kind="*",
        settings=_ASKED % "W205",
        is_asked_for=True,
    ),
    Rule(
        "W204",
        Severity.WARNING,
        "An exception that excepts nothing",
        "It hides what comes later.",
        "title: T\nowners: [t]\nignore: [{rule: W107, reason: Old}]\ndefinition: {exec: /bin/true, cwd: /srv}\n",
        "title: T\nowners: [t]\nignore: [{rule: W107, reason: Old}]\ndefinition: {exec: /bin/true, cwd: /srv/}\n",
        kind="*",
    ),
    Rule(
        "W203",
        Severity.WARNING,
        "Deprecated without a word why",
        "Whoever uses it needs to know until when, and what to use instead.",
        _OLD.format(""),
        _OLD.format('deprecation: {since: "2026-03-01", reason: Old}\n'),
        find=_no_deprecation,
        kind="*",
    ),
)
