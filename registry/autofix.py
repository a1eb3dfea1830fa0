"""Automatic fixes for `registry check --fix`: small text edits that keep comments and all other bytes.

A fix is proposed only where the file has a single possible meaning. It is kept only if the changed file
parses to exactly the intended document, the fixed findings are gone and no finding is new. All checks run in
memory: each file is written once, after its result is verified.
"""

from __future__ import annotations

import copy
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.check.fields import is_command_line
from registry.files.atomic_write import replace_in
from registry.load import yaml
from registry.load.kinds import Kind, Kinds, load_kinds
from registry.load.source import WorkTree
from registry.load.yaml.edit import in_usual_order
from registry.load.yaml.source_text import SourceText
from registry.load.yaml.writer import quoted
from registry.model.definition import kind_and_name
from registry.model.diff import same
from registry.model.pointer import pointer_of, steps_of
from registry.model.problem import Problem
from registry.pipeline import check_source

if TYPE_CHECKING:
    from pathlib import Path

    from registry.git import Oversize

_ROUNDS = 4
# Maximum number of checks of one file: hundreds of conflicting fixes are not worth minutes.
_MOST_CHECKS = 200
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEY_ORDER_RULE = "W205"

Path_ = tuple[str | int, ...]
Check = Callable[[bytes], tuple[Problem, ...]]


@dataclass(frozen=True, slots=True)
class FixedFile:
    """A file that was changed, before and after."""

    path: str
    before: bytes
    after: bytes


class _Edit(NamedTuple):
    """Replacement of the characters from `start` to `end` with `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Fix:
    """Fix of one finding: edits of the text, and their effect on the document.

    `values` are new values by path. `renames` are new last steps by JSON Pointer. The finding is that of
    `rule` at `pointer`.
    """

    rule: str
    pointer: str
    edits: tuple[_Edit, ...]
    values: tuple[tuple[Path_, Any], ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)

    @property
    def renames_key(self) -> bool:
        return bool(self.renames) and not self.values


class _State(NamedTuple):
    """The bytes of a file and their findings."""

    data: bytes
    problems: tuple[Problem, ...]


class _Place(NamedTuple):
    """A finding with its location: the text with offsets, the value, and the map or list that contains it."""

    problem: Problem
    text: str
    start: int
    end: int
    path: Path_
    value: Any
    around: Any
    file: _File

    @property
    def raw(self) -> str:
        return self.text[self.start : self.end]

    def fix(self, new: str, *values: tuple[Path_, Any], renames: Mapping[str, str] | None = None) -> _Fix:
        """Return a fix that replaces the text of the finding with `new`."""
        return _Fix(
            self.problem.rule,
            self.problem.pointer,
            (_Edit(self.start, self.end, new),),
            values,
            renames or {},
        )


class _File:
    """A readable file: its text and document."""

    def __init__(self, data: bytes, document: yaml.ParsedDocument, kind: Kind) -> None:
        self.source = SourceText(data)
        self.text = self.source.text
        self.document = document
        self.kind = kind

    def range(self, place: yaml.Place) -> tuple[int, int]:
        """Return the offsets of the start and the end of a value."""
        line, column, end_line, end_column = place
        return self.source.offset(line, column), self.source.offset(end_line, end_column)

    def line_before(self, offset: int) -> str:
        """Return the text of a line up to `offset`."""
        return self.text[self.source.line_start(offset) : offset]

    def line_after(self, offset: int) -> str:
        """Return the rest of a line from `offset` on."""
        return self.text[offset : self.source.line_end(offset)].rstrip("\r\n")


class _Edited(WorkTree):
    """The work tree with different bytes for one file."""

    def __init__(self, root: Path, path: str, data: bytes) -> None:
        super().__init__(root)
        self._edited = (path, data)

    def read(self, path: str, *, at_most: int = yaml.MAX_BYTES) -> bytes | None:
        """Return the bytes of one regular file."""
        return self._edited[1] if path == self._edited[0] else super().read(path, at_most=at_most)

    def read_many(
        self, paths: Iterable[str], *, at_most: int = yaml.MAX_BYTES
    ) -> Iterator[tuple[str, bytes | Oversize | None]]:
        """Yield paths with their bytes."""
        for path in paths:
            yield (
                (path, self._edited[1])
                if path == self._edited[0]
                else next(super().read_many([path], at_most=at_most))
            )


def fix_files(root: Path, paths: Iterable[str]) -> tuple[FixedFile, ...]:
    """Fix the definitions at `paths` where that is safe, and return the changed files.

    Raises UsageError when a file cannot be written. A file that changes on disk in the meantime is not
    modified.
    """
    source = WorkTree(root)
    schemas = load_kinds(source)
    fixed = []
    for path, data in source.read_many(sorted(set(paths))):
        found = kind_and_name(path)
        if found is None or found[0] not in schemas[0].by_name or not isinstance(data, bytes):
            continue
        after = _FileFixer(path, schemas[0].by_name[found[0]], _checker(root, path, schemas)).fixed(data)
        if after != data and next(source.read_many([path]))[1] == data:
            fixed.append(FixedFile(path, data, after))
    for one in fixed:
        replace_in(root, one.path, one.after)
    return tuple(fixed)


def _checker(root: Path, path: str, schemas: tuple[Kinds, tuple[Problem, ...]]) -> Check:
    def check(data: bytes) -> tuple[Problem, ...]:
        problems = check_source(_Edited(root, path, data), only={path}, schemas=schemas).problems
        return tuple(problem for problem in problems if problem.span.path == path)

    return check


class _FileFixer:
    """Applies as many compatible fixes to one file as possible."""

    def __init__(self, path: str, kind: Kind, check: Check) -> None:
        self._path = path
        self._kind = kind
        self._check = check
        self._checks_left = _MOST_CHECKS

    def fixed(self, data: bytes) -> bytes:
        """Return the bytes with all possible fixes applied. The operation is idempotent."""
        state = _State(data, self._check(data))
        state = self._with_usual_order(state)
        for _ in range(_ROUNDS):
            after = self._with_fixes(state, self._proposed(state))
            if after is state:
                break
            state = after
        return state.data

    def _with_usual_order(self, state: _State) -> _State:
        if not any(problem.rule == _KEY_ORDER_RULE for problem in state.problems):
            return state
        ordered = in_usual_order(state.data)
        if ordered in (None, state.data):
            return state
        assert ordered is not None
        after = _State(ordered, self._check(ordered))
        is_better = not _counted(after.problems) - _counted(state.problems) and len(after.problems) < len(
            state.problems
        )
        return after if is_better else state

    def _proposed(self, state: _State) -> list[_Fix]:
        """Return fixes that do not overlap, in order of position."""
        file = self._read(state.data)
        if file is None:
            return []
        found: list[_Fix] = []
        for problem in state.problems:
            propose = _FIXES.get(problem.rule)
            place = _place_of(problem, file) if propose is not None else None
            fix = propose(place) if propose is not None and place is not None else None
            if fix is not None and not any(_overlaps(fix, other) for other in found):
                found.append(fix)
        # Two keys that both resemble the same third key: the author must decide which one is meant.
        wanted = Counter(_renamed_to(fix) for fix in found)
        return [fix for fix in found if not fix.renames_key or wanted[_renamed_to(fix)] == 1]

    def _read(self, data: bytes) -> _File | None:
        document, problems = yaml.read(data, self._path)
        # After any other parse finding, the document is not the complete content of the file.
        if (
            document is None
            or not isinstance(document.data, dict)
            or any(problem.rule != "Y011" for problem in problems)
        ):
            return None
        return _File(data, document, self._kind)

    def _with_fixes(self, state: _State, fixes: Sequence[_Fix]) -> _State:
        """Return the state with the valid ones of `fixes`: all at once, otherwise each half separately."""
        if not fixes or self._checks_left <= 0:
            return state
        after = self._applied(state, fixes)
        if after is not None:
            return after
        if len(fixes) == 1:
            return state
        # Apply the later half first: offsets before it stay valid.
        middle = len(fixes) // 2
        ordered = sorted(fixes, key=lambda fix: fix.edits[0].start)
        later = self._with_fixes(state, ordered[middle:])
        return self._with_fixes(later, ordered[:middle])

    def _applied(self, state: _State, fixes: Sequence[_Fix]) -> _State | None:
        """Return the state after all of `fixes`, or None if they are not valid together."""
        after = self._changed(state, fixes)
        if after is None:
            return None
        renames = {old: new for fix in fixes for old, new in fix.renames.items()}
        before = Counter((problem.rule, _renamed(problem.pointer, renames)) for problem in state.problems)
        allowed = before - Counter((fix.rule, _renamed(fix.pointer, renames)) for fix in fixes)
        new = _counted(after.problems) - allowed
        if not new:
            return after
        # A renamed key may reveal an invalid value: fix both or neither.
        if not any(fix.renames_key for fix in fixes):
            return None
        more = [fix for fix in self._proposed(after) if (fix.rule, fix.pointer) in new]
        again = self._changed(after, more) if more else None
        return again if again is not None and not _counted(again.problems) - allowed else None

    def _changed(self, state: _State, fixes: Sequence[_Fix]) -> _State | None:
        """Return the state after the edits of `fixes`, or None if the document is not the intended one."""
        before = yaml.read(state.data, self._path).document
        data = _with_edits(state.data, [edit for fix in fixes for edit in fix.edits])
        after = yaml.read(data, self._path).document
        if (
            before is None
            or after is None
            or data == state.data
            or not same(after.data, _with_changes(before.data, fixes))
        ):
            return None
        self._checks_left -= 1
        return _State(data, self._check(data))


def _counted(problems: Iterable[Problem]) -> Counter[tuple[str, str]]:
    return Counter((problem.rule, problem.pointer) for problem in problems)


def _overlaps(fix: _Fix, other: _Fix) -> bool:
    return any(one.start < two.end and two.start < one.end for one in fix.edits for two in other.edits)


def _renamed_to(fix: _Fix) -> tuple[str, str]:
    old, new = next(iter(fix.renames.items()), ("", ""))
    return old.rpartition("/")[0], new


def _renamed(pointer: str, renames: Mapping[str, str]) -> str:
    """Return the location of `pointer` after `renames`."""
    if not renames:
        return pointer
    steps = steps_of(pointer)
    return pointer_of(
        tuple(renames.get(pointer_of(steps[: depth + 1]), step) for depth, step in enumerate(steps))
    )


def _with_edits(data: bytes, edits: Iterable[_Edit]) -> bytes:
    source = SourceText(data)
    text = source.text
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return source.encoded(text)


def _with_changes(document: Any, fixes: Sequence[_Fix]) -> Any:
    """Return the document that `fixes` intend."""
    document = copy.deepcopy(document)
    for fix in fixes:
        for path, value in fix.values:
            _at(document, path[:-1])[path[-1]] = value
    renames = [
        (_path_in(document, old), new) for fix in fixes if fix.renames_key for old, new in fix.renames.items()
    ]
    for steps, new in sorted(
        renames, key=lambda one: -len(one[0])
    ):  # inner ones first: their paths use the old names
        around = _at(document, steps[:-1])
        around[new] = around.pop(steps[-1])
    return document


def _at(node: Any, path: Sequence[str | int]) -> Any:
    """Return the value at a path, or None if there is none."""
    for step in path:
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def _path_in(document: Any, pointer: str) -> Path_:
    """Return the keys and indexes of a JSON Pointer; indexes of lists in the document are numbers."""
    path: list[str | int] = []
    for step in steps_of(pointer):
        is_index = isinstance(document, list) and step.isdecimal()
        path.append(int(step) if is_index else step)
        document = _at(document, path[-1:])
    return tuple(path)


def _place_of(problem: Problem, file: _File) -> _Place | None:
    start, end = file.range(problem.span[1:])
    if file.text[start:end] == "[":
        end = _end_of_list(file.text, start)  # the span of a list covers only its start
    document = file.document.data
    path = _path_in(document, problem.pointer)
    return _Place(problem, file.text, start, end, path, _at(document, path), _at(document, path[:-1]), file)


def _end_of_list(text: str, start: int) -> int:
    """Return the end of the flow list that starts at `start`.

    Returns the offset after its opening bracket when the list is not closed on the same line.
    """
    found = re.compile(r"""\[(?:[^\[\]"'\n#]|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')*\]""").match(text, start)
    return found.end() if found else start + 1


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(quoted(word) for word in words)}]"


def _words(text: str) -> list[str] | None:
    """Return the words of a command line that splits in only one way: no quotes and no shell characters."""
    return shlex.split(text) if re.fullmatch(r"[\w@%+=:,./${}\- ]+", text) else None


def _is_slip(word: str, meant: str, misspellings: Mapping[str, str]) -> bool:
    """Return True when `word` is a known misspelling of `meant`, or within two typing errors of it.

    `misspellings` are those of the kind. Short words are close to words with another meaning (`cmd`, `cwd`):
    for them only known misspellings and swapped letters count.
    """
    word = word.lower().replace("-", "_")
    if word == meant or misspellings.get(word) == meant:
        return True
    if len(word) > 64 or min(len(word), len(meant)) < 5:
        return len(word) == len(meant) and sorted(word) == sorted(meant) and _distance(word, meant) == 1
    return _distance(word, meant) <= 2


def _distance(one: str, other: str) -> int:
    """Return the edit distance of two words, where a swap of adjacent letters counts as one edit."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, previous, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], wanted):
                row[j] = min(row[j], previous[j - 2] + 1)
    return row[-1]


# The fix that each rule proposes, or None where the author must decide.


def _key(place: _Place) -> _Fix | None:
    """Correct the spelling of a key, unless the correct key exists too. Never creates an `id`."""
    found = re.fullmatch(r"(?:did you mean|write) `([^`]+)`\??", place.problem.hint)
    if found is None or not isinstance(place.around, dict) or found[1] in place.around or found[1] == "id":
        return None
    if place.problem.rule == "S002" and not _is_slip(
        str(place.path[-1]), found[1], place.file.kind.traits.misspellings
    ):
        return None
    if place.raw != place.path[-1] or not re.fullmatch(r"[\w-]+", place.raw):
        return None
    return place.fix(found[1], renames={place.problem.pointer: found[1]})


def _type(place: _Place) -> _Fix | None:
    """Convert a value to the expected type."""
    name, value, raw = place.path[-1] if place.path else "", place.value, place.raw
    if (
        place.problem.hint.startswith("quote it")
        and isinstance(value, (bool, int, float))
        and re.fullmatch(r"[\w.+-]+", raw)
    ):
        return place.fix(quoted(raw), (place.path, raw))
    if name == "argv" and isinstance(value, str) and "\n" not in raw:
        words = _words(value)
        # `hello world` can be one argument; text that starts with an option was copied from a command line.
        if words and (len(words) == 1 or words[0].startswith("-")):
            return place.fix(_list(words), (place.path, words))
    if (
        name == "timeout"
        and "\n" not in raw
        and (found := re.fullmatch(r"write ([0-9]+(?:\.[0-9]+)?)", place.problem.hint))
    ):
        return place.fix(found[1], (place.path, float(found[1]) if "." in found[1] else int(found[1])))
    if name == "environment" and isinstance(value, list):
        return _environment(place)
    return None


def _environment(place: _Place) -> _Fix | None:
    """Convert a list of NAME=value to a map, in the style of the list."""
    pairs = [item.partition("=") for item in place.value if isinstance(item, str)]
    variables = {name: text for name, equals, text in pairs if equals and _VARIABLE.match(name)}
    # Quotes inside an item are part of the value, which is rarely intended.
    if (
        not variables
        or len(variables) < len(place.value)
        or any(text[:1] in "\"'" and text for text in variables.values())
    ):
        return None
    renames = {f"{place.problem.pointer}/{number}": name for number, name in enumerate(variables)}
    change = (place.path, variables)
    if place.raw.endswith("]"):
        pairs_written = ", ".join(f"{name}: {quoted(text)}" for name, text in variables.items())
        return place.fix("{" + pairs_written + "}", change, renames=renames)
    edits = list(_items_as_pairs(place, variables))
    if len(edits) < len(variables):
        return None
    return _Fix(place.problem.rule, place.problem.pointer, tuple(edits), (change,), renames)


def _items_as_pairs(place: _Place, variables: Mapping[str, str]) -> Iterator[_Edit]:
    """Rewrite `- A=b` as `A: "b"` for each item of a block list that is on a line of its own."""
    node: Any = place.file.document.root
    for step in place.path[:-1]:
        node = node.children.get(step) if isinstance(node, yaml.Node) else None
    if not isinstance(node, yaml.Node) or place.path[-1] not in node.children:
        return
    key_column, items = node.keys[str(place.path[-1])][1], node.children[place.path[-1]]
    for (name, text), item in zip(
        variables.items(), items.children.values() if isinstance(items, yaml.Node) else (), strict=False
    ):
        if isinstance(item, yaml.Node):
            return
        start, end = place.file.range(item)
        before = place.file.line_before(start)
        if not re.fullmatch(r" *- +", before) or not re.fullmatch(
            r"[ \t]*(?:#.*)?", place.file.line_after(end)
        ):
            return
        dash = before.index("-")
        # A list may start in the column of its key, a map may not.
        indent = "  " if dash + 1 <= key_column else ""
        yield _Edit(start - len(before) + dash, end, f"{indent}{name}: {quoted(text)}")


def _ambiguous(place: _Place) -> _Fix | None:
    """Quote a value that YAML versions read differently, where only text can be meant."""
    if not place.raw or re.search(r"[\n\"'\\]", place.raw):
        return None
    path, is_key = _path_at(place.file.document, place.problem)
    if path is None or (not is_key and _can_be_other_than_text(place, path)):
        return None
    return place.fix(quoted(place.raw))


def _path_at(document: yaml.ParsedDocument, problem: Problem) -> tuple[Path_ | None, bool]:
    """Return the path of the key or value at a finding, and whether it is a key."""
    wanted = tuple(problem.span[1:])
    waiting: list[tuple[Path_, Any]] = [((), document.root)]
    while waiting:
        path, node = waiting.pop()
        if not isinstance(node, yaml.Node):
            if node == wanted:
                return path, False
            continue
        for key, place in node.keys.items():
            if place == wanted:
                return (*path, key), True
        waiting.extend(((*path, step), child) for step, child in node.children.items())
    return None, False


def _can_be_other_than_text(place: _Place, path: Path_) -> bool:
    """Return True when the schema also accepts the value's other meaning, or does not accept it as text."""
    raw = place.raw.lower()
    other: Any = 1
    if raw in ("~", "null"):
        other = None
    elif raw.isalpha():
        other = True
    elif raw == "=" or re.match(r"[0-9]{4}-[0-9]{1,2}-", raw):
        return False  # JSON has no dates
    document, kind = place.file.document.data, place.file.kind
    changed = _with_changes(document, [_Fix("", "", (), ((path, other),))])
    as_text, as_other = _schema_errors(document, kind), _schema_errors(changed, kind)
    return not as_other - as_text or bool(as_text - as_other)


def _schema_errors(document: Any, kind: Kind) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(map(str, (*error.schema_path, "at", *error.instance_path)))
        for error in kind.validator.iter_errors(document)
    )


def _command_line(place: _Place) -> _Fix | None:
    """Keep only the program, and move the rest to `argv` on a separate line.

    A path may contain spaces. The value is a command line only if an option follows the program and no later
    word continues a path.
    """
    words = _words(place.value) if isinstance(place.value, str) else None
    if (
        not words
        or not isinstance(place.around, dict)
        or "argv" in place.around
        or not is_command_line(place.value)
    ):
        return None
    before = place.file.line_before(place.start)
    if (
        "\n" in place.raw
        or place.file.line_after(place.end).strip()
        or not re.fullmatch(r" *exec: +", before)
    ):
        return None
    indent = before[: before.index("e")]
    new = f"{words[0]}{place.file.source.line_break}{indent}argv: {_list(words[1:])}"
    return place.fix(new, (place.path, words[0]), ((*place.path[:-1], "argv"), words[1:]))


def _trailing_slash(place: _Place) -> _Fix | None:
    new = re.sub(r"(?<!/)/+(?=[\"']?\Z)", "", place.raw)
    value = place.value.rstrip("/") if isinstance(place.value, str) else ""
    return place.fix(new, (place.path, value)) if value and "\n" not in place.raw else None


def _variable(place: _Place) -> _Fix | None:
    """Replace a value with a reference to the variable of the same name.

    The runner resolves such references in `environment` only.
    """
    name = str(place.path[-1])
    if place.path[:-1] != ("definition", "environment") or not _VARIABLE.match(name) or "\n" in place.raw:
        return None
    return place.fix(f'"${{{name}}}"', (place.path, f"${{{name}}}"))


_FIXES: dict[str, Callable[[_Place], _Fix | None]] = {
    "S002": _key,
    "S003": _type,
    "Y011": _ambiguous,
    "A002": _key,
    "W101": _command_line,
    "W107": _trailing_slash,
    "X002": _variable,
}
