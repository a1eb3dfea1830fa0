"""The examples of a definition as tests: each is run, and its output is compared with the recorded one."""

from __future__ import annotations

import difflib
import hashlib
import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from registry.execution.runner import RunResult, run_definition
from registry.execution.running import End
from registry.load.loader import MAX_SAMPLE_BYTES
from registry.load.source_files import FileTooLargeError
from registry.model.characters import visible
from registry.model.definition import SAMPLES_FOLDER
from registry.model.values import list_of, map_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from registry.errors import Read
    from registry.execution.runner import Runner
    from registry.load.source import Source
    from registry.model.definition import Definition

# Lines of a difference that a report shows.
_MOST_LINES = 40
_LONGEST_LINE = 300
_ERROR_LINES = 10
_EXCERPT_BYTES = 16
# From this number on, a status is 128 and the number of a signal.
_FIRST_SIGNAL = 129


class ExampleOutcome(StrEnum):
    """What became of one example."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One expectation that a run did not meet.

    `field` is the key of the example. `message` is one line, `lines` are further ones: a difference with `-`
    before what was expected and `+` before what came, or the end of the error output.
    """

    field: str
    message: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """The result of one example.

    `number` counts the examples of the definition from 1. `run` is None if the example has no input that can
    be read. `reason` says why it was skipped.
    """

    kind: str
    name: str
    path: str
    number: int
    title: str
    outcome: ExampleOutcome
    run: RunResult | None
    mismatches: tuple[Mismatch, ...] = ()
    reason: str = ""


def sample_reader(source: Source) -> Read:
    """Return a function that reads the files below samples/ in a source.

    It returns None for other paths, which a file with errors may name, and for files over 1 MiB.
    """

    def read(path: str) -> bytes | None:
        if not path.startswith(f"{SAMPLES_FOLDER}/") or ".." in path.split("/"):
            return None
        try:
            return source.read(path, at_most=MAX_SAMPLE_BYTES)
        except FileTooLargeError:
            return None

    return read


def examples_of(definition: Definition) -> list[Mapping[str, Any]]:
    """Return the examples of a definition; empty if it has none."""
    return [one for one in list_of(definition.data.get("examples")) if isinstance(one, dict)]


def try_examples(definition: Definition, read: Read, runner: Runner) -> Iterator[ExampleResult]:
    """Run each example of a definition, one after another. `read` is as `sample_reader` returns it."""
    for number, example in enumerate(examples_of(definition), 1):
        yield try_example(definition, number, example, read, runner)


def try_example(
    definition: Definition, number: int, example: Mapping[str, Any], read: Read, runner: Runner
) -> ExampleResult:
    """Run one example of a definition."""
    title = text_of(example.get("title")) or f"example {number}"
    about = (definition.kind, definition.name, definition.path, number, title)
    message = input_of(example, read)
    if message is None:
        return ExampleResult(*about, ExampleOutcome.FAILED, None, (_unreadable(example, "input_file"),))
    run = run_definition(definition.inside, message, runner)
    if run.obstacle:
        return ExampleResult(*about, ExampleOutcome.SKIPPED, run, reason=run.obstacle)
    mismatches = tuple(mismatches_of(example, run, read))
    return ExampleResult(
        *about, ExampleOutcome.FAILED if mismatches else ExampleOutcome.PASSED, run, mismatches
    )


def input_of(example: Mapping[str, Any], read: Read) -> bytes | None:
    """Return the message of an example; empty if it has none, None if its file cannot be read."""
    if "input_file" in example:
        return read(text_of(example["input_file"]))
    return text_of(example.get("input_text")).encode()


def mismatches_of(example: Mapping[str, Any], run: RunResult, read: Read) -> Iterator[Mismatch]:
    """Yield each expectation of an example that a run did not meet."""
    failure = failure_of(run, expected=example.get("exit_code", 0))
    if failure is not None:
        yield failure
        return
    output = run.output if run.output is not None else b""
    for field, compare in _COMPARISONS.items():
        if field in example:
            found = compare(example[field], output, read)
            if found is not None:
                yield found


def failure_of(run: RunResult, expected: int = 0) -> Mismatch | None:
    """Return why a run has no output to compare; None if it ended with the `expected` status."""
    errors = tuple(line for line in _text_lines(run.errors)[-_ERROR_LINES:] if line)
    if run.end is End.TIMED_OUT:
        return Mismatch("timeout", f"it did not finish in {run.seconds:.1f} s", errors)
    if run.end is End.NO_ANSWER:
        return Mismatch("timeout", f"it did not answer in {run.seconds:.1f} s", errors)
    if run.end is End.TOO_LARGE:
        return Mismatch("output_size", "its output is larger than the limit, so it was stopped", errors)
    if run.end is End.NO_OUTPUT and run.status == expected:
        return Mismatch("output_file", "it did not write its output file", errors)
    if run.status in (expected, None):
        return None
    return Mismatch("exit_code", f"exit status {_status_words(run.status)}, expected {expected}", errors)


def _status_words(status: int | None) -> str:
    if status is None or status < _FIRST_SIGNAL:
        return str(status)
    try:
        return f"{status} ({signal.Signals(status - 128).name})"
    except ValueError:
        return str(status)


def _unreadable(example: Mapping[str, Any], field: str) -> Mismatch:
    return _unreadable_file(field, example.get(field))


def _unreadable_file(field: str, path: Any) -> Mismatch:
    return Mismatch(field, f"{visible(str(path))} is not a file below {SAMPLES_FOLDER}/ of at most 1 MiB")


def _compare_text(expected: Any, output: bytes, _read: Read) -> Mismatch | None:
    return _difference("output_text", text_of(expected).encode(), output)


def _compare_file(expected: Any, output: bytes, read: Read) -> Mismatch | None:
    wanted = read(text_of(expected))
    if wanted is None:
        return _unreadable_file("output_file", expected)
    return _difference("output_file", wanted, output)


def _compare_digest(expected: Any, output: bytes, _read: Read) -> Mismatch | None:
    digest = hashlib.sha256(output).hexdigest()
    if digest == expected:
        return None
    lines = (f"- {visible(text_of(expected))}", f"+ {digest}")
    return Mismatch("output_sha256", f"the output ({len(output):,} bytes) is not the expected one", lines)


def _compare_part(expected: Any, output: bytes, _read: Read) -> Mismatch | None:
    if text_of(expected).encode() in output:
        return None
    shown = tuple(f"+ {line}" for line in _cut(_text_lines(output)))
    return Mismatch("output_contains", f"the output does not contain {_quoted(text_of(expected))}", shown)


def _compare_size(expected: Any, output: bytes, _read: Read) -> Mismatch | None:
    least, most = (map_of(expected).get(key) for key in ("min", "max"))
    is_small = isinstance(least, int) and len(output) < least
    is_large = isinstance(most, int) and len(output) > most
    if not (is_small or is_large):
        return None
    limits = (("at least", least), ("at most", most))
    words = " and ".join(f"{word} {size:,}" for word, size in limits if size is not None)
    return Mismatch("output_size", f"{len(output):,} bytes, expected {words}")


_COMPARISONS: Mapping[str, Callable[[Any, bytes, Read], Mismatch | None]] = {
    "output_text": _compare_text,
    "output_file": _compare_file,
    "output_sha256": _compare_digest,
    "output_contains": _compare_part,
    "output_size": _compare_size,
}


def _difference(field: str, expected: bytes, output: bytes) -> Mismatch | None:
    if expected == output:
        return None
    return Mismatch(field, "the output is not the expected one", difference_lines(expected, output))


def difference_lines(expected: bytes, found: bytes) -> tuple[str, ...]:
    """Return the difference of two outputs as lines: of texts with context, of other data its first byte."""
    try:
        texts = expected.decode(), found.decode()
    except UnicodeDecodeError:
        return _binary_difference(expected, found)
    # A missing line feed at the end is a difference that must be visible.
    before, after = (_lines_with_end(text) for text in texts)
    rows = list(difflib.unified_diff(before, after, n=3, lineterm=""))[2:]
    return _cut([visible(row)[:_LONGEST_LINE] for row in rows if not row.startswith("@@")])


def _lines_with_end(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*lines, *([f"{last} (no line feed at the end)"] if last else [])]


def _binary_difference(expected: bytes, found: bytes) -> tuple[str, ...]:
    place = next(
        (place for place, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b),
        min(len(expected), len(found)),
    )
    rows = ((sign, data[place : place + _EXCERPT_BYTES]) for sign, data in (("-", expected), ("+", found)))
    sizes = f"{len(expected):,} bytes expected, {len(found):,} bytes found, first difference at {place:,}"
    return (sizes, *(f"{sign} {part.hex(' ')}" for sign, part in rows))


def _text_lines(data: bytes) -> list[str]:
    return [visible(line)[:_LONGEST_LINE] for line in data.decode("utf-8", "replace").splitlines()]


def _cut(lines: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    more = len(lines) - _MOST_LINES
    return (*lines[:_MOST_LINES], *([f"… and {more:,} more lines"] if more > 0 else []))


def _quoted(text: str) -> str:
    return f'"{visible(text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + "…")}"'
