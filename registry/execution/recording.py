"""Adds a run to the examples of a definition, as a test for later runs."""

from __future__ import annotations

import copy
import hashlib
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.errors import RefusedError, UsageError
from registry.execution.running import End
from registry.files.atomic_write import create_files, replace_in
from registry.load.loader import MAX_SAMPLE_BYTES
from registry.load.yaml.edit import edit_text
from registry.model.definition import SAMPLES_FOLDER
from registry.model.values import list_of

if TYPE_CHECKING:
    from pathlib import Path

    from registry.execution.runner import RunResult
    from registry.model.definition import Definition

# Longer texts make a definition hard to read; they become files.
_LONGEST_TEXT = 2_000
_MOST_TEXT_LINES = 40
# Of larger outputs the digest is recorded: a repository is no store for them.
_LARGEST_OUTPUT_FILE = 64 * 1024
_LONGEST_TITLE = 120
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class RecordedInput(NamedTuple):
    """The message of a run: its bytes, the name of its file, and its path in the registry ("": not in it)."""

    message: bytes
    file_name: str
    path: str = ""


class Recording(NamedTuple):
    """An example to add, and the files that it refers to, by path."""

    example: dict[str, Any]
    files: dict[str, bytes]


def record(
    root: Path, definition: Definition, title: str, source: RecordedInput, runs: tuple[RunResult, RunResult]
) -> Recording:
    """Return the example that two runs with the same message give.

    If their outputs differ, only that there is an output is recorded. Raises UsageError for a message over
    1 MiB, for a run that was stopped, and for one that did not write its output file.
    """
    first, second = runs
    if first.end is End.NO_OUTPUT:
        raise UsageError("the run has no output, so it is not an example", "nothing was written")
    if not first.has_succeeded and (first.end is not End.EXITED or first.status is None):
        raise UsageError("the run was stopped, so it is not an example", "nothing was written")
    example: dict[str, Any] = {"title": title[:_LONGEST_TITLE]}
    files: dict[str, bytes] = {}
    if source.path:
        example["input_file"] = source.path
    elif source.message:
        example |= _message("input", source, definition, files, root)
    if not first.has_succeeded:
        example["exit_code"] = first.status
    elif first.output != second.output:
        example["output_size"] = {"min": 1 if first.output and second.output else 0}
    else:
        example |= _output(first.output or b"", source, definition, files, root)
    return Recording(example, files)


def _message(
    side: str, source: RecordedInput, definition: Definition, files: dict[str, bytes], root: Path
) -> dict[str, Any]:
    if is_plain_text(source.message):
        return {f"{side}_text": source.message.decode()}
    if len(source.message) > MAX_SAMPLE_BYTES:
        raise UsageError(
            f"the {side} is larger than 1 MiB, so it cannot be a sample",
            "use a smaller message; nothing was written",
        )
    path = _free_path(root, definition, source.file_name, source.message)
    files[path] = source.message
    return {f"{side}_file": path}


def _output(
    output: bytes, source: RecordedInput, definition: Definition, files: dict[str, bytes], root: Path
) -> dict[str, Any]:
    if not is_plain_text(output) and len(output) > _LARGEST_OUTPUT_FILE:
        return {"output_sha256": hashlib.sha256(output).hexdigest()}
    stem = PurePosixPath(source.file_name or "output").stem
    return _message("output", RecordedInput(output, f"{stem}.expected"), definition, files, root)


def is_plain_text(data: bytes) -> bool:
    """Return True for a short text without characters that an editor would not show."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    is_short = len(text) <= _LONGEST_TEXT and text.count("\n") <= _MOST_TEXT_LINES
    return is_short and all(char in "\n\t" or char.isprintable() for char in text)


def _free_path(root: Path, definition: Definition, name: str, data: bytes) -> str:
    """Return a path below samples/ that is free, or has this content already."""
    plain = PurePosixPath(_UNSAFE.sub("-", name).strip(".-") or "message")
    folder = f"{SAMPLES_FOLDER}/{definition.name}"
    number = 1
    while True:
        path = f"{folder}/{plain.stem}{'' if number == 1 else f'-{number}'}{plain.suffix}"
        there = root / path
        if not there.exists() or (there.is_file() and there.read_bytes() == data):
            return path
        number += 1


def add_example(root: Path, definition: Definition, recording: Recording) -> None:
    """Write a recording: the files, then the definition, in which only the lines of the example are new.

    Raises RefusedError if the file of the definition changed since it was read, and UsageError if one cannot
    be written. Nothing is left of a failed attempt.
    """
    place = root / definition.path
    if place.read_bytes() != definition.raw:
        raise RefusedError(f"{place} changed while its program ran", "try again; nothing was written")
    intended = copy.deepcopy(definition.data)
    intended["examples"] = [*list_of(intended.get("examples")), recording.example]
    edited = edit_text(definition.raw, intended)
    new = {path: data for path, data in recording.files.items() if not (root / path).exists()}
    create_files(root, new)
    try:
        replace_in(root, definition.path, edited.text)
    except BaseException:
        for path in new:
            (root / path).unlink(missing_ok=True)
        raise
