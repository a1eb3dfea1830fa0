"""Criteria for a single name or value: is it that of a secret, a token, random text; pure."""

import math
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import Any

from registry.credentials.tables import (
    HASH_NAME,
    HEX,
    JOINED_NAME,
    LONG_WORD,
    NAME,
    PUBLIC_NAME,
    RANDOM,
    REFERENCE,
    STEMS_OF_NAMES,
    UUID,
)

# Longer than every reference, placeholder or path: longer values are not classified as such.
LONGEST_HARMLESS = 1_000
LONGEST_NAME = 200


def fits_pattern(pattern: Any, value: str) -> bool:
    """True when a value matches, and is not longer than every reference, placeholder or path."""
    return len(value) <= LONGEST_HARMLESS and pattern.match(value) is not None


def without_references(text: str) -> str:
    """Return a text without references to values elsewhere, such as `${NAME}`."""
    return REFERENCE.sub("", text) if "$" in text or "%" in text or "{{" in text else text


def may_hold_credential(name: str, value: str) -> bool:
    """False when a value cannot contain a credential: neutral name, no long word, no address, no line break.

    This is the usual case, and the function is called for every text of every definition.
    """
    if _says_secret(name if len(name) <= LONGEST_NAME else name[-LONGEST_NAME:]):
        return True
    if len(value) < 9:
        return False
    # Addresses, lines, values, headers, options. A chain of conditions, because a loop takes twice the time.
    if "=" in value or ":" in value or "@" in value or "\n" in value or " -" in value:
        return True
    return LONG_WORD.search(value) is not None or " password " in value


def is_bearer_token(value: str) -> bool:
    """True for letters and digits that are not words and numbers."""
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and not _is_wordy(value)


def is_basic_credential(value: str) -> bool:
    """True for `user:password` in Base64."""
    try:
        decoded = a2b_base64(value + "=" * (-len(value) % 4))
    except (Base64Error, ValueError):
        return False
    return b":" in decoded and all(32 <= byte < 127 for byte in decoded)


def is_token_like(user: str) -> bool:
    """True for a user name that looks like a token: mixed letters and digits, not words and numbers."""
    bare = without_references(user)
    if len(bare) < 12 or "%40" in bare:
        return False
    return bool(HEX.match(bare)) or (
        any(map(str.isdigit, bare)) and any(map(str.isalpha, bare)) and not _is_wordy(bare)
    )


def _is_wordy(text: str) -> bool:
    """True when all parts between signs are words, numbers or words with a number: `app-2024`, `v2`."""
    return all(_WORDY.fullmatch(part) for part in re.split(r"[^A-Za-z0-9]", text))


_WORDY = re.compile(r"[A-Za-z]{0,16}[0-9]{0,4}|[0-9]{0,12}")


def is_secret_name(name: str) -> bool:
    """True when the end of a name indicates a secret."""
    return _says_secret(name[-LONGEST_NAME:])


@lru_cache(maxsize=4096)
def _says_secret(name: str) -> bool:
    small = name.lower()
    if "hex" not in small:
        small = small.replace("path", "")  # many names contain `path` and no `pat` elsewhere
    if name.isascii() and not any(stem in small for stem in STEMS_OF_NAMES):
        return False
    return bool((NAME.search(name) or JOINED_NAME.search(name)) and not PUBLIC_NAME.search(name))


def is_random_value(name: str, value: str) -> bool:
    """True for a value that looks generated.

    It is long, one word, and has nearly the maximal entropy for its alphabet.
    """
    if not RANDOM.match(value) or UUID.match(value) or HASH_NAME.search(name):
        return False
    if HEX.match(value):
        return _entropy(value) > 3
    kinds = sum(bool(re.search(pattern, value)) for pattern in ("[a-z]", "[A-Z]", "[0-9]"))
    if kinds < 3 or "/" in value[:1]:
        return False
    # Words in camel case or with dashes rarely switch character class; random text does at nearly every
    # character.
    changes = sum(_kind_of(one) != _kind_of(two) for one, two in pairwise(value))
    return changes / len(value) > 0.4 and _entropy(value) > 3.5


def _kind_of(char: str) -> int:
    return 0 if char.islower() else 1 if char.isupper() else 2 if char.isdigit() else 3


def _entropy(text: str) -> float:
    """Return the Shannon entropy in bits per character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
