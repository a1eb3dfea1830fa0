"""Reads YAML with anchors, aliases and merge keys, within limits; pure.

Other programs allow what definition files do not. All scalars stay texts: programs differ in how they read
`on` or `012`, and arguments and variables are texts anyway. Those without quotes are of the type PlainText.
"""

from typing import Any, NamedTuple

from registry.errors import UsageError
from registry.load.yaml.scalars import FLOAT, plain_value

_MAX_EVENTS = 100_000
_MAX_DEPTH = 64
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_PLAIN_TAGS = ("tag:yaml.org,2002:str", "!")


class PlainText(str):
    """A scalar without quotes, which some programs read as a number or a truth value."""

    __slots__ = ()

    @property
    def resolved(self) -> object:
        """The value that all versions of YAML read."""
        if FLOAT.match(self):
            return float(self)
        try:
            return plain_value(str(self))
        except ValueError:
            return str(self)


class LineMap(dict[str, Any]):
    """A map with the line of each key, from 1."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.lines: dict[str, int] = {}


class _Scalar(NamedTuple):
    value: str | None
    line: int
    is_merge: bool


def read_anchored_yaml(origin: str, text: str, *, is_yaml_1_2: bool = False) -> Any:
    """Return the only document of a text: LineMap, list, text, or None for a null.

    Aliases share their value with the anchor, so that the result is never larger than the text. With
    `is_yaml_1_2`, a word in brackets can end in `?`, which the C parser does not accept. Raises UsageError
    for a syntax error, a tag, a repeated key, several documents, and a text beyond the limits.
    """
    from _ruamel_yaml import CParser

    try:
        return _composed(origin, CParser(text))
    except _SyntaxError as error:
        if not is_yaml_1_2:
            raise UsageError(error.message) from error
    try:
        return _composed(origin, _SlowParser(text))
    except _SyntaxError as error:
        raise UsageError(error.message) from error


class _SyntaxError(UsageError):
    """The text is not YAML for a parser."""


class _SlowParser:
    """The parser in Python, with the interface of the one in C."""

    def __init__(self, text: str) -> None:
        from ruamel.yaml import YAML

        self.events = YAML(typ="safe", pure=True).parse(text)

    def get_event(self) -> Any:
        return next(self.events)


def _composed(origin: str, parser: Any) -> Any:
    try:
        return _Composer(origin, parser).document()
    except UsageError:
        raise
    except Exception as error:
        # The C parser also raises plain ValueErrors for some inputs. All of them are about this text.
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = str(getattr(error, "problem", None) or error).split("\n", 1)[0]
        place = f"{origin}:{mark.line + 1}" if mark is not None else origin
        raise _SyntaxError(f"{place}: not valid YAML: {what}") from error


class _Composer:
    def __init__(self, origin: str, parser: Any) -> None:
        self.origin = origin
        self.parser = parser
        self.anchors: dict[str, Any] = {}
        self.events = 0

    def document(self) -> Any:
        self.next()
        if type(self.next()).__name__ == "StreamEndEvent":
            return None
        value = self.value(self.next(), 0)
        self.next()
        if type(self.next()).__name__ != "StreamEndEvent":
            raise UsageError(f"{self.origin} has several documents", "import each from a file of its own")
        return value.value if isinstance(value, _Scalar) else value

    def next(self) -> Any:
        self.events += 1
        event = self.parser.get_event()
        if self.events > _MAX_EVENTS:
            raise self.fail(event, f"more than {_MAX_EVENTS:,} keys and values")
        return event

    def fail(self, event: Any, why: str) -> UsageError:
        return UsageError(f"{self.origin}:{event.start_mark.line + 1}: {why}")

    def value(self, event: Any, depth: int) -> Any:
        """Return a LineMap, a list, or a _Scalar for the value that begins with an event."""
        kind = type(event).__name__
        if kind == "AliasEvent":
            if event.anchor not in self.anchors:
                raise self.fail(event, f"there is no complete anchor &{event.anchor} before this alias")
            return self.anchors[event.anchor]
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
            raise self.fail(event, f"the tag {event.tag} is not supported")
        if depth > _MAX_DEPTH:
            raise self.fail(event, f"nested deeper than {_MAX_DEPTH} levels")
        if kind == "ScalarEvent":
            is_plain = event.implicit[0]
            text = PlainText(event.value) if is_plain else event.value
            text = None if is_plain and text in _NULLS else text
            found: Any = _Scalar(text, event.start_mark.line + 1, is_plain and event.value == "<<")
        else:
            found = self.list(depth) if kind == "SequenceStartEvent" else self.map(depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = found
        return found

    def list(self, depth: int) -> list[Any]:
        found = []
        while type(event := self.next()).__name__ != "SequenceEndEvent":
            found.append(_plain(self.value(event, depth + 1)))
        return found

    def map(self, depth: int) -> LineMap:
        found, merged = LineMap(), LineMap()
        while type(event := self.next()).__name__ != "MappingEndEvent":
            key = self.value(event, depth + 1)
            value = _plain(self.value(self.next(), depth + 1))
            if not isinstance(key, _Scalar) or key.value is None:
                raise self.fail(event, "a key is not a text")
            if key.is_merge:
                for one in value if isinstance(value, list) else [value]:
                    self.merge(merged, one, event)
                continue
            if key.value in found:
                raise self.fail(event, f"duplicate key {key.value}")
            name = str(key.value)
            found[name] = value
            found.lines[name] = key.line
        for name, value in merged.items():
            if name not in found:
                found[name] = value
                found.lines[name] = merged.lines[name]
        return found

    def merge(self, merged: LineMap, one: Any, event: Any) -> None:
        """Add the keys of one merged map; an earlier map wins."""
        if not isinstance(one, LineMap):
            raise self.fail(event, "`<<` merges maps only")
        # The same map can be merged many times.
        self.events += len(one)
        if self.events > _MAX_EVENTS:
            raise self.fail(event, f"more than {_MAX_EVENTS:,} keys and values")
        for name, value in one.items():
            if name not in merged:
                merged[name] = value
                merged.lines[name] = one.lines[name]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, _Scalar) else value
