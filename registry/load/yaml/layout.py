"""Which part of a file's text belongs to each key and item, with its comments."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from registry.load.yaml.document import Node, Place
from registry.load.yaml.source_text import SourceText

_COLON = re.compile(r"[ \t\r\n]*:")
_BLANKS = " \t\r\n"


class LayoutError(Exception):
    """The text is valid YAML in a form that this module does not take apart."""


class Entry(NamedTuple):
    """One key of a map with its value, or one item of a list. All fields but `child` and
    `has_head` are offsets.

    `start` is that of the key, its `?` or the dash. `head_end` is after the `:` or the dash; for an item in
    brackets the start of the value. A missing value is empty and starts at `head_end`. The value ends without
    the comments and blank lines after it. `has_head` is False for a key without a `:`.
    """

    start: int
    head_end: int
    child: Node | Place
    value_start: int
    value_end: int
    has_head: bool = True


class Lines(NamedTuple):
    """Offsets of the lines of one entry with its comments. `start` is inside a line after a dash."""

    start: int
    end: int


class Layout:
    """The parts of one file's text. The nodes are those of its document."""

    def __init__(self, source: SourceText) -> None:
        """Take the text that the nodes were read from."""
        self._source = source
        self._text = source.text
        self._entries: dict[int, tuple[Node, list[Entry]]] = {}

    def is_in_brackets(self, child: Node | Place) -> bool:
        """True for a map or list that starts with a bracket."""
        return isinstance(child, Node) and self._text[self._source.offset(*child.place[:2])] in "[{"

    def is_block_scalar(self, entry: Entry) -> bool:
        """True for a text after `|` or `>`."""
        is_scalar = not isinstance(entry.child, Node)
        return is_scalar and self._text[entry.value_start : entry.value_end][:1] in ("|", ">")

    def entries(self, node: Node) -> list[Entry]:
        """Return the entries of a map or list in order. Raises LayoutError for a list in an unusual form."""
        known = self._entries.get(id(node))
        if known is None:
            found = self._keys(node) if node.keys else self._items(node)
            known = self._entries[id(node)] = (node, list(found))
        return known[1]

    def lines(self, entries: Sequence[Entry], column: int, limit: int) -> list[Lines]:
        """Return the lines of each entry of a map or list in block style that starts at `column` (from 0).

        Comments directly above an entry and deeper comments below it belong to it. Comments before the offset
        `limit` belong to the parent.
        """
        found = []
        for entry in entries:
            start = self._with_comments_above(entry.start, limit)
            limit = self._with_deeper_comments(self._source.line_end(entry.value_end), column)
            found.append(Lines(start, limit))
        return found

    def lines_in_brackets(self, entries: Sequence[Entry], start: int) -> list[Lines]:
        """Return the lines, with comments, of items on lines of their own after a bracket at `start`."""
        limit = self._source.line_end(start)
        found = []
        for entry in entries:
            first = self._with_comments_above(entry.start, limit)
            limit = self._source.line_end(entry.value_end)
            found.append(Lines(first, limit))
        return found

    def extent(self, child: Node | Place) -> tuple[int, int]:
        """Return the offsets of a value without the comments and blank lines after it."""
        if not isinstance(child, Node):
            start, end = self._source.offset(*child[:2]), self._source.offset(*child[2:])
            return start, self._end_of_block_scalar(start, end) if self._text[start:end][:1] in (
                "|",
                ">",
            ) else end
        start = self._source.offset(*child.place[:2])
        if self.is_in_brackets(child):
            return start, self._source.offset(*child.end)
        return start, self.entries(child)[-1].value_end

    def comment_after(self, offset: int) -> str:
        """Return the comment after `offset` on the same line, with the blanks before it, or ""."""
        rest = self._text[offset : self._source.line_end(offset)].rstrip("\r\n")
        comment = rest.lstrip(" \t")
        if not comment.startswith("#"):
            return ""
        return rest if rest != comment else f" {comment}"

    def _keys(self, node: Node) -> Iterator[Entry]:
        for key, child in node.children.items():
            place = node.keys[str(key)]
            key_start, key_end = self._source.offset(*place[:2]), self._source.offset(*place[2:])
            colon = _COLON.match(self._text, key_end)
            head_end = colon.end() if colon else key_end
            start, end = self.extent(child)
            if start == end:
                start = end = head_end  # libyaml puts a missing value at the next token
            yield Entry(
                self._with_question_mark(key_start),
                head_end,
                child,
                start,
                end,
                colon is not None,
            )

    def _items(self, node: Node) -> Iterator[Entry]:
        if self.is_in_brackets(node):
            for child in node.children.values():
                start, end = self.extent(child)
                yield Entry(start, start, child, start, end)
            return
        dash = self._source.offset(*node.place[:2])
        for child in node.children.values():
            if child is not node.children[0]:
                dash = self._next_dash(self._source.line_end(end), node.place[1] - 1)
            start, end = self.extent(child)
            if start == end:
                start = end = dash + 1
            yield Entry(dash, dash + 1, child, start, end)

    def _with_question_mark(self, key_start: int) -> int:
        at = key_start
        while self._text[at - 1 : at] in (" ", "\t"):
            at -= 1
        return at - 1 if at < key_start and self._text[at - 1 : at] == "?" else key_start

    def _next_dash(self, line: int, column: int) -> int:
        while line < len(self._text):
            if self._text.startswith("-", line + column) and not self._text[line : line + column].strip(" "):
                return line + column
            line = self._source.line_end(line)
        raise LayoutError

    def _end_of_block_scalar(self, start: int, end: int) -> int:
        written = self._text[start:end]
        header = written[:3]
        if "+" in header:
            return end - (2 if written.endswith("\r\n") else 1 if written.endswith(("\r", "\n")) else 0)
        return start + len(written.rstrip(_BLANKS))

    def _with_comments_above(self, start: int, limit: int) -> int:
        line = self._source.line_start(start)
        if self._text[line:start].strip(" "):
            return start  # after a dash
        while line > limit and self._is_comment(before := self._source.line_start(line - 1)):
            line = before
        return line

    def _with_deeper_comments(self, end: int, column: int) -> int:
        line = end
        while line < len(self._text):
            following = self._source.line_end(line)
            blanks = following - line - len(self._text[line:following].lstrip(_BLANKS))
            if self._is_comment(line):
                if blanks <= column:
                    break
                end = following
            elif line + blanks < following:
                break
            line = following
        return end

    def _is_comment(self, line: int) -> bool:
        return self._text[line : self._source.line_end(line)].lstrip(" \t").startswith("#")
