"""Characters that are invisible, or that a terminal or a CI system interprets; pure.

`visible` makes text from files, commits and other people safe to print (`dump_json` for programs).
`invisible_in` and `bidi_control_in` find what the checker refuses.
"""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

_CONTROL = "\x00-\x1f\x7f-\x9f"
# Embeddings, overrides and isolates: they change the display order of the surrounding text (CVE-2021-42574).
_BIDI_CONTROL = "\u202a-\u202e\u2066-\u2069"
# Unicode's property Default_Ignorable_Code_Point (zero width), except the two variation selectors that choose
# between the text and the emoji form of the previous character, and annotation marks.
_ZERO_WIDTH = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Every blank except U+0020, and lookalikes.
_BLANK = "\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u2800\u3000"
# Characters that XML 1.0 and UTF-8 exclude.
_NO_TEXT = "\ud800-\udfff\ufffe\uffff"

_INVISIBLE = re.compile(f"[{_CONTROL}{_BIDI_CONTROL}{_ZERO_WIDTH}{_BLANK}{_NO_TEXT}\ufe0e\ufe0f]")
# Emoji contain zero-width characters, which affect their appearance.
_SYMBOL = "[\u2190-\u27ff\u2900-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
_EMOJI = re.compile(f"{_SYMBOL}[\ufe0e\ufe0f]?(?:\u200d{_SYMBOL}\ufe0f?)*|[0-9#*]\ufe0f\u20e3")
# Characters that pages mark: all of these except line ends, tabs, and U+0000, which no text contains.
_MARKED_CHARACTER = re.compile(
    f"[\x01-\x08\x0b-\x1f\x7f-\x9f{_BIDI_CONTROL}{_ZERO_WIDTH}{_BLANK}{_NO_TEXT}\ufe0e\ufe0f]"
)
_MARKED = re.compile(f"({_EMOJI.pattern})|{_MARKED_CHARACTER.pattern}")
_BIDI = re.compile(f"[{_BIDI_CONTROL}]")
_UNSAFE = re.compile(f"[{_CONTROL}{_BIDI_CONTROL}{_ZERO_WIDTH}\u2028\u2029{_NO_TEXT}]")
# Commands of CI systems in the output of a job: `::name …::` at the start of a line and `##[name]` anywhere
# (GitHub), `##vso[` (Azure), `##teamcity[`.
_COMMAND = re.compile(r"\A\s*:(?=:[a-z])|#(?=#(?:\[|vso\[|teamcity\[))", re.IGNORECASE)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """Return text on one line, with each character that a terminal or CI system interprets escaped."""
    if not (text.isascii() and text.isprintable()):
        text = _UNSAFE.sub(_escape, text)
    return _COMMAND.sub(_command, text) if "##" in text or "::" in text else text


def visible_lines(text: str) -> str:
    """Return text of several lines, each made safe as in `visible`."""
    return "\n".join([visible(line) for line in text.split("\n")])


def dump_json(body: Any) -> str:
    """Return `body` as indented ASCII JSON with a line end, without any command for a CI system."""
    # `#` only occurs inside texts, where it may be escaped.
    return json.dumps(body, ensure_ascii=True, indent=2).replace("##", "#\\u0023") + "\n"


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _SHORT.get(char) or (f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")


def _command(match: re.Match[str]) -> str:
    found = match.group()
    return f"{found[:-1]}\\u{ord(found[-1]):04x}"


def invisible_in(text: str, *, but: str = "") -> str | None:
    """Return the first invisible character of `text`, or lookalike of a blank; None if there is none.

    Characters in `but` are ignored.
    """
    if text.isascii() and text.isprintable():
        return None
    return next((char for char in _INVISIBLE.findall(text) if char not in but), None)


def without_emoji(text: str) -> str:
    """Return text without its emoji, in which zero-width characters are allowed."""
    return text if text.isascii() else _EMOJI.sub("", text)


# Visible ASCII, line ends, tabs, and U+0000, which pages put between texts.
_SEEN_ASCII = bytes([0, 9, 10, *range(32, 127)])


def may_hold_invisible(text: str) -> bool:
    """False for text without any character that `replace_invisible` replaces; fast, especially for ASCII."""
    rest = text.encode("utf-8", "surrogatepass").translate(None, _SEEN_ASCII)
    return bool(rest) and _MARKED_CHARACTER.search(rest.decode("utf-8", "surrogatepass")) is not None


def replace_invisible(text: str, write: Callable[[str], str]) -> str:
    """Replace each invisible character with the result of `write`; emoji, line ends and tabs are kept."""
    return _MARKED.sub(lambda match: match.group() if match.group(1) else write(match.group()), text)


def bidi_control_in(text: str) -> str | None:
    """Return the first character that changes the text's order (U+202A–202E, U+2066–2069), or None."""
    if text.isascii():
        return None
    found = _BIDI.search(text)
    return found.group() if found else None


def described(char: str) -> str:
    """Return a character for a message: `U+202E RIGHT-TO-LEFT OVERRIDE`."""
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()
