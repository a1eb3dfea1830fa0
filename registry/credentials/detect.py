"""What looks like a credential, and text without it; pure.

Four signs: the name says so and the value does not say otherwise; the value has the shape of a known token; an address
holds a password; a value is long and random. References (`${NAME}`, `file:/run/secrets/x`, `vault:path#key`) are none.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

from registry.credentials.tables import (
    ASSIGNED,
    ELSEWHERE,
    HARMLESS,
    HASH_NAME,
    HEX,
    JOINED_NAME,
    LONG_WORD,
    NAME,
    OPTION,
    PLACEHOLDER,
    PUBLIC_NAME,
    RANDOM,
    REFERENCE,
    SMALL_TOKENS,
    STEMS_OF_NAMES,
    TOKENS,
    URL_PASSWORD,
    UUID,
)

HIDDEN = "[hidden]"


def credential_in(name: str, value: str) -> str | None:
    """What the text `value` of the field or variable `name` seems to hold, in words; None for nothing secret."""
    found = next(_found_in(name, value), None) if _may_hold_one(name, value) else None
    return found[0] if found else None


def is_placeholder(name: str, value: str) -> bool:
    """True when a name says that a secret belongs here, and the value says that somebody will put it in later."""
    return _is_secret_name(name) and bool(PLACEHOLDER.match(value.strip())) and value.strip().lower() not in ("none", "null")


def hide(name: str, value: str) -> str:
    """`value` with every credential in it replaced by `[hidden]`."""
    return _hide(name, value) if _may_hold_one(name, value) else value


# The revisions of one definition hold the same values again and again.
@lru_cache(maxsize=16_384)
def _hide(name: str, value: str) -> str:
    for _, start, end in sorted(_found_in(name, value), key=lambda found: -found[1]):
        value = value[:start] + HIDDEN + value[end:]
    return value


def hidden_in(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The path of every text below `node` that holds a credential, and the text with `[hidden]` in its place."""
    for found, name, value in suspects_in(node, path):
        hidden = _hide(name, value)
        if hidden != value:
            yield found, hidden


def hide_in_line(line: str) -> str:
    """One line of a file, of any language, with what looks like a credential replaced; as long as it was."""
    spans = [(start, end) for _, start, end in _in_text(line)]
    for start, end in spans:
        line = line[:start] + "•" * (end - start) + line[end:]
    return line


Text = tuple[tuple[str | int, ...], str, str]
"""Path, name and value of a text."""


def strings_in(node: Any, path: tuple[str | int, ...] = (), name: str = "") -> list[Text]:
    """Every text below `node` with its path and the name it is under; an item of a list of arguments has its option's."""
    found: list[Text] = []
    _collect(node, path, name, found, lambda _name, _value: True)
    return found


def suspects_in(node: Any, path: tuple[str | int, ...] = ()) -> list[Text]:
    """Those of `strings_in` that may be or hold a credential, or stand for one: of most definitions one or none."""
    found: list[Text] = []
    _collect(node, path, "", found, _may_hold_one)
    return found


def _collect(node: Any, path: tuple[str | int, ...], name: str, found: list[Text], is_wanted: Callable[[str, str], bool]) -> None:
    kind = type(node)
    if kind is str:
        if is_wanted(name, node):
            found.append((path, name, node))
    elif kind is dict:
        for key, value in node.items():
            if type(value) is not str:
                _collect(value, (*path, key), key, found, is_wanted)
            elif is_wanted(key, value):  # here, and not by a call more: nearly all are texts
                found.append(((*path, key), key, value))
    elif kind is list:
        _collect_items(node, path, name, found, is_wanted)
    elif (kind is int or kind is float) and is_wanted(name, str(node)):
        found.append((path, name, str(node)))  # a password of digits only, not quoted


def _collect_items(node: list[Any], path: tuple[str | int, ...], name: str, found: list[Text], is_wanted: Callable[[str, str], bool]) -> None:
    option = name
    for place, item in enumerate(node):
        if type(item) is not str:
            _collect(item, (*path, place), option, found, is_wanted)
        elif is_wanted(option, item):
            found.append(((*path, place), option, item))
        # After `--password` comes its value, unless it is in the same item; an option that follows is no value.
        match = OPTION.match(item) if type(item) is str and item[:1] == "-" else None
        option = match["name"] if match and match["value"] is None else name


def _found_in(name: str, value: str) -> Iterator[tuple[str, int, int]]:
    """What is found in a value that may hold one, and where it starts and ends; parts do not overlap."""
    bare = value.strip()
    if not bare or ELSEWHERE.match(bare) or len(_without_references(bare)) < 3:
        return
    if "\n" in bare or OPTION.match(bare):
        yield from _in_text(value)
        return
    if "=" in bare and not _is_secret_name(name) and (inside := list(_in_text(value))):
        yield from inside
        return
    shapes = list(_shapes(value))
    if shapes:
        yield from shapes
    elif _is_secret_name(name) and not HARMLESS.match(bare) and not PLACEHOLDER.match(bare):
        yield "a secret, as its name says", value.index(bare), value.index(bare) + len(bare)
    elif _is_random(name, bare):
        yield "a long random value", value.index(bare), value.index(bare) + len(bare)


def _without_references(text: str) -> str:
    return REFERENCE.sub("", text) if "$" in text or "%" in text or "{{" in text else text


def _may_hold_one(name: str, value: str) -> bool:
    """False when a value cannot hold a credential: its name tells of none, and it has no long word, no address, no lines.

    So with nearly all values, and this is asked for every text of every definition.
    """
    if _is_secret_name(name):
        return True
    if len(value) < 9:
        return False
    return bool(LONG_WORD.search(value)) or "@" in value or "\n" in value or "--" in value[:5] or "=" in value


def _in_text(text: str) -> Iterator[tuple[str, int, int]]:
    """Credentials in a text of any language: a script, a line of YAML, an argument."""
    shapes = list(_shapes(text))
    yield from shapes
    if "=" not in text and ":" not in text:
        return
    place = 0
    while found := ASSIGNED.search(text, place):
        quoted = found["value"][:1] in "\"'" and len(found["value"]) > 1
        start, end = found.start("value") + quoted, found.end("value") - quoted
        # What is no secret itself may hold one: `SETTINGS: "mode=fast;password=…"`.
        place = start
        value = text[start:end]
        is_known = any(start < other_end and other_start < end for _, other_start, other_end in shapes)
        is_reference = ELSEWHERE.match(value) or len(_without_references(value)) < 3
        is_said = HARMLESS.match(value) or PLACEHOLDER.match(value)
        if _is_secret_name(found["name"]) and not (is_known or is_reference or is_said):
            yield "a secret, as its name says", start, end
            place = end


def _shapes(value: str) -> Iterator[tuple[str, int, int]]:
    """Tokens of a known shape, and passwords in addresses."""
    taken: list[tuple[int, int]] = []
    length = len(value)
    for what, shortest, marks, pattern in SMALL_TOKENS if value.islower() and "_" not in value else TOKENS:
        if length < shortest:
            continue
        for mark in marks:
            if mark in value:
                break
        else:
            continue
        for found in re.finditer(pattern, value):
            end = length if what == "a private key" else found.end()
            if not any(found.start() < other_end and other_start < end for other_start, other_end in taken):
                taken.append((found.start(), end))
                yield what, found.start(), end
    for found in URL_PASSWORD.finditer(value) if "://" in value else ():
        password = found["value"]
        is_reference = not _without_references(password) or PLACEHOLDER.match(password)
        start, end = found.span("value")
        if not is_reference and not any(start < other_end and other_start < end for other_start, other_end in taken):
            yield "an address with a password", start, end


@lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    small = name.lower()
    if "hex" not in small:
        small = small.replace("path", "")  # many names have one, and no `pat` in it
    if name.isascii() and not any(stem in small for stem in STEMS_OF_NAMES):
        return False
    return bool((NAME.search(name) or JOINED_NAME.search(name)) and not PUBLIC_NAME.search(name))


def _is_random(name: str, value: str) -> bool:
    """A value that only a machine would write: long, of one word, and with nearly as much in it as its letters can hold."""
    if not RANDOM.match(value) or UUID.match(value) or HASH_NAME.search(name):
        return False
    if HEX.match(value):
        return _entropy(value) > 3
    kinds = sum(bool(re.search(pattern, value)) for pattern in ("[a-z]", "[A-Z]", "[0-9]"))
    if kinds < 3 or "/" in value[:1]:
        return False
    # Words with capitals or dashes between them change kind seldom; random text at nearly every other letter.
    changes = sum(_kind_of(one) != _kind_of(two) for one, two in pairwise(value))
    return changes / len(value) > 0.4 and _entropy(value) > 3.5


def _kind_of(char: str) -> int:
    return 0 if char.islower() else 1 if char.isupper() else 2 if char.isdigit() else 3


def _entropy(text: str) -> float:
    """Bits a character, after Shannon."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())
