"""A new definition: its text, with comments that list the other fields, and its file."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from registry.errors import ProblemsError, UsageError
from registry.files.atomic_write import create_files
from registry.load.kinds import Kind, modeline
from registry.load.work_tree import EditedWorkTree
from registry.load.x_registry import KindTraits
from registry.load.yaml.writer import flow
from registry.model.definition import definition_path
from registry.model.pointer import steps_of
from registry.model.problem import Problem, Severity, has_errors
from registry.model.schema_reference import followed
from registry.pipeline import Checked, check_source


@dataclass(frozen=True, slots=True)
class Start:
    """Initial values of a new definition.

    `values` has the values of the kind's options by key; options that were omitted or empty are missing.
    """

    title: str = ""
    values: Mapping[str, str | list[str]] = field(default_factory=dict)


class Created(NamedTuple):
    """A new file: its path relative to the registry, and the problems in it, none of them an error."""

    path: str
    problems: tuple[Problem, ...]


def create_definition(root: Path, kind: Kind, name: str, start: Start, before: Checked) -> Created:
    """Write the file of a new definition, with comments, unless it would add an error to the registry.

    `before` is the registry without the file. Raises UsageError if the file exists, and ProblemsError if the
    file would have errors or cause some in other files.
    """
    proposed = _propose(root, kind, name, start)
    known = set(before.problems)
    found = [problem for problem in check_source(proposed).problems if problem not in known]
    if has_errors(found):
        raise ProblemsError(
            [one for one in found if one.severity is Severity.ERROR],
            proposed.read,
            "nothing was written: the new definition would have errors",
        )
    create_files(root, {proposed.path: proposed.data})
    return Created(proposed.path, tuple(one for one in found if one.span.path == proposed.path))


def _propose(root: Path, kind: Kind, name: str, start: Start) -> EditedWorkTree:
    """Return the file of a new definition, with comments, without writing it.

    Raises UsageError if the file exists.
    """
    path = definition_path(kind.name, name)
    if os.path.lexists(root / path):
        raise UsageError(f"{path} already exists", "choose another name, or edit that file")
    text = _definition_text(path, kind, name, start)
    return EditedWorkTree(root, path, text.encode("utf-8", "surrogateescape"))


def _definition_text(path: str, kind: Kind, name: str, start: Start) -> str:
    """Return the text of a new file: the given values, and the other fields as comments."""
    title = start.title or name.rsplit("/", 1)[-1].replace("-", " ").replace("_", " ").capitalize()
    # Only those that the schema of the kind has are written: its `properties` decide.
    lines = {
        "title": f"title: {flow(title)}",
        "description": "# description: What it does and what to know before using it, in Markdown.",
        "owners": "# owners: [your-team]",
        "tags": "# tags: [word, another]",
        "lifecycle": "lifecycle: experimental   # experimental | production | deprecated",
    }
    known = kind.schema.get("properties", {})
    head = [modeline(path, kind.name), *(line for key, line in lines.items() if key in known)]
    if kind.traits.new_lines:
        body = ["definition:", *_lines(kind.traits, {**start.values, **_repeated_name(kind.traits, name)})]
    else:
        body = [f"definition: {flow(_smallest(kind.schema))}"]
    return "\n".join([*head, *body]) + "\n"


def _repeated_name(traits: KindTraits, name: str) -> dict[str, str]:
    """Return the key of `definition` that repeats the name of the file, with the name; {} without one."""
    folder, *keys = steps_of(traits.name_field) or ("",)
    return {keys[0]: name} if folder == "definition" and len(keys) == 1 else {}


def _lines(traits: KindTraits, given: Mapping[str, str | list[str]]) -> Iterator[str]:
    """Yield the lines below `definition:`, from the kind's schema and the values of its options by key."""
    defaults = {one.key: one.default for one in traits.new_options}
    values = {key: value or defaults.get(key, "") for key, value in {**defaults, **given}.items()}
    for line in traits.new_lines:
        if any(values.get(key) != wanted for key, wanted in line.when.items()):
            continue
        value = values.get(line.key) if line.key else ""
        if value:
            comment = f"   # {line.comment}" if line.comment else ""
            yield f"  {line.key}: {flow(value)}{comment}"
        elif line.text:
            yield f"  {line.text}"


def _smallest(schema: Mapping[str, Any]) -> Any:
    """Return the smallest `definition` of a kind without known traits.

    It has the required keys with the first example of the schema for each.
    """
    inside = followed(schema, schema.get("properties", {}).get("definition", {}))
    properties = inside.get("properties", {})
    return {name: _example(properties.get(name)) for name in inside.get("required", ())}


def _example(schema: Any) -> Any:
    """Return the first example of a schema."""
    examples = schema.get("examples") if isinstance(schema, dict) else None
    return examples[0] if examples else "…"
