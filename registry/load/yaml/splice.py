"""The new text of a map or list, made of parts of its old text."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from registry.load.yaml.alignment import Order, WantedEntry, comparable, order_below, targets_of
from registry.load.yaml.document import Node, Place
from registry.load.yaml.layout import Entry, Layout, Lines
from registry.load.yaml.source_text import SourceText
from registry.load.yaml.writer import (
    entry_lines,
    flow,
    flow_entry,
    literal_lines,
    quoted,
    scalar,
    value_lines,
)

_USUAL_WIDTH = 80
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_END_OF_ITEM = re.compile(r"[ \t]*(?:,[ \t]*)?(?:#|\Z)")


class Replacement(NamedTuple):
    """The new text from offset `start` to `end`."""

    start: int
    end: int
    text: str


class Editor:
    """Makes the new text of maps and lists out of parts of the old text."""

    def __init__(self, source: SourceText, ambiguous: frozenset[Place], *, keeps_style: bool) -> None:
        """`ambiguous` are the places of keys and values that need quotes.

        Without `keeps_style`, a changed entry of the outermost map is written as in a new file.
        """
        self._text = source.text
        self._source = source
        self._layout = Layout(source)
        self._ambiguous = ambiguous
        self._keeps_style = keeps_style

    def collection(self, node: Node, old: Any, new: Any, limit: int, order: Order) -> Replacement:
        """Return the new text of a map or list; neither `old` nor `new` is empty.

        The comments before the offset `limit` are not part of it.
        """
        in_brackets = self._layout.is_in_brackets(node)
        edit = self._in_brackets if in_brackets else self._block
        return edit(node, targets_of(old, new, order), limit, order)

    # Block style: an entry is a number of lines

    def _block(self, node: Node, targets: Sequence[WantedEntry], limit: int, order: Order) -> Replacement:
        column = node.place[1] - 1
        indentation = " " * column
        entries = self._layout.entries(node)
        lines = self._layout.lines(entries, column, limit)
        is_after_dash = lines[0].start == entries[0].start != self._source.line_start(entries[0].start)
        texts = []
        for target in targets:
            if target.old_index is None:
                texts.append(self._new_lines(target, column))
            else:
                text = self._changed_lines(
                    node, entries[target.old_index], lines[target.old_index], target, order
                )
                texts.append(indentation + text if is_after_dash and target.old_index == 0 else text)
        result = self._joined(_arranged(targets, texts, self._between(lines)))
        if is_after_dash:
            is_key_first = result[column : column + 1] not in (" ", "#") and not result[:column].strip(" ")
            result = result[column:] if is_key_first else self._source.line_break + result
        return Replacement(lines[0].start, lines[-1].end, result)

    def _between(self, parts: Sequence[Lines]) -> list[str]:
        """Return the text before each part: blank lines and the comments that belong to no entry."""
        ends = [parts[0].start, *(part.end for part in parts[:-1])]
        return [self._text[end : part.start] for end, part in zip(ends, parts, strict=True)]

    def _joined(self, texts: Iterable[str]) -> str:
        """Return lines as one text. The last line of a file may have no line break."""
        result = ""
        for text in texts:
            if result and text and result[-1] not in "\r\n":
                result += self._source.line_break
            result += text
        return result

    def _below(self, lines: Iterable[str], column: int) -> str:
        """Return lines with the indentation of a column (from 0) and line breaks."""
        return "".join(f"{' ' * column if line else ''}{line}{self._source.line_break}" for line in lines)

    def _new_lines(self, target: WantedEntry, column: int) -> str:
        lines = [f"- {flow(target.value)}"] if target.key is None else entry_lines(target.key, target.value)
        return self._below(lines, column)

    def _changed_lines(
        self, node: Node, entry: Entry, lines: Lines, target: WantedEntry, order: Order
    ) -> str:
        """Return the lines of an entry with its new value."""
        column = node.place[1] - 1
        if self._is_unchanged(node, entry, target, order):
            return self._text[lines.start : lines.end]
        if not self._has_usable_key(node, entry, target) or (order is Order.USUAL and not self._keeps_style):
            line_start = self._source.line_start(entry.start)
            written = self._new_lines(target, column)
            is_after_dash = line_start < lines.start
            return written[column:] if is_after_dash else self._text[lines.start : line_start] + written
        inner = self._merged(entry, target, order)
        if inner is not None:
            return self._text[lines.start : inner.start] + inner.text + self._text[inner.end : lines.end]
        return self._with_new_value(entry, lines, target, column)

    def _is_unchanged(self, node: Node, entry: Entry, target: WantedEntry, order: Order) -> bool:
        if self._ambiguous and (
            isinstance(entry.child, Node)
            or entry.child in self._ambiguous
            or not self._has_usable_key(node, entry, target)
        ):
            return False
        inner_order = order_below(order, target.key)
        return comparable(target.old, inner_order) == comparable(target.value, inner_order)

    def _has_usable_key(self, node: Node, entry: Entry, target: WantedEntry) -> bool:
        return entry.has_head and (target.key is None or node.keys[target.key] not in self._ambiguous)

    def _merged(self, entry: Entry, target: WantedEntry, order: Order) -> Replacement | None:
        """Return the new text of a map or list that stays one; None for all other values."""
        old, new, child = target.old, target.value, entry.child
        if not (isinstance(child, Node) and type(old) is type(new) and old and new):
            return None
        limit = self._source.line_end(entry.head_end)
        return self.collection(child, old, new, limit, order_below(order, target.key))

    def _with_new_value(self, entry: Entry, lines: Lines, target: WantedEntry, column: int) -> str:
        """Return the lines of an entry: the old key or dash, the old comments, and a new value."""
        first, *below = self._value_lines(entry, target, column)
        is_scalar_in_lines = self._layout.is_block_scalar(entry)
        is_block = isinstance(entry.child, Node) and not self._layout.is_in_brackets(entry.child)
        if not below and not is_scalar_in_lines and not is_block:
            before = self._text[lines.start : entry.value_start]
            blank = "" if before[-1:] in (" ", "\t", "\r", "\n") else " "
            return f"{before}{blank}{first[1:]}{self._text[entry.value_end : lines.end]}"
        if is_block or self._source.line_start(entry.value_start) > entry.head_end:
            comment = self._layout.comment_after(entry.head_end)
        elif is_scalar_in_lines:
            header = _BLOCK_HEADER.match(self._text, entry.value_start)
            comment = self._layout.comment_after(header.end()) if header else ""
        else:
            comment = self._layout.comment_after(entry.value_end)
        return "".join(
            (
                self._text[lines.start : entry.head_end],
                first,
                comment,
                self._source.line_break,
                self._below(below, column),
                self._text[self._source.line_end(entry.value_end) : lines.end],
            )
        )

    def _value_lines(self, entry: Entry, target: WantedEntry, column: int) -> Sequence[str]:
        """Return the text of a new value after the key or dash, and the lines below it."""
        value = target.value
        if isinstance(value, str) and not isinstance(entry.child, Node):
            old = self._text[entry.value_start : entry.value_end]
            if self._layout.is_block_scalar(entry) and (lines := _in_style_of_block(old, value, column)):
                return lines
            if "\n" not in value or old[:1] in ("'", '"'):
                return [f" {_in_style(old, value, in_brackets=False)}"]
        if target.key is None and isinstance(value, (dict, list)):
            return [f" {flow(value)}"]
        return value_lines(value, column + len(target.key or ""))

    # In brackets: an entry is a part of a line, or a line of its own

    def _in_brackets(
        self, node: Node, targets: Sequence[WantedEntry], _limit: int, order: Order
    ) -> Replacement:
        start, end = self._layout.extent(node)
        entries = self._layout.entries(node)
        items = [
            self._new_item(target)
            if target.old_index is None
            else self._changed_item(node, entries[target.old_index], target, order)
            for target in targets
        ]
        if all(self._has_own_lines(entry, start) for entry in entries):
            inside = self._item_lines(start, end, entries, targets, items)
        else:
            inside = self._items_in_line(start, end, entries, targets, items)
        return Replacement(start, end, f"{self._text[start]}{inside}{self._text[end - 1]}")

    def _has_own_lines(self, entry: Entry, start: int) -> bool:
        """True when the lines of an item hold nothing else but a comma and a comment."""
        line_start = self._source.line_start(entry.start)
        return (
            line_start > start
            and not self._text[line_start : entry.start].strip(" \t")
            and _END_OF_ITEM.match(self._rest_of_line(entry.value_end)) is not None
        )

    def _rest_of_line(self, offset: int) -> str:
        return self._text[offset : self._source.line_end(offset)].rstrip("\r\n")

    def _items_in_line(
        self,
        start: int,
        end: int,
        entries: Sequence[Entry],
        targets: Sequence[WantedEntry],
        items: Sequence[str],
    ) -> str:
        result = self._text[start + 1 : entries[0].start]
        for position, (target, item) in enumerate(zip(targets, items, strict=True)):
            if position and target.old_index:  # with the comma and the blanks that are before this item
                result += self._text[
                    entries[target.old_index - 1].value_end : entries[target.old_index].start
                ]
            elif position:
                result += ", "
            result += item
        return result + self._text[entries[-1].value_end : end - 1]

    def _item_lines(
        self,
        start: int,
        end: int,
        entries: Sequence[Entry],
        targets: Sequence[WantedEntry],
        items: Sequence[str],
    ) -> str:
        lines = self._layout.lines_in_brackets(entries, start)
        ends_in_comma = self._rest_of_line(entries[-1].value_end).lstrip(" \t").startswith(",")
        indentation = self._text[self._source.line_start(entries[0].start) : entries[0].start]
        texts = []
        for position, (target, item) in enumerate(zip(targets, items, strict=True), 1):
            before, after = indentation, self._source.line_break
            if target.old_index is not None:
                entry, own = entries[target.old_index], lines[target.old_index]
                before = self._text[own.start : entry.start]
                after = self._text[entry.value_end : own.end]
            needs_comma = position < len(targets) or (target.old_index is None and ends_in_comma)
            comma = "," if needs_comma and not after.lstrip(" \t").startswith(",") else ""
            texts.append(f"{before}{item}{comma}{after}")
        inside = "".join(_arranged(targets, texts, self._between(lines)))
        return f"{self._text[start + 1 : lines[0].start]}{inside}{self._text[lines[-1].end : end - 1]}"

    def _new_item(self, target: WantedEntry) -> str:
        return flow(target.value) if target.key is None else flow_entry(target.key, target.value)

    def _changed_item(self, node: Node, entry: Entry, target: WantedEntry, order: Order) -> str:
        """Return the text of an item in brackets with its new value."""
        if self._is_unchanged(node, entry, target, order):
            return self._text[entry.start : entry.value_end]
        is_pair = isinstance(entry.child, Node) and not self._layout.is_in_brackets(entry.child)  # [a: b]
        if is_pair or not self._has_usable_key(node, entry, target):
            return self._new_item(target)
        inner = self._merged(entry, target, order)
        if inner is not None:
            return (
                self._text[entry.start : inner.start] + inner.text + self._text[inner.end : entry.value_end]
            )
        before = self._text[entry.start : entry.value_start]
        blank = " " if entry.value_start == entry.value_end and before else ""
        old = self._text[entry.value_start : entry.value_end]
        return f"{before}{blank}{_in_style(old, target.value, in_brackets=True)}"


def _arranged(targets: Sequence[WantedEntry], texts: Sequence[str], between: Sequence[str]) -> Iterator[str]:
    """Yield the texts of the result in order; the text between the present entries stays at its place."""
    places = iter(sorted(target.old_index for target in targets if target.old_index is not None))
    following = 0
    for target, text in zip(targets, texts, strict=True):
        if target.old_index is not None:
            place = next(places)
            yield from between[following : place + 1]
            following = place + 1
        yield text
    yield from between[following:]


def _in_style(old: str, value: Any, *, in_brackets: bool) -> str:
    """Return a value on one line, with the quotes of the old one where they are possible."""
    if not isinstance(value, str):
        return flow(value)
    if old.startswith("'") and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return quoted(value) if old.startswith(("'", '"')) else scalar(value, in_brackets=in_brackets)


def _in_style_of_block(old: str, text: str, column: int) -> list[str] | None:
    """Return a text after `|` or `>` with style and indentation of the old one; None if not possible."""
    head, *body = re.split(r"\r\n|\n|\r", old)
    body = [line for line in body if line.strip(" ")]
    width = max(len(line.lstrip(" ")) for line in body) if len(body) > 1 else _USUAL_WIDTH
    lines = _folded_lines(text, width) if head.startswith(">") else literal_lines(text)
    if lines is None:
        return None
    indentation = len(body[0]) - len(body[0].lstrip(" ")) - column if body else 2
    margin = " " * (indentation if head[1:2] in ("", "-", "+", " ") else 2)
    return [lines[0], *(margin + line[2:] if line else "" for line in lines[1:])]


def _folded_lines(text: str, width: int) -> list[str] | None:
    """Return ` >` and the indented lines of a text folded at `width`; None if that would change it."""
    paragraphs = text.removesuffix("\n").split("\n")
    is_lossless = (
        all(paragraph.isprintable() for paragraph in paragraphs)
        and all((paragraphs[0], paragraphs[-1]))
        and not any("" in paragraph.split(" ") for paragraph in paragraphs if paragraph)
    )
    if not is_lossless:
        return None
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False)
        lines.append("")
    return [" >" if text.endswith("\n") else " >-", *(f"  {line}" if line else "" for line in lines[:-1])]
