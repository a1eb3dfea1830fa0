"""Rules for plain scalars in all YAML versions, and characters that files must not contain; pure."""

import re
from typing import Any

# Control characters, and characters that some programs treat as line ends: NEL, U+2028, U+2029.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
INTEGER = re.compile(r"(?:0|-?[1-9][0-9]*)\Z")
FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?\Z")
# Scalars that YAML 1.1, 1.2 or common readers resolve to something other than text, or resolve differently.
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
# In brackets YAML 1.1 reads `?x` as the key `x` and YAML 1.2 as the text `?x`. Also matches in quoted text.
QUESTION = re.compile(r"[\[{,]\s*\?[^\s,\[\]{}]")
DATE = re.compile(r"[0-9]{4}-")
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


def plain_value(text: str) -> Any:
    """Return the value of a plain scalar that all YAML versions read alike. Raises ValueError for others."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if text[0].isalpha() and not is_word(text):
        return text  # the usual case
    if INTEGER.match(text) and len(text) <= 15:
        return int(text)
    if FLOAT.match(text) or AMBIGUOUS.match(text):
        raise ValueError(text)
    return text


def is_word(text: str) -> bool:
    """True for a scalar that starts with a letter and is not text in every YAML version."""
    return len(text) < 6 and text.lower() in _WORDS


def is_ambiguous(text: str) -> bool:
    """True for a plain scalar that YAML versions read differently or not as text."""
    return text[:1] in FIRST_OF_AMBIGUOUS and bool(AMBIGUOUS.match(text))
