"""Mends what is safe to mend: small edits of the text at the place of a finding, so that all other bytes stay.

A file is only kept changed when checking it again finds less than before; else it gets its old bytes back.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from registry import yaml
from registry.build import check_source
from registry.check.people import key_rank
from registry.edit import replace_file
from registry.errors import Problem
from registry.loader import kind_and_name
from registry.source import WorkTree

_ROUNDS = 4
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Mended:
    """One file that was changed, before and after."""

    path: str
    before: bytes
    after: bytes


class _Edit(NamedTuple):
    """Characters from `start` to `end` that become `text`."""

    start: int
    end: int
    text: str
    is_key: bool


class _Place(NamedTuple):
    """What a mend may look at: the finding, the text at its place, the value there, and the map around it."""

    problem: Problem
    raw: str
    value: Any
    around: Any
    indent: int


def mend(root: Path, problems: Iterable[Problem]) -> tuple[Mended, ...]:
    """Change the files that `problems` are in; gives those that were. Run again on what is left until nothing can be mended."""
    source = WorkTree(root)
    before: dict[str, bytes] = {}
    waiting = list(problems)
    for _ in range(_ROUNDS):
        files = sorted({problem.span.path for problem in waiting if problem.rule in (*_MENDS, "W205") and kind_and_name(problem.span.path)})
        changed = {path for path in files if _mend_file(source, path, waiting, before)}
        if not changed:
            break
        waiting = [problem for problem in check_source(source, only=changed).problems if problem.span.path in changed]
    after = {path: source.read(path) or b"" for path in before}
    return tuple(Mended(path, old, after[path]) for path, old in sorted(before.items()) if after[path] != old)


def _mend_file(source: WorkTree, path: str, problems: Iterable[Problem], before: dict[str, bytes]) -> bool:
    data = source.read(path)
    mine = [problem for problem in problems if problem.span.path == path]
    if data is None:
        return False
    if any(problem.rule == "W205" for problem in mine) and (ordered := _ordered(data)) not in (None, data):
        assert ordered is not None
        replace_file(source.root / path, ordered)
        before.setdefault(path, data)
        return True
    edits = _edits(data, mine)
    # All at once; where that makes it worse, one by one, so that one that does not fit stops no other.
    for chosen in [edits, *([[edit] for edit in edits] if len(edits) > 1 else [])]:
        result = _applied(data, chosen)
        if chosen and result != data:
            replace_file(source.root / path, result)
            left = sum(one.span.path == path for one in check_source(source, only={path}).problems)
            # A key that gets its right name may show what is wrong with its value.
            if left < len(mine) or (left == len(mine) and all(edit.is_key for edit in chosen)):
                before.setdefault(path, data)
                return True
            replace_file(source.root / path, data)
    return False


def _edits(data: bytes, problems: Iterable[Problem]) -> list[_Edit]:
    """Start, end and new text, last ones first; none overlap."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    starts = [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", text))]
    document = yaml.read_data(data)
    found: list[_Edit] = []
    for problem in problems:
        span = problem.span
        if problem.rule not in _MENDS or span.end_line > len(starts):
            continue
        start, end = starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
        if text[start:end] == "[":
            # The place of a list is where it starts.
            end = _end_of_list(text, start)
        steps = [step.replace("~1", "/").replace("~0", "~") for step in problem.pointer.split("/")[1:]]
        line = text[starts[span.line - 1] : start]
        is_last = not text[end:].split("\n", 1)[0].strip()
        indent = len(line) - len(line.lstrip(" ")) if is_last and re.fullmatch(r" *[a-z]+: +", line) else -1
        new = _MENDS[problem.rule](_Place(problem, text[start:end], _at(document, steps), _at(document, steps[:-1]), indent))
        if new is not None and not any(start < other.end and other.start < end for other in found):
            found.append(_Edit(start, end, new, problem.rule in ("S002", "A002")))
    return sorted(found, reverse=True)


def _ordered(data: bytes) -> bytes | None:
    """The file with its top-level keys in the usual order, each with the comments right above it; None where that is not safe.

    Comments at the top of the file stay there.
    """
    document, problems = yaml.read(data, "")
    if document is None or problems or not isinstance(document.data, dict):
        return None
    lines = data.decode("utf-8").splitlines(keepends=True)
    if lines[-1][-1:] not in "\r\n":
        lines[-1] += "\r\n" if "\r\n" in lines[0] else "\n"
    starts = {key: document.span((key,), key=True) for key in document.data}
    if any(span.column != 1 for span in starts.values()) or len({span.line for span in starts.values()}) < len(starts):
        return None  # in brackets, or indented
    firsts = []
    for number, span in enumerate(starts.values()):
        first = span.line - 1
        while number and lines[first - 1].startswith("#"):
            first -= 1
        firsts.append(first)
    parts = dict(zip(starts, [lines[first:end] for first, end in zip(firsts, [*firsts[1:], len(lines)], strict=True)], strict=True))
    result = "".join([*lines[: firsts[0]], *(line for key in sorted(parts, key=key_rank) for line in parts[key])]).encode()
    again = yaml.read(result, "").document
    return result if again is not None and again.data == document.data else None


def _end_of_list(text: str, start: int) -> int:
    """Where the flow list that starts here ends; nothing but its bracket when it is not closed in its line."""
    found = re.compile(r"""\[(?:[^\[\]"'\n#]|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')*\]""").match(text, start)
    return found.end() if found else start + 1


def _applied(data: bytes, edits: list[_Edit]) -> bytes:
    bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    text = data[len(bom) :].decode("utf-8", "replace")
    for edit in edits:
        text = text[: edit.start] + edit.text + text[edit.end :]
    return bom + text.encode()


def _at(node: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return node


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(_quoted(word) for word in words)}]"


def _words(text: str) -> list[str] | None:
    """The words of a command line that splits in one way only: no quotes, no characters of a shell."""
    return shlex.split(text) if re.fullmatch(r"[\w@%+=:,./${}\- ]+", text) else None


def _key(place: _Place) -> str | None:
    """The right spelling of a key, unless it is there too."""
    found = re.search(r"(?:did you mean|write) `([^`]+)`", place.problem.hint)
    around = place.around if isinstance(place.around, dict) else {}
    return found[1] if found and found[1] not in around and re.fullmatch(r"[\w-]+", place.raw) else None


def _type(place: _Place) -> str | None:
    """A value of the type that is meant."""
    field, value = place.problem.pointer.rpartition("/")[2], place.value
    if place.problem.hint.startswith("quote it: ") and re.fullmatch(r"[\w.+-]+", place.raw):
        return _quoted(place.raw)
    if field == "argv" and isinstance(value, str):
        words = _words(value)
        return _list(words) if words else None
    if field == "timeout" and (found := re.fullmatch(r"write ([0-9]+)", place.problem.hint)):
        return found[1]
    if field == "environment" and isinstance(value, list) and "#" not in place.raw:
        pairs = [item.partition("=") for item in value if isinstance(item, str)]
        names = [name for name, equals, _ in pairs if equals and _VARIABLE.match(name)]
        if len(set(names)) == len(value):
            return "{" + ", ".join(f"{name}: {_quoted(text)}" for name, _, text in pairs) + "}"
    return None


def _ambiguous(place: _Place) -> str | None:
    return _quoted(place.raw) if place.raw and not re.search(r"[\n\"'\\]", place.raw) else None


def _command_line(place: _Place) -> str | None:
    """The program alone, and the rest as `argv` in a line of its own."""
    words = _words(place.value) if isinstance(place.value, str) else None
    if not words or place.indent < 0 or not isinstance(place.around, dict) or "argv" in place.around:
        return None
    return f"{words[0]}\n{' ' * place.indent}argv: {_list(words[1:])}"


def _trailing_slash(place: _Place) -> str | None:
    return re.sub(r"/+(?=[\"']?\Z)", "", place.raw) or None


def _variable(place: _Place) -> str | None:
    name = place.problem.pointer.rpartition("/")[2]
    return f'"${{{name}}}"' if _VARIABLE.match(name) else None


_MENDS: dict[str, Callable[[_Place], str | None]] = {
    "S002": _key,
    "S003": _type,
    "Y011": _ambiguous,
    "A002": _key,
    "W101": _command_line,
    "W107": _trailing_slash,
    "X002": _variable,
}
