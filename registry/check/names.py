"""Names and ids: valid paths, and unique ids."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from registry.check.rule import Registry, Rule
from registry.model.addresses import MAX_NAME_BYTES, folded, taken_part
from registry.model.characters import described, invisible_in
from registry.model.pointer import steps_of, value_at
from registry.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.model.definition import Definition

_WINDOWS = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?\Z", re.IGNORECASE)


def _characters(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for step in definition.name.split("/"):
        # Some letters are invisible, for example U+3164 HANGUL FILLER.
        wrong = next((char for char in step if not (char.isalnum() or char in "._-+")), None) or invisible_in(
            step
        )
        if wrong is not None:
            shown = (
                f"`{wrong}`"
                if wrong.isprintable() and wrong != " " and not invisible_in(wrong)
                else described(wrong)
            )
            yield rule.problem(
                definition, (), f"invalid character {shown} in the name", "letters, digits and . _ - + only"
            )
        elif not step[0].isalnum():
            yield rule.problem(
                definition,
                (),
                f"`{step}` in the name does not start with a letter or digit",
                "rename the file",
            )
        elif unicodedata.normalize("NFC", step) != step:
            yield rule.problem(
                definition,
                (),
                f"`{step}` in the name is not in composed form (Unicode NFC)",
                "rename the file",
            )


def _reserved(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    taken = taken_part(definition.name)
    if taken is None:
        return
    if "." in taken:
        message, hint = (
            f"`{taken}` cannot be part of a name: site files have this extension",
            "rename the file without the extension",
        )
    else:
        above = definition.name.rpartition("/")[0] or definition.kind
        message = f"`{taken}` cannot be the last part of a name: {taken}.json is the response for {above}/"
        hint = "rename the file; a folder can have this name"
    yield rule.problem(definition, (), message, hint)


def _windows(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for step in definition.name.split("/"):
        if _WINDOWS.match(step) or step.endswith((".", " ")):
            yield rule.problem(
                definition, (), f"`{step}` cannot be checked out on Windows", "rename the file"
            )


def _length(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    size = len(definition.name.encode("utf-8", "surrogateescape"))
    if size > MAX_NAME_BYTES:
        yield rule.problem(
            definition,
            (),
            f"the name has {size} bytes; the maximum is {MAX_NAME_BYTES}",
            "choose a shorter name",
        )


def _repeated(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    field = registry.kinds.by_name[definition.kind].traits.name_field
    if not field:
        return
    steps = steps_of(field)
    found = value_at(definition.data, field)
    if isinstance(found, str) and found != definition.name:
        yield rule.problem(
            definition,
            steps,
            f"this name is not the name of the file, which is {definition.name}",
            f"rename the file to definitions/{definition.kind}/{found}.yaml, or write the name of the file",
        )


def _collisions(rule: Rule, registry: Registry) -> Iterator[Problem]:
    # Fast path: with ASCII names that differ in lower case there is no collision.
    names = "\n".join([f"{one.kind}/{one.name}" for one in registry.loaded.definitions])
    if (
        not registry.loaded.elsewhere
        and names.isascii()
        and len(set(names.lower().split("\n"))) == len(registry.loaded.definitions)
    ):
        return
    seen: dict[str, str] = {}
    if registry.loaded.elsewhere:
        mine = {folded(definition.path) for definition in registry.loaded.definitions}
        seen = {key: path for path in sorted(registry.loaded.elsewhere) if (key := folded(path)) in mine}
    for definition in registry.loaded.definitions:
        first = seen.setdefault(folded(definition.path), definition.path)
        if first != definition.path:
            yield rule.problem(
                definition, (), f"the name differs from {first} only in case", "rename one of the two"
            )


def _duplicate_ids(rule: Rule, registry: Registry) -> Iterator[Problem]:
    ids = [(one.kind, one.id) for one in registry.loaded.definitions if one.id is not None]
    if len(set(ids)) == len(ids):
        return
    seen: dict[tuple[str, int], Definition] = {}
    target = registry.target
    # In a change, the new file is the copy.
    for definition in sorted(
        registry.loaded.definitions,
        key=lambda one: target is not None and one.path in target.touched - target.ids.keys(),
    ):
        if definition.id is None:
            continue
        first = seen.setdefault((definition.kind, definition.id), definition)
        if first is not definition:
            yield rule.problem(
                definition,
                ("id",),
                f"the id {definition.id} is also the id of {first.path}",
                "if one is a copy of the other, delete the id line of the copy: `registry index` assigns "
                "a new id; otherwise one of them must get another id, and clients that stored it must be "
                "changed",
            )


_GOOD = "title: T\ndefinition: {exec: /bin/true}\n"
_SERVER = (
    "file: /definitions/mcp_server/com.example/weather.yaml\n"
    "title: Weather\ndefinition: {{name: {}, description: Forecasts, version: 1.4.0}}\n"
)
RULES = (
    Rule(
        "I001",
        Severity.ERROR,
        "Invalid character in a name",
        "Names become URLs and file names on every system.",
        "file: odd name\n" + _GOOD,
        _GOOD,
        find=_characters,
        kind="*",
    ),
    Rule(
        "I002",
        Severity.ERROR,
        "Reserved name",
        "The URL of the definition is already used for something else.",
        "file: weather/index\n" + _GOOD,
        "file: index/weather\n" + _GOOD,
        find=_reserved,
        kind="*",
    ),
    Rule(
        "I003",
        Severity.ERROR,
        "Name too long",
        "File names and URLs have length limits.",
        f"file: {'long' * 51}\n" + _GOOD,
        _GOOD,
        find=_length,
        kind="*",
    ),
    Rule(
        "I004",
        Severity.ERROR,
        "Names that differ only in case",
        "They are the same file on macOS and Windows.",
        "file: Example\n" + _GOOD,
        _GOOD,
        find_all=_collisions,
        kind="*",
        beside={"process_definition/example": _GOOD},
    ),
    Rule(
        "I005",
        Severity.ERROR,
        "Name not allowed on Windows",
        "The repository could not be cloned on Windows.",
        "file: weather/con\n" + _GOOD,
        "file: weather/console\n" + _GOOD,
        find=_windows,
        kind="*",
    ),
    Rule(
        "I006",
        Severity.ERROR,
        "Name that differs from the name of the file",
        "A kind whose definitions contain their name has one definition for each name.",
        _SERVER.format("com.example/forecast"),
        _SERVER.format("com.example/weather"),
        find=_repeated,
        kind="*",
        settings="protocols: [mcp]\n",
    ),
    Rule(
        "I010",
        Severity.ERROR,
        "Duplicate id",
        "Clients store ids, so an id must identify one definition.",
        "id: 3\n" + _GOOD,
        "id: 4\n" + _GOOD,
        find_all=_duplicate_ids,
        kind="*",
        beside={"process_definition/another": "id: 3\n" + _GOOD},
    ),
)
