"""Detect and hide credentials in text; pure.

Criteria: the name indicates a secret and the value does not contradict it; the value has the form of a known
token; an address contains a password or a token; a header, a netrc line or an argument of a known program
contains one; a value is long and random. References (`${NAME}`, `file:/run/secrets/x`, `vault:path#key`) are
not credentials.

Every function takes time linear in the length of the text.
"""

import math
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from registry.credentials.arguments import SecretArgument, secret_arguments, secrets_in_commands
from registry.credentials.tables import (
    ASSIGNED,
    ASSIGNED_VALUE,
    AUTHORIZATION,
    ELSEWHERE,
    HARMLESS,
    HASH_NAME,
    HEADER_NAME,
    HEX,
    JOINED_NAME,
    LONG_WORD,
    NAME,
    NETRC,
    OPTION,
    OPTION_IN_TEXT,
    PLACEHOLDER_VALUE,
    PROSE,
    PUBLIC_NAME,
    RANDOM,
    REFERENCE,
    SCHEME,
    SMALL_TOKENS,
    STEMS_OF_NAMES,
    TOKENS,
    URL_PASSWORD,
    URL_USER,
    UUID,
)

HIDDEN = "[hidden]"
DEFINITION: tuple[str, ...] = ("definition",)
"""The fields searched for credentials in every document, regardless of its kind."""
# Longer than every reference, placeholder or path: longer values are not classified as such.
_LONGEST_HARMLESS = 1_000
_LONGEST_NAME = 200
# Longer values are not cached: thousands of them would fill the memory.
_LONGEST_REMEMBERED = 2_000


class SecretFields(NamedTuple):
    """Where documents of a kind may contain credentials.

    `paths` are fields below which a long random value counts as one. `programs` are pairs of the key of an
    argument list and the key of its program in the same map: many programs have options for passwords.
    """

    paths: tuple[tuple[str, ...], ...] = ()
    programs: tuple[tuple[str, str], ...] = ()


class Text(NamedTuple):
    """A text of a document.

    `name` is its key or option. `may_be_random`: a long random value is a finding even without other
    evidence. `argument` is the location of the secret in an argument of a known program.
    """

    path: tuple[str | int, ...]
    name: str
    value: str
    may_be_random: bool = True
    argument: SecretArgument | None = None


def credential_in(name: str, value: str, *, may_be_random: bool = True) -> str | None:
    """Return a description of the credential in `value` of the field or variable `name`.

    The result is None if there is none.
    """
    return credential_of(Text((), name, value, may_be_random))


def credential_of(text: Text) -> str | None:
    """Return a description of the credential in a text; None if there is none."""
    found = _found_in(text) if text.argument is not None or _may_hold_one(text.name, text.value) else None
    return found[0].what if found else None


def is_placeholder(name: str, value: str) -> bool:
    """True when a name indicates a secret and the value is a placeholder for it."""
    bare = value.strip()
    return (
        _is_secret_name(name) and _matches(PLACEHOLDER_VALUE, bare) and bare.lower() not in ("none", "null")
    )


def hide(name: str, value: str, *, may_be_random: bool = True) -> str:
    """Return `value` with every credential in it replaced by `[hidden]`."""
    return hide_text(Text((), name, value, may_be_random)) if _may_hold_one(name, value) else value


def hide_text(text: Text) -> str:
    """Return the value of a text with every credential in it replaced by `[hidden]`."""
    rest = text._replace(path=())
    return _hide_remembered(rest) if len(text.value) <= _LONGEST_REMEMBERED else _hide(rest)


def _hide(text: Text) -> str:
    return _replaced(text.value, [(one.start, one.end, HIDDEN) for one in _found_in(text)])


# Cached, because revisions of one definition repeat the same values.
_hide_remembered = lru_cache(maxsize=16_384)(_hide)


def _replaced(text: str, replacements: list[tuple[int, int, str]]) -> str:
    parts, place = [], 0
    for start, end, by in sorted(replacements):
        parts += [text[place:start], by]
        place = end
    return "".join([*parts, text[place:]])


def hidden_in(document: dict[str, Any], fields: SecretFields) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the path of each text with a credential, and the text with `[hidden]` in its place."""
    for text in suspects_in(document, fields):
        hidden = hide_text(text)
        if hidden != text.value:
            yield text.path, hidden


def hide_in_line(line: str) -> str:
    """Replace credentials in one line of a file in any language; the length is unchanged."""
    found = _Findings(line)
    _look_in_text(line, found, is_script=True)
    return _replaced(line, [(one.start, one.end, "•" * (one.end - one.start)) for one in found.listed])


def strings_in(node: Any, path: tuple[str | int, ...] = ()) -> list[Text]:
    """Return every text below `node` with its path and key.

    Items of an argument list have their option's name.
    """
    found: list[Text] = []
    _collect(node, path, "", found, lambda _name, _value: True, {})
    return found


def texts_in(document: dict[str, Any], fields: SecretFields) -> list[Text]:
    """Return every text of a document to search for credentials: in `definition` and below `fields.paths`."""
    return _look(document, fields, lambda _name, _value: True)


def suspects_in(document: dict[str, Any], fields: SecretFields) -> list[Text]:
    """Return the texts of `texts_in` that may be or contain a credential or placeholder; usually none or one.

    Below `fields.paths` a long random value also counts; elsewhere in `definition` only names and known
    forms do.
    """
    return _look(document, fields, _may_hold_one)


def _look(
    document: dict[str, Any], fields: SecretFields, is_wanted: Callable[[str, str], bool]
) -> list[Text]:
    found: list[Text] = []
    programs = dict(fields.programs)
    for root in _roots(fields.paths):
        node: Any = document
        for step in root:
            node = node.get(step) if isinstance(node, dict) else None
        if node is not None:
            _collect(node, root, root[-1] if root is not DEFINITION else "", found, is_wanted, programs)
    if not found:
        return found
    return [
        text
        if any(text.path[: len(one)] == one for one in fields.paths)
        else text._replace(may_be_random=False)
        for text in found
    ]


@lru_cache(maxsize=64)
def _roots(fields: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """Return the paths to start from, none below another."""
    outside = [one for one in dict.fromkeys(fields) if one[:1] != DEFINITION]
    inner = {one for one in outside if any(other != one and one[: len(other)] == other for other in outside)}
    return (DEFINITION, *(one for one in outside if one not in inner))


def _collect(  # noqa: PLR0913 - called for each part of a document: an object would cost more
    node: Any,
    path: tuple[str | int, ...],
    name: str,
    found: list[Text],
    is_wanted: Callable[[str, str], bool],
    programs: Mapping[str, str],
    program: str = "",
) -> None:
    kind = type(node)
    if kind is str:
        if is_wanted(name, node):
            found.append(Text(path, name, node))
    elif kind is dict:
        for key, value in node.items():
            if type(value) is not str:
                command = node.get(programs[key]) if key in programs else ""
                command = command if type(command) is str else ""
                _collect(value, (*path, key), key, found, is_wanted, programs, command)
            elif is_wanted(key, value):  # inline rather than a call: nearly all values are texts
                found.append(Text((*path, key), key, value))
    elif kind is list:
        _collect_items(node, path, name, found, is_wanted, programs, program)
    elif (kind is int or kind is float) and is_wanted(name, str(node)):
        found.append(Text(path, name, str(node)))  # an unquoted password of digits only


def _collect_items(  # noqa: PLR0913 - as above
    node: list[Any],
    path: tuple[str | int, ...],
    name: str,
    found: list[Text],
    is_wanted: Callable[[str, str], bool],
    programs: Mapping[str, str],
    program: str,
) -> None:
    secret = secret_arguments(node, program) if program or len(node) > 1 else {}
    option = name
    for place, item in enumerate(node):
        if type(item) is not str:
            _collect(item, (*path, place), option, found, is_wanted, programs)
        elif place in secret:
            found.append(Text((*path, place), option, item, argument=secret[place]))
        elif is_wanted(option, item):
            found.append(Text((*path, place), option, item))
        # The value of `--password` is the next item, unless it is in the same item; an option is not a value.
        match = OPTION.match(item) if type(item) is str and item[:1] == "-" else None
        option = match["name"] if match and match["value"] is None else name


class _Finding(NamedTuple):
    what: str
    start: int
    end: int


class _Findings:
    """Findings in one text that do not overlap: the first wins."""

    def __init__(self, text: str) -> None:
        self.listed: list[_Finding] = []
        self._text = text
        self._taken: bytearray | None = None

    def add(self, what: str, start: int, end: int) -> bool:
        """Add a finding unless it overlaps another. Returns True if it was added."""
        if self._taken is None:
            self._taken = bytearray(len(self._text))
        if start >= end or self._taken.find(1, start, end) >= 0:
            return False
        self._taken[start:end] = b"\1" * (end - start)
        self.listed.append(_Finding(what, start, end))
        return True

    def add_value(self, what: str, start: int, end: int, *, shortest: int = 3) -> bool:
        """Add a value in the position of a secret, unless it is a reference, placeholder or description."""
        if end - start >= 2 and self._text[start] in "\"'" and self._text[end - 1] == self._text[start]:
            start, end = start + 1, end - 1  # `-p"$PASSWORD"`, as a shell takes it
        if self._text.startswith(("`", "$("), start):
            return False
        if end - start > _LONGEST_HARMLESS:
            return self.add(what, start, end)
        value = self._text[start:end]
        is_nothing = (
            _matches(ELSEWHERE, value)
            or len(_without_references(value)) < shortest
            or _matches(PLACEHOLDER_VALUE, value)
        )
        return not (is_nothing or _matches(HARMLESS, value)) and self.add(what, start, end)


def _matches(pattern: Any, value: str) -> bool:
    return len(value) <= _LONGEST_HARMLESS and pattern.match(value) is not None


_BY_NAME = "a secret, judging by its name"


def _found_in(text: Text) -> list[_Finding]:
    """Return the findings in a value; they do not overlap."""
    _, name, value, may_be_random, argument = text
    bare = value.strip()
    found = _Findings(value)
    if argument is not None:
        found.add_value(f"a password for {argument.program}", *argument.span, shortest=1)
        _look_for_shapes(value, found)
        return found.listed
    if not bare or _matches(ELSEWHERE, bare) or len(_without_references(bare)) < 3:
        return []
    is_secret = _is_secret_name(name)
    is_script = "\n" in bare or OPTION.match(bare) is not None
    if is_script or (not is_secret and ("=" in bare or ":" in bare or " " in bare)):
        _look_in_text(value, found, is_script=is_script)
        if found.listed or is_script:
            return found.listed
    else:
        _look_for_shapes(value, found)
    if not found.listed:
        start = value.index(bare)
        if is_secret and not _matches(HARMLESS, bare) and not _matches(PLACEHOLDER_VALUE, bare):
            found.add(_BY_NAME, start, start + len(bare))
        elif may_be_random and _is_random(name, bare):
            found.add("a long random value", start, start + len(bare))
    return found.listed


def _without_references(text: str) -> str:
    return REFERENCE.sub("", text) if "$" in text or "%" in text or "{{" in text else text


def _may_hold_one(name: str, value: str) -> bool:
    """False when a value cannot contain a credential: neutral name, no long word, no address, no line break.

    This is the usual case, and the function is called for every text of every definition.
    """
    if _says_secret(name if len(name) <= _LONGEST_NAME else name[-_LONGEST_NAME:]):
        return True
    if len(value) < 9:
        return False
    # Addresses, lines, values, headers, options. A chain of conditions, because a loop takes twice the time.
    if "=" in value or ":" in value or "@" in value or "\n" in value or " -" in value:
        return True
    return LONG_WORD.search(value) is not None or " password " in value


def _look_in_text(text: str, found: _Findings, *, is_script: bool) -> None:
    """Find credentials in a text of any language: a script, a line of YAML, a header, an argument."""
    _look_for_shapes(text, found)
    if " " in text:
        _look_for_headers(text, found)
        for program, start, end in secrets_in_commands(text):
            found.add_value(f"a password for {program}", start, end, shortest=1)
        if " -" in text or text.startswith("-"):
            _look_for_options(text, found)
    if "=" in text or ":" in text:
        _look_for_assignments(text, found, is_script=is_script)


def _look_for_assignments(text: str, found: _Findings, *, is_script: bool) -> None:
    """Find values of names that indicate a secret: `password=…`, `"token": "…"`."""
    place = long_end = 0
    while assigned := ASSIGNED.search(text, place):
        # A value that is not a secret may contain one: `SETTINGS: "mode=fast;password=…"`.
        place = assigned.end()
        if not _is_secret_name(assigned["name"]):
            continue
        value = _assigned_value(text, place, long_end)
        if value is None:
            continue
        start, end, is_bare = value
        if is_bare and end - start > _LONGEST_HARMLESS:
            long_end = end
        if assigned["colon"] and is_bare and not _is_value(text, assigned, end, is_script=is_script):
            continue
        # In JSON and in a header a single character is a value, too, because they contain no prose.
        is_certain = (assigned["quote"] and not is_bare) or HEADER_NAME.match(
            assigned["name"][-_LONGEST_NAME:]
        )
        if found.add_value(_BY_NAME, start, end, shortest=1 if is_certain else 3):
            place = max(place, end)


def _assigned_value(text: str, place: int, long_end: int) -> tuple[int, int, bool] | None:
    """Return start and end of the value at `place`, and whether it is unquoted; None if there is none.

    `long_end` is the end of the last long unquoted value: a value that starts inside it ends there as well.
    Matching each of them would take quadratic time (`token:token:token:…`).
    """
    if place < long_end and text[place] not in "\"'\\{}[]":
        return place, long_end, True
    value = ASSIGNED_VALUE.match(text, place)
    if value is None or value.lastgroup is None:
        return None
    return *value.span(value.lastgroup), value.lastgroup == "bare"


def _is_value(text: str, assigned: re.Match[str], end: int, *, is_script: bool) -> bool:
    """True when the unquoted text after a colon is a value, not prose or part of a name.

    An example of prose is `forgot your password: click here`. After a colon, a value follows a blank or a
    quoted key; in a single line of text the value is the last word or the only one.
    """
    if HEADER_NAME.match(assigned["name"][-_LONGEST_NAME:]) and assigned.start() == 0:
        return True
    if not assigned["quote"] and assigned.end("colon") == assigned.end():
        return False
    return is_script or assigned.start() == 0 or not text[end : end + 2].strip(" ") or text[end] in "\"',;&}"


def _look_for_options(text: str, found: _Findings) -> None:
    """Find values of options of any program in shell text: `--password VALUE`."""
    for match in OPTION_IN_TEXT.finditer(text):
        kind = match.lastgroup or ""
        if _is_secret_name(match["name"]) and not (kind == "bare" and _matches(PROSE, match[kind])):
            found.add_value(_BY_NAME, *match.span(kind))


def _look_for_headers(text: str, found: _Findings) -> None:
    """Find headers with a scheme, and lines of netrc."""
    small = text.lower()
    if "authorization" in small:
        for match in AUTHORIZATION.finditer(text):
            found.add_value("the value of an Authorization header", *match.span("value"), shortest=1)
    if "bearer " in small or "basic " in small:
        for match in SCHEME.finditer(text):
            kind = match.lastgroup or ""
            if _is_bearer(match[kind]) if kind == "bearer" else _is_basic(match[kind]):
                found.add("the value of an Authorization header", *match.span(kind))
    if "password" in text and ("login" in text or "machine" in text or "default" in text):
        for match in NETRC.finditer(text):
            if (
                match["login"] is None or not match["value"].isalpha()
            ):  # `login with password authentication` is prose
                found.add_value("a password in netrc format", *match.span("value"))


def _is_bearer(value: str) -> bool:
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and not _is_wordy(value)


def _is_basic(value: str) -> bool:
    """True for `user:password` in Base64."""
    try:
        decoded = a2b_base64(value + "=" * (-len(value) % 4))
    except (Base64Error, ValueError):
        return False
    return b":" in decoded and all(32 <= byte < 127 for byte in decoded)


def _look_for_shapes(value: str, found: _Findings) -> None:
    """Find tokens of a known form, and passwords and tokens in addresses."""
    length = len(value)
    for what, shortest, marks, pattern in SMALL_TOKENS if value.islower() and "_" not in value else TOKENS:
        if length < shortest:
            continue
        for mark in marks:
            if mark in value:
                break
        else:
            continue
        for match in re.finditer(pattern, value):
            found.add(what, match.start(), length if what == "a private key" else match.end())
    if "://" in value and "@" in value:
        _look_for_addresses(value, found)


def _look_for_addresses(value: str, found: _Findings) -> None:
    for match in URL_PASSWORD.finditer(value):
        password = match["value"]
        if _without_references(password) and not _matches(PLACEHOLDER_VALUE, password):
            found.add("an address with a password", *match.span("value"))
    for match in URL_USER.finditer(value):
        if _is_token_like(match["value"]):
            found.add("an address with a token", *match.span("value"))


def _is_token_like(user: str) -> bool:
    """True for a user name that looks like a token: mixed letters and digits, not words and numbers."""
    bare = _without_references(user)
    if len(bare) < 12 or "%40" in bare:
        return False
    return bool(HEX.match(bare)) or (
        any(map(str.isdigit, bare)) and any(map(str.isalpha, bare)) and not _is_wordy(bare)
    )


def _is_wordy(text: str) -> bool:
    """True when all parts between signs are words, numbers or words with a number: `app-2024`, `v2`."""
    return all(_WORDY.fullmatch(part) for part in re.split(r"[^A-Za-z0-9]", text))


_WORDY = re.compile(r"[A-Za-z]{0,16}[0-9]{0,4}|[0-9]{0,12}")


def _is_secret_name(name: str) -> bool:
    return _says_secret(name[-_LONGEST_NAME:])


@lru_cache(maxsize=4096)
def _says_secret(name: str) -> bool:
    small = name.lower()
    if "hex" not in small:
        small = small.replace("path", "")  # many names contain `path` and no `pat` elsewhere
    if name.isascii() and not any(stem in small for stem in STEMS_OF_NAMES):
        return False
    return bool((NAME.search(name) or JOINED_NAME.search(name)) and not PUBLIC_NAME.search(name))


def _is_random(name: str, value: str) -> bool:
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
