"""What is known of a definition without reading it: all that lists, references and others' pages may ask of it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from registry.diff import steps_of
from registry.kinds import Reference


class Outline(NamedTuple):
    """A few values of one document; "" or () where there is none, or one of another type than the format has.

    `references` are the names in the kind's fields of reference, in their order; None where nothing is referred to. `replaced_by`
    is that of the deprecation, `samples` the paths of files that examples name. `is_excepting`: findings are excepted in the file.
    """

    title: str = ""
    description: str = ""
    lifecycle: str = "production"
    process_type: str = ""
    application: str = ""
    tags: tuple[str, ...] = ()
    references: tuple[str | None, ...] = ()
    replaced_by: str = ""
    samples: tuple[str, ...] = ()
    is_excepting: bool = False


def outline_of(data: dict[str, Any], references: Iterable[Reference]) -> Outline:
    """The outline of a document whose kind refers to others in these fields."""
    inside = data.get("definition")
    inside = inside if isinstance(inside, dict) else {}
    tags = data.get("tags")
    return Outline(
        title=_text(data.get("title")),
        description=_text(data.get("description")),
        lifecycle=_text(data.get("lifecycle", "production")),
        process_type=_text(inside.get("process_type")),
        application=_text(inside.get("application")),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        references=tuple(text_at(data, *steps_of(one.pointer)) for one in references),
        replaced_by=text_at(data, "deprecation", "replaced_by") or "",
        samples=tuple(path for _, _, path in sample_files(data)) if "examples" in data else (),
        is_excepting=bool(data.get("ignore")),
    )


def sample_files(data: dict[str, Any]) -> Iterable[tuple[int, str, str]]:
    """Number of the example, key and path of each file that the examples in a document name."""
    examples = data.get("examples")
    for number, example in enumerate(examples if isinstance(examples, list) else ()):
        for key in ("input_file", "output_file"):
            path = example.get(key) if isinstance(example, dict) else None
            # What leads out of the folder is the schema's finding.
            if isinstance(path, str) and ".." not in path.split("/"):
                yield number, key, path


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def text_at(data: Any, *steps: str) -> str | None:
    """The text that lies at `steps`, or None when there is none: what is of another type is the schema's finding."""
    for step in steps:
        if not isinstance(data, dict):
            return None
        data = data.get(step)
    return data if isinstance(data, str) else None
