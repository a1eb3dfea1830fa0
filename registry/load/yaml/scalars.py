"""What a plain scalar is to every YAML version, and which characters no file may hold; pure."""

import re
from typing import Any

# Control characters, and the characters some programs take for the end of a line: NEL, U+2028, U+2029.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
INTEGER = re.compile(r"(?:0|-?[1-9][0-9]*)\Z")
FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?\Z")
# What YAML 1.1, 1.2 and the common readers turn into something that is not text, or do not agree upon.
AMBIGUOUS = re.compile(
    r"""(?: ~ | null | true | false | yes | no | on | off | y | n | = | <<
      | [-+]?[0-9][0-9_,]*                                        # 0777, 1_000, +1, 007, 1,000
      | [-+]?0b[01_]* | [-+]?0o[0-7_]* | [-+]?0x[0-9a-f_]*
      | [-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?:e[-+]?[0-9]+)?          # .5, 1., 1.0e3
      | [-+]?[0-9][0-9_]*e[-+]?[0-9]+                             # 1e3
      | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?          # 12:30
      | [-+]?\.(?:inf|nan)
      | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:t|[ \t]+)[0-9].*)?    # dates and times
    )\Z""",
    re.VERBOSE | re.IGNORECASE,
)
FIRST_OF_AMBIGUOUS = frozenset("~nNtTfFyYoO=<0123456789+-.")
CONSTANTS = {"true": True, "false": False, "null": None, "": None}
# In brackets YAML 1.1 takes `?x` for the key `x`, and YAML 1.2 for the text `?x`. (This also finds it in quoted text.)
QUESTION = re.compile(r"[\[{,]\s*\?[^\s,\[\]{}]")
DATE = re.compile(r"[0-9]{4}-")
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


def plain_value(text: str) -> Any:
    """The value of a plain scalar that every YAML version reads alike. Raises ValueError for the others."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if text[0].isalpha() and not is_word(text):
        return text  # nearly all
    if INTEGER.match(text) and len(text) <= 15:
        return int(text)
    if FLOAT.match(text) or AMBIGUOUS.match(text):
        raise ValueError(text)
    return text


def is_word(text: str) -> bool:
    """True for what starts with a letter and is not text to every YAML version."""
    return len(text) < 6 and text.lower() in _WORDS


def is_ambiguous(text: str) -> bool:
    """True for a plain scalar that YAML versions read differently, or not as text."""
    return text[:1] in FIRST_OF_AMBIGUOUS and bool(AMBIGUOUS.match(text))
