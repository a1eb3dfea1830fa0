"""Terms of a text: what the search compares.

A word is a run of letters, digits and marks, without case and accents. Chinese, Japanese and Korean text has
no spaces between words, so its terms are all pairs of neighboring characters.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_TERM = 40
"""Further characters of a word are ignored."""
LONGEST_QUERY = 200
MOST_WORDS = 12
"""Further characters and words of a query are ignored."""
SHORTEST_PREFIX = 2
"""A shorter word only finds terms that are equal to it, except for a single character of a pair."""
SHORTEST_MISSPELLED = 4
"""A shorter word has no tolerance for typing errors: too many words are near it. Numbers have none either."""

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_ACCENTS = re.compile("[\u0300-\u036f]+")
# Letters that Unicode does not decompose, as people type them without their keyboard.
_PLAIN = str.maketrans(
    {"ß": "ss", "ς": "σ", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
_PAIRED = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_STRETCH = re.compile(f"([{_PAIRED}]+)|[^{_PAIRED}]+")
_PAIRED_START = re.compile(f"[{_PAIRED}]")


def fold(text: str) -> str:
    """Return a text without differences that the search ignores: case, accents, width and ligatures."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text).lower().translate(_PLAIN)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", plain))


def terms_of(text: str) -> list[str]:
    """Return the terms by which a text is found. The last character of a run of pairs is one, too."""
    folded = fold(text)
    if folded.isascii():
        return [word[:LONGEST_TERM] for word in _ASCII_WORD.findall(folded)]
    return [
        term
        for part, is_paired in _parts(folded)
        for term in ([part[i : i + 2] for i in range(len(part))] if is_paired else [part[:LONGEST_TERM]])
    ]


def query_terms(query: str) -> list[str]:
    """Return the distinct terms that a definition must have to be found, in order."""
    found: dict[str, None] = {}
    for part, is_paired in _parts(fold(query[:LONGEST_QUERY])):
        pairs = (
            [part[i : i + 2] for i in range(max(1, len(part) - 1))] if is_paired else [part[:LONGEST_TERM]]
        )
        found |= dict.fromkeys(pairs)
    return [*found][:MOST_WORDS]


def matches_prefix(word: str, term: str) -> bool:
    """Return True if a word of a query finds a longer term that starts with it."""
    return (len(word) >= SHORTEST_PREFIX or is_paired(word)) and term.startswith(word)


def is_paired(word: str) -> bool:
    """Return True if a term is a pair of characters, or one of them."""
    return _PAIRED_START.match(word) is not None


def may_be_misspelled(word: str) -> bool:
    """Return True if a word, or a term, is compared with tolerance for one typing error."""
    return len(word) >= SHORTEST_MISSPELLED and word.isalpha() and not is_paired(word)


def is_one_edit_away(word: str, other: str) -> bool:
    """Return True if one inserted, removed, replaced or swapped character makes one word of the other."""
    if len(word) > len(other):
        word, other = other, word
    if word == other or len(other) - len(word) > 1:
        return False
    start = 0
    while start < len(word) and word[start] == other[start]:
        start += 1
    if len(word) < len(other):
        return word[start:] == other[start + 1 :]
    if word[start + 1 :] == other[start + 1 :]:
        return True
    swapped = word[start + 1 : start + 2] + word[start]
    return other[start : start + 2] == swapped and word[start + 2 :] == other[start + 2 :]


def shard_of(term: str) -> str:
    """Return the name of the shard with a term: two letters, a digit, or `_` and a block of Unicode.

    Names are ASCII in lower case, so that every file system keeps them apart.
    """
    start = term[:2]
    if "0" <= start[0] <= "9":
        return start[0]  # nearly each definition has numbers of its own: two digits would be many small files
    return start if start.isascii() else f"_{ord(next(c for c in start if not c.isascii())) >> 8:x}"


def ending_of(word: str) -> str:
    """Return the name of the shard with the words that end like this one."""
    return shard_of(word[-2:])


def misspelled_endings(word: str) -> list[str]:
    """Return the shards with all words that are one edit away from this one, and in another shard of terms.

    The edit is at the first two letters, so both words end alike, or it swaps the middle of four letters.
    """
    swapped = [shard_of(word[1] + word[3])] if len(word) == SHORTEST_MISSPELLED else []
    return [*dict.fromkeys([ending_of(word), *swapped])]


def _parts(folded: str) -> list[tuple[str, bool]]:
    """Return the words and the runs of paired characters of a folded text; True for the runs."""
    spaced = "".join([c if unicodedata.category(c)[0] in "LMN" else " " for c in folded])
    return [(found[0], found[1] is not None) for word in spaced.split() for found in _STRETCH.finditer(word)]
