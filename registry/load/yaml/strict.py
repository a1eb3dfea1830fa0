"""Read bytes to a tree with the line and column of every key and value; strict, and safe on any input.

Reads ruamel.yaml's C *event* stream, never its composer (which recurses in C and can be crashed by deep
nesting), and resolves plain scalars itself: only scalars that all YAML versions read alike are accepted;
others must be quoted. See docs/format.md, "Strict reading".
"""

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from registry.load.yaml.document import Node, ParsedDocument, Place
from registry.load.yaml.scalars import (
    AMBIGUOUS,
    CONSTANTS,
    DATE,
    FIRST_OF_AMBIGUOUS,
    FLOAT,
    FORBIDDEN,
    INTEGER,
    QUESTION,
)
from registry.model.git_leftovers import leftover_in
from registry.model.problem import Problem, Severity, Span

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_EVENTS = 20_000
MAX_INTEGER = 2**53
_LONGEST_SHOWN = 40
# Not 0777: a number with a leading zero is more often a code or a mode.
_NUMBER_LIKE = re.compile(r"[-+]?(?:[1-9]|0?\.)[0-9]*")

# Messages of libyaml in the author's terms: (part of its message, our message, hint).
_SYNTAX_HINTS = (
    (
        "mapping values are not allowed",
        "a second `: ` on one line",
        "quote the value, or put it on a line of its own",
    ),
    (
        "found character that cannot start",
        "this character cannot start a value",
        "indent with spaces, not tabs; quote values that start with @, %, ` or |",
    ),
    ("could not find expected ':'", "a key without `:`", "write `key: value`"),
    (
        "did not find expected key",
        "the indentation does not match the lines above, or a quote is not closed",
        "align the key with the keys around it",
    ),
    (
        "did not find expected ',' or",
        "a list or map in brackets is not closed, or a comma is missing",
        "close it with `]` or `}`",
    ),
    ("found unexpected end of stream", "a quoted text is not closed", "add the closing quote"),
    ("did not find expected '-'", "the indentation of this list is inconsistent", "align the items"),
    (
        "block sequence entries are not allowed",
        "a list cannot start here",
        "put `- item` on a line of its own",
    ),
    ("found unexpected ':'", "a `:` in a value inside brackets", "quote the value"),
    ("block mapping", "a map cannot start here", "put the key on a line of its own"),
)


class Reading(NamedTuple):
    """Result of reading: a document, or None if it could not be read, and all problems found."""

    document: ParsedDocument | None
    problems: tuple[Problem, ...]


class _Stop(Exception):  # noqa: N818 - control flow inside this module only
    """Reading cannot continue; the problem was added."""


def too_large(path: str, size: int) -> Problem:
    """Return the finding for a file of more than `MAX_BYTES`."""
    message = f"the file has {size:,} bytes; the maximum is {MAX_BYTES:,}"
    return Problem(
        "Y002", Severity.ERROR, Span(path), message, "split it, or move large data to a separate file"
    )


def read(data: bytes, path: str) -> Reading:
    """Read one file's bytes strictly. Never raises for the file's content."""
    reader = _Reader(path, data)
    try:
        document: ParsedDocument | None = reader.read()
    except _Stop:
        document = None
    return Reading(document, tuple(reader.problems))


class _Reader:
    """Converts events to data and locations, and collects problems."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        self.problems: list[Problem] = []

    def note(self, rule: str, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(Problem(rule, Severity.ERROR, Span(self.path, *place), message, hint))

    def read(self) -> ParsedDocument:
        from _ruamel_yaml import (
            CParser,  # imported late: it loads all of ruamel.yaml, which most files do not need
        )

        text = self.decode(self.data)
        try:
            document = self.compose(CParser(text))
        except (_Stop, MemoryError):
            raise
        except Exception as error:
            # Importing the common base class of ruamel's scanner and parser errors would slow down start-up.
            # The C parser also raises plain ValueErrors for some inputs. All of them are about this file.
            self.note_syntax(error, text)
            raise _Stop from error
        if "?" in text and QUESTION.search(text):
            self.note_question_marks(text, document.root)
        return document

    def decode(self, data: bytes) -> str:
        start = (1, 1, 1, 1)
        if len(data) > MAX_BYTES:
            self.problems.append(too_large(self.path, len(data)))
            raise _Stop
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            self.note("Y003", start, "the file is UTF-16, not UTF-8", "save it as UTF-8")
            raise _Stop
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            before = data[: error.start].decode("utf-8")
            self.note(
                "Y003",
                _place_at(before),
                f"byte 0x{data[error.start]:02x} is not UTF-8",
                "save the file as UTF-8",
            )
            raise _Stop from error
        text = text.removeprefix("\ufeff")
        if text.startswith("version ") and (leftover := leftover_in(text)):
            self.note("Y001", (1, 1, 1, 8), leftover.message, leftover.hint)
            raise _Stop
        found = FORBIDDEN.search(text)
        if found:
            self.note(
                "Y004",
                _place_at(text[: found.start()]),
                f"the character U+{ord(found.group()):04X} is not allowed in a file",
                "remove it, or write it as an escape in a double-quoted text",
            )
            raise _Stop
        # Trailing blanks without a line end are lost if a block text ends the file.
        return f"{text}\n" if text[-1:] in (" ", "\t") else text

    def note_question_marks(self, text: str, node: "Node | Place | None") -> None:
        """Add a problem for each key in brackets that starts with a `?`."""
        lines = text.splitlines()
        waiting = [node]
        while waiting:
            one = waiting.pop()
            if isinstance(one, Node):
                waiting.extend(one.children.values())
                for key, place in one.keys.items():
                    if lines[place[0] - 1][place[1] - 2 : place[1] - 1] == "?":
                        self.note(
                            "Y011",
                            place,
                            f"`?{_short(key)}` is read differently by different YAML versions",
                            _quote_hint(f"?{key}"),
                        )

    def note_syntax(self, error: Exception, text: str) -> None:
        leftover = leftover_in(text)
        if leftover is not None:
            self.note("Y001", (leftover.line, 1, leftover.line, 8), leftover.message, leftover.hint)
            return
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        message_of_parser = str(getattr(error, "problem", None) or error).split("\n", 1)[0]
        place = (mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else (1, 1, 1, 2)
        placeholder = _placeholder_at(text, place)
        if placeholder:
            message = f"not valid YAML: `{_short(placeholder)}` needs quotes in brackets"
            self.note("Y001", place, message, f'quote it: "{_short(placeholder)}"')
            return
        context = str(getattr(error, "context", None) or "")
        for part, message, hint in _SYNTAX_HINTS:
            if part in message_of_parser or part in context:
                self.note("Y001", place, f"not valid YAML: {message}", hint)
                return
        self.note("Y001", place, f"not valid YAML: {message_of_parser}")

    def compose(self, parser: Any) -> ParsedDocument:  # noqa: C901, PLR0912, PLR0915 - see its docstring
        """Build data and locations from the events.

        One loop with its state in local variables: a call for each event costs a third more time. A map in
        which no key waits for its value expects a key next.
        """
        get_event = parser.get_event
        stack: list[tuple[Any, Node | None]] = []  # the maps and lists around the open one
        container: Any = None  # the open map or list, and its locations
        node: Node | None = None
        key: str | None = None  # the key of the open map that waits for its value
        key_place: Place | None = None
        root: Any = None
        root_node: Node | Place | None = None
        events = 0
        while True:
            event = get_event()
            if event is None:
                break
            events += 1
            kind = event.__class__.__name__
            if kind == "ScalarEvent":
                start, end = event.start_mark, event.end_mark
                place = (start.line + 1, start.column + 1, end.line + 1, end.column + 1)
                value: Any = event.value
                if event.anchor is not None or event.tag is not None:
                    self.note_decoration(event, place)
                is_key = key is None and type(container) is dict
                if event.implicit[0]:
                    value = self.resolve(value, place, is_key=is_key)
                elif "\0" in value:
                    self.note("Y004", place, "the character U+0000 is not allowed in a text", "remove `\\0`")
                if is_key:
                    key, key_place = self.checked_key(value, place, container, node), place
                    continue
                child: Node | Place = place
            elif kind in ("MappingStartEvent", "SequenceStartEvent"):
                start = event.start_mark
                place = (start.line + 1, start.column + 1, start.line + 1, start.column + 2)
                if event.anchor is not None or event.tag is not None:
                    self.note_decoration(event, place)
                self.check_start(place, len(stack), is_key=key is None and type(container) is dict)
                child = Node(place)
                value = {} if kind == "MappingStartEvent" else []
            elif kind in ("MappingEndEvent", "SequenceEndEvent"):
                if node is not None:
                    node.end = (event.end_mark.line + 1, event.end_mark.column + 1)
                container, node = stack.pop()
                continue
            else:
                self.check_stream_event(kind, event, seen_root=root_node is not None)
                continue
            # Checked at values only: each key is followed by one.
            if events > MAX_EVENTS:
                self.note("Y005", place, f"more than {MAX_EVENTS:,} keys and values", "split the file")
                raise _Stop
            if node is None:
                root, root_node = value, child
            elif key is not None and key_place is not None:
                container[key] = value
                node.keys[key] = key_place
                node.children[key] = child
            else:
                node.children[len(container)] = child
                container.append(value)
            if child.__class__ is Node:
                stack.append((container, node))
                container, node = value, child
            key = key_place = None
        if root_node is None:
            self.note("Y007", (1, 1, 1, 1), "the file is empty", "start with `title:` and `definition:`")
            raise _Stop
        return ParsedDocument(self.path, root, root_node, self.data)

    def check_start(self, place: Place, depth: int, *, is_key: bool) -> None:
        """Check the start of a map or list inside `depth` others."""
        if depth >= MAX_DEPTH:
            self.note("Y005", place, f"nested deeper than {MAX_DEPTH} levels", "reduce the nesting")
            raise _Stop
        if is_key:
            self.note("Y006", place, "a key must be text, not a list or a map", "write the key as plain text")
            raise _Stop

    def check_stream_event(self, kind: str, event: Any, *, seen_root: bool) -> None:
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 4)
        if kind == "AliasEvent":
            self.note("Y008", place, "anchors and aliases are not supported", "repeat the value")
            raise _Stop
        if kind == "DocumentStartEvent":
            if event.version or event.tags:
                self.note("Y008", place, "directives (`%YAML`, `%TAG`) are not supported", "remove the line")
            if seen_root:
                self.note(
                    "Y009",
                    place,
                    "a second document in one file",
                    "a file contains one definition: split it at `---`",
                )
                raise _Stop

    def note_decoration(self, event: Any, place: Place) -> None:
        if event.anchor is not None:
            self.note(
                "Y008",
                place,
                f"anchors (`&{event.anchor}`) are not supported",
                "remove it and repeat the values",
            )
        if event.tag is not None:
            self.note(
                "Y008",
                place,
                f"tags (`{event.tag}`) are not supported",
                "remove it; quote the value to make it text",
            )

    def checked_key(self, key: Any, place: Place, container: Mapping[str, Any], node: Node | None) -> str:
        if not isinstance(key, str):
            written = "null" if key is None else str(key).lower()
            self.note(
                "Y006",
                place,
                f"a key must be text, and `{written}` is not",
                'quote it: "…"' if isinstance(key, float) else _quote_hint(written),
            )
            key = written
        if key in container:
            first = node.keys[key][0] if node else 0
            self.note(
                "Y010",
                place,
                f"duplicate key `{key}` in a map",
                f"the first one is in line {first}: keep one of them",
            )
        return str(key)

    def resolve(self, text: str, place: Place, *, is_key: bool) -> Any:
        """Return the value of a plain scalar; an ambiguous one adds a problem and stays text."""
        if text in CONSTANTS:
            return CONSTANTS[text]
        if text[0] not in FIRST_OF_AMBIGUOUS:
            return text  # nearly all scalars: no pattern has to be matched
        if INTEGER.match(text):
            return self.exact_integer(text, place)
        if FLOAT.match(text):
            return self.exact_float(text, place)
        if AMBIGUOUS.match(text):
            self.note_ambiguous(text, place, is_key=is_key)
        return text

    def exact_integer(self, text: str, place: Place) -> int | str:
        # The length first: converting thousands of digits takes quadratic time.
        if len(text) <= 17 and abs(int(text)) <= MAX_INTEGER:
            return int(text)
        message = f"the number {_short(text)} is too large to be stored exactly"
        self.note("Y011", place, message, _quote_hint(text))
        return text

    def exact_float(self, text: str, place: Place) -> float | str:
        number = float(text) if len(text) <= 64 else math.inf
        if math.isfinite(number) and Decimal(text) == Decimal(repr(number)):
            return number
        self.note("Y011", place, f"the number {_short(text)} cannot be stored exactly", _quote_hint(text))
        return text

    def note_ambiguous(self, text: str, place: Place, *, is_key: bool) -> None:
        if text == "<<" and is_key:
            self.note("Y008", place, "merge keys (`<<`) are not supported", "repeat the keys")
            return
        what = (
            "is a date in some YAML versions and text in others"
            if DATE.match(text)
            else "is read differently by different YAML versions"
        )
        self.note("Y011", place, f"`{_short(text)}` {what}", f"{_quote_hint(text)}{_plain_form(text)}")


def _plain_form(text: str) -> str:
    lower = text.lower()
    if lower in ("yes", "on", "y", "true"):
        return ", or write true"
    if lower in ("no", "off", "n", "false"):
        return ", or write false"
    if lower in ("~", "null"):
        return ", or write null"
    return ", or write a plain number" if _NUMBER_LIKE.match(lower) and not DATE.match(lower) else ""


def _quote_hint(text: str) -> str:
    """Return a hint to quote a plain scalar. A long one is not repeated, because a part would be wrong."""
    if len(text) > _LONGEST_SHOWN:
        return 'quote it: "…"'
    return (
        f"quote it: '{text}'"
        if '"' in text and "'" not in text
        else f"quote it: {json.dumps(text, ensure_ascii=False)}"
    )


def _placeholder_at(text: str, place: Place) -> str:
    """Return the plain text with `${…}` whose `{` ends a list or map in brackets; "" if there is none."""
    line = re.split(r"\r\n|\r|\n", text)[place[0] - 1 : place[0]]
    at = place[1] - 1
    if not line or line[0][at - 1 : at + 1] != "${":
        return ""
    start = max(line[0].rfind(char, 0, at) for char in " \t[]{},") + 1
    after = re.match(r"\{[^\s{}\[\],]*\}?[^\s\[\]{},]*", line[0][at:])
    return line[0][start:at] + (after.group() if after else "")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def _place_at(before: str) -> Place:
    """Return the location after the text `before`."""
    lines = re.split(r"\r\n|\r|\n", before.removeprefix("\ufeff"))
    return (len(lines), len(lines[-1]) + 1, len(lines), len(lines[-1]) + 2)
