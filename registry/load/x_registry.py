"""The `x-registry` block of a kind's schema file: the traits of the kind, validated, as typed values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.load.defaults import SCHEMA_FOLDER, defaults_folder
from registry.load.validation import Finding, explain
from registry.model.definition import Reference, SummaryField
from registry.model.pointer import steps_of

if TYPE_CHECKING:
    import jsonschema_rs

DEPRECATION = "/deprecation/replaced_by"
"""The reference from a deprecated definition to the one that replaces it."""
_DEFAULT_ORDER = 100


@dataclass(frozen=True, slots=True)
class NewOption:
    """An option of `registry new` that sets the key `key` of `definition`.

    With a `prompt`, the terminal asks for the value.
    """

    name: str
    key: str
    prompt: str = ""
    default: str = ""
    is_list: bool = False
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line of a new file below `definition:`, written if all options in `when` have the given values.

    With `key`, the line is the key and the value of its option, then `comment`. `text` is written if the
    option has no value.
    """

    key: str = ""
    text: str = ""
    comment: str = ""
    when: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KindTraits:
    """The traits of a kind. Pointers are JSON Pointers into a file; "" if the kind has no such field.

    `name_field` repeats the definition's name. `rules` names the sets of check rules and change rules that
    apply. `misspellings` maps common wrong keys to the right ones. `changes` maps pointers to the levels of
    added, changed and removed values.
    """

    title: str
    plural: str
    order: int = _DEFAULT_ORDER
    name_field: str = ""
    is_implied: bool = False
    is_for_use: bool = False
    rules: tuple[str, ...] = ()
    misspellings: Mapping[str, str] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    secret_fields: tuple[tuple[str, ...], ...] = ()
    fields: tuple[SummaryField, ...] = ()
    executable: str = ""
    arguments: str = ""
    variables: str = ""
    changes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    new_options: tuple[NewOption, ...] = ()
    new_lines: tuple[NewLine, ...] = ()

    @property
    def program_keys(self) -> tuple[tuple[str, str], ...]:
        """The key of the arguments of a command with the key of its executable; () without a command."""
        if not (self.executable and self.arguments):
            return ()
        return ((steps_of(self.arguments)[-1], steps_of(self.executable)[-1]),)

    @property
    def shown_references(self) -> tuple[Reference, ...]:
        """The references to definitions in use: all except the replacement of a deprecated definition."""
        return tuple(one for one in self.references if one.pointer != DEPRECATION)


@lru_cache(maxsize=1)
def _schema() -> "tuple[dict[str, Any], jsonschema_rs.Draft202012Validator]":
    import jsonschema_rs

    schema = json.loads(Path(__file__).with_name("x_registry.schema.json").read_bytes())
    return schema, jsonschema_rs.Draft202012Validator(schema)


def findings_in(block: Any) -> list[Finding]:
    """Return the mistakes in an `x-registry` block."""
    schema, validator = _schema()
    return [] if validator.is_valid(block) else list(explain(schema, block))


def traits_of(name: str, document: Mapping[str, Any]) -> KindTraits:
    """Return the traits of the kind `name` from its schema file, whose block is valid.

    Missing values come from the program's own schema of the kind, so that a copy made by an earlier version
    still works. Secret fields of the program's own schema cannot be removed.
    """
    program, own = _program_block(name), document.get("x-registry", {})
    block = {**program, **own}
    secrets = (*own.get("secret_fields", ()), *program.get("secret_fields", ()))
    new = block.get("new", {})
    command = block.get("command", {})
    return KindTraits(
        title=block.get("title", document.get("title", name)),
        plural=block.get("plural", name),
        order=block.get("order", _DEFAULT_ORDER),
        name_field=block.get("name_field", ""),
        is_implied=block.get("is_implied", False),
        is_for_use=block.get("is_for_use", False),
        rules=tuple(block.get("rules", ())),
        misspellings={"name": "title", **block.get("misspellings", {})},  # every kind has a title
        references=tuple(Reference(**one) for one in block.get("references", ())),
        secret_fields=tuple(dict.fromkeys(map(steps_of, secrets))),
        fields=tuple(SummaryField(**one) for one in block.get("fields", ())),
        executable=command.get("executable", ""),
        arguments=command.get("arguments", ""),
        variables=block.get("variables", ""),
        changes=block.get("changes", {}),
        new_options=tuple(NewOption(**one) for one in new.get("options", ())),
        new_lines=tuple(NewLine(**one) for one in new.get("lines", ())),
    )


@lru_cache(maxsize=64)
def _program_block(name: str) -> Mapping[str, Any]:
    file = defaults_folder(SCHEMA_FOLDER) / f"{name}.schema.json"
    block: Mapping[str, Any] = json.loads(file.read_bytes()).get("x-registry", {}) if file.is_file() else {}
    return block
