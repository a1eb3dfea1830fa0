"""The fix that each rule proposes for a finding, or None where the author must decide."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

from registry.autofix.edits import Edit, FindingPlace, Fix, Path_, document_after
from registry.check.fields import is_command_line
from registry.load import yaml
from registry.load.yaml.writer import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from registry.load.kinds import Kind
    from registry.model.problem import Problem

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


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


def _key(place: FindingPlace) -> Fix | None:
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


def _type(place: FindingPlace) -> Fix | None:
    """Convert a value to the expected type."""
    name, value = place.path[-1] if place.path else "", place.value
    if place.problem.hint.startswith("quote it") and isinstance(value, (bool, int, float)):
        fix = _text(place)
        if fix is not None:
            return fix
    if name == "argv" and isinstance(value, str):
        return _arguments(place)
    if name == "timeout":
        return _seconds(place)
    if name == "environment" and isinstance(value, list):
        return _environment(place)
    return None


def _text(place: FindingPlace) -> Fix | None:
    """Quote a number or constant as it is written: `1.50` would read as 1.5."""
    raw = place.raw
    return place.fix(quoted(raw), (place.path, raw)) if re.fullmatch(r"[\w.+-]+", raw) else None


def _arguments(place: FindingPlace) -> Fix | None:
    """Split a text into a list of arguments."""
    words = _words(place.value) if "\n" not in place.raw else None
    # `hello world` can be one argument; text that starts with an option was copied from a command line.
    is_clear = words and (len(words) == 1 or words[0].startswith("-"))
    return place.fix(_list(words), (place.path, words)) if words and is_clear else None


def _seconds(place: FindingPlace) -> Fix | None:
    """Write the number of seconds that the hint names."""
    found = re.fullmatch(r"write ([0-9]+(?:\.[0-9]+)?)", place.problem.hint)
    if found is None or "\n" in place.raw:
        return None
    return place.fix(found[1], (place.path, float(found[1]) if "." in found[1] else int(found[1])))


def _environment(place: FindingPlace) -> Fix | None:
    """Convert a list of NAME=value to a map, in the style of the list."""
    variables = _variables(place.value)
    if not variables:
        return None
    renames = {f"{place.problem.pointer}/{number}": name for number, name in enumerate(variables)}
    change = (place.path, variables)
    if place.raw.endswith("]"):
        pairs = ", ".join(f"{name}: {quoted(text)}" for name, text in variables.items())
        return place.fix("{" + pairs + "}", change, renames=renames)
    edits = list(_items_as_pairs(place, variables))
    if len(edits) < len(variables):
        return None
    return Fix(place.problem.rule, place.problem.pointer, tuple(edits), (change,), renames)


def _variables(items: list[Any]) -> dict[str, str]:
    """Return the variables of a list of NAME=value; empty when an item is not one, or not clearly."""
    pairs = [item.partition("=") for item in items if isinstance(item, str)]
    variables = {name: text for name, equals, text in pairs if equals and _VARIABLE.match(name)}
    if len(variables) < len(items):
        return {}
    # Quotes inside an item are part of the value, which is rarely intended.
    return {} if any(text.startswith(('"', "'")) for text in variables.values()) else variables


def _items_as_pairs(place: FindingPlace, variables: Mapping[str, str]) -> Iterator[Edit]:
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
        yield Edit(start - len(before) + dash, end, f"{indent}{name}: {quoted(text)}")


def _ambiguous(place: FindingPlace) -> Fix | None:
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


def _can_be_other_than_text(place: FindingPlace, path: Path_) -> bool:
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
    changed = document_after(document, [Fix("", "", (), ((path, other),))])
    as_text, as_other = _schema_errors(document, kind), _schema_errors(changed, kind)
    return not as_other - as_text or bool(as_text - as_other)


def _schema_errors(document: Any, kind: Kind) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(map(str, (*error.schema_path, "at", *error.instance_path)))
        for error in kind.validator.iter_errors(document)
    )


def _command_line(place: FindingPlace) -> Fix | None:
    """Keep only the program, and move the rest to `argv` on a separate line.

    A path may contain spaces. The value is a command line only if an option follows the program and no later
    word continues a path.
    """
    words = _words(place.value) if isinstance(place.value, str) else None
    if not words or not is_command_line(place.value):
        return None
    if not isinstance(place.around, dict) or "argv" in place.around:
        return None
    before = place.file.line_before(place.start)
    is_own_line = "\n" not in place.raw and not place.file.line_after(place.end).strip()
    if not is_own_line or not re.fullmatch(r" *exec: +", before):
        return None
    indent = before[: before.index("e")]
    new = f"{words[0]}{place.file.source.line_break}{indent}argv: {_list(words[1:])}"
    return place.fix(new, (place.path, words[0]), ((*place.path[:-1], "argv"), words[1:]))


def _trailing_slash(place: FindingPlace) -> Fix | None:
    new = re.sub(r"(?<!/)/+(?=[\"']?\Z)", "", place.raw)
    value = place.value.rstrip("/") if isinstance(place.value, str) else ""
    return place.fix(new, (place.path, value)) if value and "\n" not in place.raw else None


def _variable(place: FindingPlace) -> Fix | None:
    """Replace a value with a reference to the variable of the same name.

    The runner resolves such references in `environment` only.
    """
    name = str(place.path[-1])
    if place.path[:-1] != ("definition", "environment") or not _VARIABLE.match(name) or "\n" in place.raw:
        return None
    return place.fix(f'"${{{name}}}"', (place.path, f"${{{name}}}"))


PROPOSALS: dict[str, Callable[[FindingPlace], Fix | None]] = {
    "S002": _key,
    "S003": _type,
    "Y011": _ambiguous,
    "A002": _key,
    "W101": _command_line,
    "W107": _trailing_slash,
    "X002": _variable,
}
