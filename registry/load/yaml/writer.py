"""Write plain data as YAML that the strict reader reads back exactly.

Values that the format cannot hold are written too (a lone surrogate, an integer beyond 2**53): the strict
reader reports them in the result.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from registry.load.yaml.scalars import is_ambiguous
from registry.load.yaml.strict import read

_WIDTH = 100
# YAML finds the `:` of a key only within 1,024 characters. Longer keys start with `? `.
_LONGEST_KEY = 1_000
_LONGEST_ESCAPE = 10
# Longer texts repeat rarely, and a cache of them would take too much memory.
_LONGEST_CACHED = 1_000
# Words, paths and names that need no quotes, unless YAML versions read the word differently.
_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9/_.+ -]*[A-Za-z0-9/_.+-])?\Z")


def to_yaml(data: dict[str, Any]) -> str:
    """Return a map as YAML in block style.

    Short lists and maps are in brackets, and quotes are used as needed.
    """
    return "".join(f"{line}\n" for line in _map_lines(data)) or "{}\n"


def _map_lines(data: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        if (
            value.__class__ is str
            and len(value) <= _LONGEST_CACHED
            and len(key) < _LONGEST_KEY // _LONGEST_ESCAPE
            and "\n" not in value
        ):
            lines.append(f"{_text(key, True)}: {_text(value)}")
        else:
            lines.extend(entry_lines(key, value))
    return lines


def entry_lines(key: str, value: Any) -> list[str]:
    """Return the lines of one key of a map with its value, without line ends."""
    name = scalar(key, is_key=True)
    return _with_key(name, value_lines(value, len(name)))


def _with_key(name: str, lines: Sequence[str]) -> list[str]:
    if len(name) <= _LONGEST_KEY:
        return [f"{name}:{lines[0]}", *lines[1:]]
    return [f"? {name}", f":{lines[0]}", *lines[1:]]


def value_lines(value: Any, width_of_key: int) -> Sequence[str]:
    """Return the text after the `:` of a key in block style, and the indented lines below it."""
    if isinstance(value, str):
        return (literal_lines(value) if "\n" in value else None) or [f" {scalar(value)}"]
    if not value or not isinstance(value, (dict, list)):
        return [f" {flow(value)}"]
    is_map_of_more = isinstance(value, dict) and (
        any(isinstance(item, (dict, list)) for item in value.values()) or _has_long_text(value)
    )
    in_one_line = "" if is_map_of_more else flow(value)
    if is_map_of_more or width_of_key + len(in_one_line) > _WIDTH - 20:
        inner = _map_lines(value) if isinstance(value, dict) else _list_lines(value)
        return ["", *(f"  {line}" if line else "" for line in inner)]
    return [f" {in_one_line}"]


def _has_long_text(value: Any) -> bool:
    """True for a map or list with a multi-line text, which is not readable in brackets."""
    if isinstance(value, dict):
        return any(
            _has_long_text(item) or (isinstance(item, str) and "\n" in item) for item in value.values()
        )
    return False


def _list_lines(data: list[Any]) -> list[str]:
    return [f"- {flow(item)}" for item in data]


def literal_lines(text: str) -> tuple[str, ...] | None:
    """Return ` |` and the indented lines of a text; None if literal style would change it."""
    return (_literal_lines if len(text) <= _LONGEST_CACHED else _literal_lines.__wrapped__)(text)


@lru_cache(maxsize=4_096)
def _literal_lines(text: str) -> tuple[str, ...] | None:
    lines = (
        f" |{'' if text.endswith(chr(10)) else '-'}",
        *(f"  {line}" if line else "" for line in text.removesuffix("\n").split("\n")),
    )
    return lines if _reads_as("\n".join(["a:" + lines[0], *lines[1:], ""]), {"a": text}) else None


def flow(value: Any) -> str:
    """Return any value on one line."""
    if value.__class__ is str and len(value) <= _LONGEST_CACHED:
        return _text(value)
    if isinstance(value, dict):
        return "{" + ", ".join(flow_entry(key, item) for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def flow_entry(key: str, value: Any) -> str:
    """Return one key of a map in brackets with its value."""
    name = scalar(key, is_key=True)
    return f"{name if len(name) <= _LONGEST_KEY else f'? {name} '}: {flow(value)}"


def scalar(value: Any, *, is_key: bool = False, in_brackets: bool = True) -> str:
    """Return a single value on one line.

    A text is plain if the strict reader reads it back unchanged, else quoted. Brackets and block style accept
    different plain texts: with `in_brackets` (the default) the result is valid in both.
    """
    if isinstance(value, str):
        write = _text if len(value) <= _LONGEST_CACHED else _text.__wrapped__
        return write(value, is_key, in_brackets)
    written = json.dumps(value)
    if isinstance(value, float) and "e" in written and "." not in written:
        return written.replace("e", ".0e")  # not 1e+22: YAML 1.1 reads it as text
    return written


# Cached: revisions of one definition repeat nearly the same words, and checking each dominates the time.
@lru_cache(maxsize=16_384)
def _text(text: str, is_key: bool = False, in_brackets: bool = True) -> str:
    is_read_differently = is_ambiguous(text)
    if not is_read_differently and _PLAIN.match(text):
        return text
    if text and text.isprintable() and text == text.strip() and not is_read_differently:
        # Brackets and block style accept different texts: `-` is text in one and a list in the other.
        wanted = {text: 1} if is_key else {"a": text}
        plain = f"{text}: 1" if is_key else f"a: {text}"
        if _reads_as(plain, wanted) and (not in_brackets or _reads_as(f"[{{{plain}}}]", [wanted])):
            return text
    return quoted(text)


def _reads_as(text: str, wanted: Any) -> bool:
    reading = read(text.encode("utf-8", "replace"), "")
    return not reading.problems and reading.document is not None and reading.document.data == wanted


def quoted(text: str) -> str:
    """Return a text in double quotes, with escapes where needed."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    # Not as in JSON: YAML has no surrogate pairs.
    return {"\n": "\\n", "\t": "\\t"}.get(char) or (
        f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    )
