"""Edit the text of a definition file: it gets another document, and only the lines of changed values differ.

Keys are added at their usual place, removed with their comments and lines, and replaced in the style of the
old value. Comments, order, quotes, indentation and line ends of everything else stay. The result is read
strictly and compared with the intended document. Where an edit is not possible, the file is written again as
a whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

from registry.load import yaml
from registry.load.yaml.alignment import Order, comparable, order_below
from registry.load.yaml.document import Node, Place
from registry.load.yaml.layout import LayoutError
from registry.load.yaml.source_text import SourceText
from registry.load.yaml.splice import Editor
from registry.load.yaml.writer import flow, to_yaml
from registry.model.key_order import key_rank
from registry.model.pointer import pointer_of
from registry.model.problem import Problem, Severity, Span

Key = str | int


class EditedText(NamedTuple):
    """The bytes of a file with the intended document. `rewritten`: the whole file was written again."""

    text: bytes
    rewritten: bool


class UnwritableError(ValueError):
    """The format cannot hold a document; `problem` has the rule, the JSON Pointer, the reason and a hint."""

    def __init__(self, problem: Problem) -> None:
        """Report the finding of the strict reader."""
        super().__init__(f"{problem.pointer or 'the document'}: {problem.message}")
        self.problem = problem


def edit_text(text: bytes, intended: dict[str, Any]) -> EditedText:
    """Return the file `text` with the document `intended`, which consists of JSON values.

    Inside `definition` the result has the order of keys of `intended`; elsewhere keys keep their order. Types
    are kept: 1, 1.0, true and "1" differ. `text` may be anything; a file that cannot be read is written again
    with the comments at its top.

    Raises UnwritableError if the format cannot hold `intended`: a lone surrogate, U+0000, an integer beyond
    2**53, a number that is not finite, too many levels, keys and values, or bytes.
    """
    if _depth(intended) > yaml.MAX_DEPTH:
        message = f"nested deeper than {yaml.MAX_DEPTH} levels"
        raise UnwritableError(Problem("Y005", Severity.ERROR, Span(""), message, "write it flatter"))
    wanted = _comparable(intended)
    for edited in _edits(text, intended):
        if _reads_as(edited, wanted):
            return EditedText(edited, rewritten=False)
    for rewritten in _rewritings(text, intended):
        if _reads_as(rewritten, wanted):
            return EditedText(rewritten, rewritten=True)
    raise UnwritableError(_reason(intended))


def in_usual_order(text: bytes) -> bytes | None:
    """Return the file with its top-level keys in the usual order, or None if that is not possible.

    Each key moves with its comments. Comments at the top of the file and blank lines stay.
    """
    document, problems = yaml.read(text, "")
    if document is None or problems or not isinstance(document.data, dict) or not document.data:
        return None
    source = SourceText(text)
    ordered = {key: document.data[key] for key in sorted(document.data, key=key_rank)}
    editor = Editor(source, frozenset(), keeps_style=True)
    try:
        result = _spliced(source, editor, document, ordered, Order.EXACT)
    except LayoutError:
        return None
    again = yaml.read_data(result)
    is_same = isinstance(again, dict) and comparable(again, Order.EXACT) == comparable(ordered, Order.EXACT)
    return result if is_same else None


def _edits(text: bytes, intended: dict[str, Any]) -> Iterator[bytes]:
    """Yield the edited file: with small changes, then with each changed top-level key written again."""
    document, problems = yaml.read(text, "")
    # Values that YAML versions read differently are text with a known place. After all other findings the
    # document is not what the file says.
    if document is None or not isinstance(document.root, Node) or any(one.rule != "Y011" for one in problems):
        return
    if not isinstance(document.data, dict):
        return
    if not problems and _comparable(document.data) == _comparable(intended):
        yield text
    if not document.data or not intended:
        return
    source = SourceText(text)
    ambiguous: frozenset[Place] = frozenset(problem.span[1:] for problem in problems)
    for keeps_style in (True, False):
        editor = Editor(source, ambiguous, keeps_style=keeps_style)
        try:
            yield _spliced(source, editor, document, intended, Order.USUAL)
        except LayoutError:
            return


def _spliced(
    source: SourceText,
    editor: Editor,
    document: yaml.ParsedDocument,
    intended: dict[str, Any],
    order: Order,
) -> bytes:
    assert isinstance(document.root, Node)
    top = source.offset(*document.place[:2])  # comments above the first key are about the file
    edit = editor.collection(document.root, document.data, intended, top, order)
    return source.encoded(source.text[: edit.start] + edit.text + source.text[edit.end :])


def _rewritings(text: bytes, intended: dict[str, Any]) -> Iterator[bytes]:
    """Yield the whole file written again: with the comments at the top of the old one, then without."""
    try:
        source = SourceText(text)
    except UnicodeDecodeError:
        source = SourceText(b"")
    written = to_yaml(intended).replace("\n", source.line_break)
    if comments := _comments_at_top(source):
        yield source.encoded(comments + written)
    yield source.encoded(written)


def _comments_at_top(source: SourceText) -> str:
    lines = (source.text[start:end] for start, end in pairwise(source.line_starts))
    return "".join(takewhile(lambda line: line.lstrip()[:1] in ("", "#"), lines))


def _reads_as(text: bytes, wanted: Mapping[str, str]) -> bool:
    document, problems = yaml.load(text, "")
    return (
        document is not None
        and not problems
        and isinstance(document.data, dict)
        and _comparable(document.data) == wanted
    )


def _comparable(document: dict[str, Any]) -> dict[str, str]:
    """Return a value that is equal for equal documents: with types, and with the order where it matters."""
    return {key: comparable(value, order_below(Order.USUAL, key)) for key, value in document.items()}


def _depth(value: Any) -> int:
    """Return the number of nested maps and lists; at most one more than the format allows."""
    depth, containers = 0, [value]
    while containers and depth <= yaml.MAX_DEPTH:
        depth += 1
        children = (one.values() if isinstance(one, dict) else one for one in containers)
        containers = [child for some in children for child in some if isinstance(child, (dict, list))]
    return depth


def _reason(intended: dict[str, Any]) -> Problem:
    """Return why a document cannot be written, with the JSON Pointer of the smallest part that cannot."""
    steps: list[Key] = []
    part: Any = intended
    document, problems = yaml.read(to_yaml(intended).encode(), "")
    if not any(problem.rule in ("Y002", "Y005") for problem in problems):  # they are about the whole document
        while (found := _unwritable_child(part)) is not None:
            step, alone = found
            steps.append(step)
            part = part[step]
            document, problems = yaml.read(to_yaml(alone).encode(), "")
    if document is None and problems[0].rule == "Y001":
        rule, message, hint = "Y004", "half of a character (a lone surrogate) in a text", "remove it"
    elif problems:
        rule, message, hint = problems[0].rule, problems[0].message, problems[0].hint
    else:
        rule, message, hint = "Y011", f"{flow(part)[:40]} cannot be kept exactly", "write it as text"
    # A pointer is shown and sent; a key with a lone surrogate cannot be.
    pointer = pointer_of(tuple(steps)).encode("utf-8", "backslashreplace").decode()
    return Problem(rule, Severity.ERROR, Span(""), message, hint, pointer)


def _unwritable_child(part: Any) -> tuple[Key, dict[str, Any]] | None:
    """Return the first key or index whose value does not read back, and a document with only that value."""
    if isinstance(part, dict):
        children: Iterable[tuple[Key, dict[str, Any]]] = ((key, {key: value}) for key, value in part.items())
    else:
        children = ((n, {"item": item}) for n, item in enumerate(part if isinstance(part, list) else ()))
    return next(
        (one for one in children if not _reads_as(to_yaml(one[1]).encode(), _comparable(one[1]))), None
    )
