"""Read files in the usual form to plain data, line by line: several times as fast as a YAML parser.

The usual form is a subset of YAML: maps and lists by indentation, single-line texts (plain or quoted), lists
and maps in brackets on one line, and multi-line texts after `|` and `>`. Other constructs are not guessed:
`read_lines` raises, and the caller uses the parser. For every file that it accepts, the result equals the
parser's, and the strict reader reports no problem. Tests compare both readers on all test files and on
thousands of generated ones.
"""

import re
from collections.abc import Sequence
from sys import intern
from typing import Any

from registry.load.yaml.scalars import FIRST_OF_AMBIGUOUS, FORBIDDEN, QUESTION, is_word, plain_value

# Less than the possible number of keys and values in a file: each takes at least one character.
_MAX_BYTES = 16 * 1024
_MAX_DEPTH = 16
_USUAL_BYTES = bytes([10, *range(32, 127)])

_KEY = r"[A-Za-z_][A-Za-z0-9_.-]{0,99}"
# A `:` is part of a plain text unless a blank follows. A `#` in it, and in brackets a `:`, is left to the
# parser.
_FIRST = r"(?:[\w/$(.+~=<]|-{1,2}(?=[A-Za-z0-9_]))"
_PLAIN = rf"{_FIRST}[^\n:#]*+(?::[^\s:#][^\n:#]*+)*+"
_PLAIN_IN_BRACKETS = rf"{_FIRST}[^\n:#,\[\]{{}}]*"
_QUOTED = r""""[^"\\\n]*"|'[^'\n]*'"""
# Groups: indentation, dash, key, plain text, quoted text, brackets, header of a multi-line text. Possessive
# (`*+`): a line that does not match fails at once; backtracking over its blanks would take cubic time.
_LINE = re.compile(
    rf"([ ]*+)(-[ ]++)?(?:({_KEY}):(?=[ ]|\Z))?[ ]*+"
    rf"(?:({_PLAIN})|({_QUOTED})|([\[{{](?:[^#\]}}]*+[\]}}])++)|([>|]-?))?[ ]*+(?:(?<=[ ])#.*)?\Z"
)
# One match for each item in brackets, with the blanks after it. Groups: key, plain text, quoted text, sign,
# unusual form.
_IN_BRACKETS = re.compile(rf"(?:({_KEY}):[ ]|({_PLAIN_IN_BRACKETS})|({_QUOTED})|([\[\]{{}},])|([^ ]))[ ]*")
_ITEM = re.compile(rf"(?:({_PLAIN_IN_BRACKETS})|{_QUOTED})\Z")
_KEY_ALONE = re.compile(rf"{_KEY}\Z")


class UnusualFormError(Exception):
    """The file is not in the usual form; the parser must read it."""


class _NoItemError(Exception):
    """The text between two commas is more than a single value."""


_Line = tuple[int, int, str, str, Any]
"""One parsed line: column, width of a dash with its blanks, key ("" for none), type and content of the value.
"""

_VALUE, _FLAT, _DEEP, _BLOCK, _OPEN = (
    "value",
    "flat list or map",
    "list or map",
    "text of several lines",
    "nothing yet",
)
_BLANK: _Line = (0, 0, "", "blank", None)
# Files of a registry, and even more the revisions of one file, have many lines in common.
_MOST_KNOWN = 4_096
_LONGEST_KNOWN = 200
_known: dict[str, _Line] = {}
# Keys alone, and the text between two commas in brackets: in a list a value, in a map a key with its value.
_known_keys: dict[str, str] = {}
_known_items: dict[str, Any] = {}
_known_pairs: dict[str, tuple[str, Any]] = {}


def read_lines(data: bytes) -> dict[str, Any]:
    """Return the data of a file in the usual form. Raises UnusualFormError for every other file."""
    if (
        len(data) > _MAX_BYTES
        or data[-1:] != b"\n"
        or (data.isascii() and data.translate(None, _USUAL_BYTES))
    ):
        raise UnusualFormError
    try:
        text = data.decode("utf-8")
        if not text.isascii() and (FORBIDDEN.search(text) or "\t" in text or "\r" in text):
            raise UnusualFormError
        if "?" in text and QUESTION.search(text):
            raise UnusualFormError
        return _read(text.split("\n"))
    except ValueError as error:  # not UTF-8, or a value that YAML versions read differently
        raise UnusualFormError from error


# one loop: a call per line costs a third more
def _read(lines: Sequence[str]) -> dict[str, Any]:  # noqa: C901, PLR0912
    root: dict[str, Any] = {}
    # The open map or list and its column, its parents, and the map's key that waits for the value below it.
    container: Any = root
    column = 0
    around: list[tuple[Any, int]] = []
    waiting: str | None = None
    next_line = 0
    known = _known.get
    for number, line in enumerate(lines):
        if number < next_line:
            continue  # part of a multi-line text
        found = known(line) or _look_at(line)
        if found is _BLANK:
            continue
        here, width, key, sort, value = found
        if waiting is not None:
            # Deeper lines belong to the key above; a list may have the same indentation as its key.
            if here > column or (width and here == column):
                around.append((container, column))
                container[waiting] = container = [] if width else {}
                column = here
            waiting = None
        if here != column or width or container.__class__ is not dict:  # not another key of the same map
            while here < column or (here == column and not width and container.__class__ is list):
                if not around:
                    raise UnusualFormError
                container, column = around.pop()
            if here != column or (container.__class__ is list) is not bool(width):
                raise UnusualFormError
            if width and key:
                around.append((container, column))
                inner: dict[str, Any] = {}
                container.append(inner)
                container, column = inner, here + width
            if len(around) > _MAX_DEPTH:
                raise UnusualFormError
        if sort is not _VALUE:
            if sort is _FLAT:
                value = value.copy()
            elif sort is _DEEP:
                value = _read_brackets(value)
            elif sort is _BLOCK:
                value, next_line = _read_block(lines, number + 1, column, value)
            else:
                waiting = key
        if not key:
            container.append(value)
        elif key in container:
            raise UnusualFormError
        else:
            container[key] = value
    if not root:
        raise UnusualFormError
    return root


def _look_at(line: str) -> _Line:
    """Parse one line."""
    rest = line.lstrip(" ")
    if not rest or rest[0] == "#":
        found = _BLANK
    else:
        match = _LINE.match(line)
        if match is None:
            raise UnusualFormError
        indentation, dash, key, plain, quoted, brackets, block = match.groups("")
        if key:
            key = _known_keys.get(key) or _key(key)
        elif not dash:
            raise UnusualFormError
        if plain:
            found = (len(indentation), len(dash), key, _VALUE, _plain(plain))
        elif quoted:
            found = (len(indentation), len(dash), key, _VALUE, quoted[1:-1])
        else:
            found = (len(indentation), len(dash), key, *_more_than_a_value(brackets, block, is_key=bool(key)))
    if len(line) <= _LONGEST_KNOWN:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[line] = found
    return found


def _more_than_a_value(brackets: str, block: str, *, is_key: bool) -> tuple[str, Any]:
    """Return type and value of the text after a key or a dash."""
    if brackets:
        return _in_brackets(brackets)
    if block:
        return _BLOCK, block
    if is_key:
        return _OPEN, None
    raise UnusualFormError


def _note(known: dict[str, Any], text: str, found: Any) -> None:
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[text] = found


def _key(text: str) -> str:
    if is_word(text):
        raise UnusualFormError
    text = intern(text)  # thousands of files have the same keys
    _note(_known_keys, text, text)
    return text


def _plain(text: str) -> Any:
    value = text.rstrip(" ")
    return plain_value(value) if value[0] in FIRST_OF_AMBIGUOUS else value


def _in_brackets(text: str) -> tuple[str, Any]:
    """Return type and value of a list or map in brackets."""
    items = text[1:-1].split(", ")
    # Most contain single values that repeat across files. A text that is split in the wrong place does not
    # match.
    try:
        if text[0] == "[" and text[-1] == "]":
            return _FLAT, [_known_items[item] if item in _known_items else _item(item) for item in items]
        if text[0] == "{" and text[-1] == "}":
            pairs = dict([_known_pairs.get(item) or _pair(item) for item in items])
            if len(pairs) == len(items):
                return _FLAT, pairs
    except _NoItemError:
        pass
    value = _read_brackets(text)
    inner = value.values() if value.__class__ is dict else value
    return (_DEEP, text) if any(one.__class__ in (list, dict) for one in inner) else (_FLAT, value)


def _item(text: str) -> Any:
    match = _ITEM.match(text)
    if match is None:
        raise _NoItemError
    found = _plain(match[1]) if match[1] else text[1:-1]
    _note(_known_items, text, found)
    return found


def _pair(text: str) -> tuple[str, Any]:
    key, _, value = text.partition(": ")
    if _KEY_ALONE.match(key) is None:
        raise _NoItemError
    found = (
        _known_keys.get(key) or _key(key),
        _known_items[value] if value in _known_items else _item(value),
    )
    _note(_known_pairs, text, found)
    return found


def _read_brackets(text: str) -> Any:  # noqa: C901, PLR0912 - one loop, as above
    """Parse a list or map in brackets."""
    root: Any = None
    container: Any = None
    around: list[Any] = []
    key: str | None = None
    is_after_value = False
    for new_key, plain, quoted, sign, unusual in _IN_BRACKETS.findall(text):
        if new_key:
            if (
                is_after_value
                or key is not None
                or container.__class__ is not dict
                or new_key in container
                or is_word(new_key)
            ):
                raise UnusualFormError
            key = intern(new_key)
            continue
        if sign == ",":
            if not is_after_value or container is None:
                raise UnusualFormError
            is_after_value = False
            continue
        if sign == "]" or sign == "}":
            # Not after a comma, and not after a key.
            if (
                key is not None
                or container.__class__ is not (list if sign == "]" else dict)
                or (container and not is_after_value)
            ):
                raise UnusualFormError
            container = around.pop()
            is_after_value = True
            continue
        if unusual or is_after_value:
            raise UnusualFormError
        value = _plain(plain) if plain else quoted[1:-1] if quoted else [] if sign == "[" else {}
        if container.__class__ is list:
            container.append(value)
        elif key is not None:
            container[key] = value
            key = None
        elif root is None and sign:
            root = value
        else:
            raise UnusualFormError
        if sign:
            around.append(container)
            container = value
            if len(around) > _MAX_DEPTH:
                raise UnusualFormError
        else:
            is_after_value = True
    if container is not None or root is None:
        raise UnusualFormError
    return root


def _read_block(lines: Sequence[str], first: int, column: int, head: str) -> tuple[str, int]:
    """Read a multi-line text after `|` or `>` (`head`) in a map or list at `column`.

    Returns the text and the index of the next line.
    """
    indentation = len(lines[first]) - len(lines[first].lstrip(" "))
    if indentation <= column or indentation == len(lines[first]):
        raise UnusualFormError
    margin = lines[first][:indentation]
    taken = []
    number = first
    # A line with only the indentation, or less, is empty.
    while number < len(lines) and (lines[number].startswith(margin) or not lines[number].strip(" ")):
        taken.append(lines[number][indentation:])
        number += 1
    if head[0] == ">" and any(line[:1] == " " or line[-1:] == " " for line in taken):
        raise UnusualFormError  # lines that are not folded
    if number < len(lines) and len(lines[number]) - len(lines[number].lstrip(" ")) > column:
        raise UnusualFormError
    while not taken[-1]:
        taken.pop()
    if not taken[-1].strip(" "):
        raise UnusualFormError
    text = "\n".join(taken) if head[0] == "|" else _folded(taken)
    return (text, number) if head[1:] else (f"{text}\n", number)


def _folded(lines: Sequence[str]) -> str:
    """Join lines into one, with a line break for each empty line."""
    if "" not in lines:
        return " ".join(lines)
    text = lines[0]
    breaks = 0
    for line in lines[1:]:
        if line:
            text += ("\n" * breaks or " ") + line
            breaks = 0
        else:
            breaks += 1
    return text
