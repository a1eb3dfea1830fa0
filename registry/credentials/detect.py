"""Detect and hide credentials in text; pure.

Criteria: the name indicates a secret and the value does not contradict it; the value has the form of a known
token; an address contains a password or a token; a header, a netrc line or an argument of a known program
contains one; a value is long and random. References (`${NAME}`, `file:/run/secrets/x`, `vault:path#key`) are
not credentials.

Every function takes time linear in the length of the text.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from registry.credentials.arguments import secrets_in_commands
from registry.credentials.criteria import (
    LONGEST_HARMLESS,
    LONGEST_NAME,
    fits_pattern,
    is_basic_credential,
    is_bearer_token,
    is_random_value,
    is_secret_name,
    is_token_like,
    may_hold_credential,
    without_references,
)
from registry.credentials.document_texts import SecretFields, Text, suspects_in
from registry.credentials.tables import (
    ASSIGNED,
    ASSIGNED_VALUE,
    AUTHORIZATION,
    ELSEWHERE,
    HARMLESS,
    HEADER_NAME,
    NETRC,
    OPTION,
    OPTION_IN_TEXT,
    PLACEHOLDER_VALUE,
    PROSE,
    SCHEME,
    SMALL_TOKENS,
    TOKENS,
    URL_PASSWORD,
    URL_USER,
)

HIDDEN = "[hidden]"
# Longer values are not cached: thousands of them would fill the memory.
_LONGEST_REMEMBERED = 2_000


def credential_in(name: str, value: str, *, may_be_random: bool = True) -> str | None:
    """Return a description of the credential in `value` of the field or variable `name`.

    The result is None if there is none.
    """
    return credential_of(Text((), name, value, may_be_random))


def credential_of(text: Text) -> str | None:
    """Return a description of the credential in a text; None if there is none."""
    if text.argument is None and not may_hold_credential(text.name, text.value):
        return None
    found = _found_in(text)
    return found[0].what if found else None


def is_placeholder(name: str, value: str) -> bool:
    """True when a name indicates a secret and the value is a placeholder for it."""
    bare = value.strip()
    return (
        is_secret_name(name)
        and fits_pattern(PLACEHOLDER_VALUE, bare)
        and bare.lower() not in ("none", "null")
    )


def hide(name: str, value: str, *, may_be_random: bool = True) -> str:
    """Return `value` with every credential in it replaced by `[hidden]`."""
    return hide_text(Text((), name, value, may_be_random)) if may_hold_credential(name, value) else value


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
        if end - start > LONGEST_HARMLESS:
            return self.add(what, start, end)
        value = self._text[start:end]
        is_nothing = (
            fits_pattern(ELSEWHERE, value)
            or len(without_references(value)) < shortest
            or fits_pattern(PLACEHOLDER_VALUE, value)
        )
        return not (is_nothing or fits_pattern(HARMLESS, value)) and self.add(what, start, end)


_BY_NAME = "a secret, judging by its name"
_AUTHORIZATION = "the value of an Authorization header"


def _found_in(text: Text) -> list[_Finding]:
    """Return the findings in a value; they do not overlap."""
    bare, found = text.value.strip(), _Findings(text.value)
    if text.argument is not None:
        found.add_value(f"a password for {text.argument.program}", *text.argument.span, shortest=1)
        _look_for_shapes(text.value, found)
        return found.listed
    if not bare or fits_pattern(ELSEWHERE, bare) or len(without_references(bare)) < 3:
        return []
    is_secret = is_secret_name(text.name)
    is_script = "\n" in bare or OPTION.match(bare) is not None
    if is_script or (not is_secret and ("=" in bare or ":" in bare or " " in bare)):
        _look_in_text(text.value, found, is_script=is_script)
    else:
        _look_for_shapes(text.value, found)
    if not found.listed and not is_script:
        _judge_whole(text, bare, found, is_secret=is_secret)
    return found.listed


def _judge_whole(text: Text, bare: str, found: _Findings, *, is_secret: bool) -> None:
    """Find a value that as a whole (`bare`, without blanks around it) is a secret or random."""
    start = text.value.index(bare)
    if is_secret and not fits_pattern(HARMLESS, bare) and not fits_pattern(PLACEHOLDER_VALUE, bare):
        found.add(_BY_NAME, start, start + len(bare))
    elif text.may_be_random and is_random_value(text.name, bare):
        found.add("a long random value", start, start + len(bare))


def _look_in_text(text: str, found: _Findings, *, is_script: bool) -> None:
    """Find credentials in a text of any language: a script, a line of YAML, a header, an argument."""
    _look_for_shapes(text, found)
    if " " in text:
        _look_for_headers(text, found)
        _look_for_netrc(text, found)
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
        if not is_secret_name(assigned["name"]):
            continue
        value = _assigned_value(text, place, long_end)
        if value is None:
            continue
        start, end, is_bare = value
        if is_bare and end - start > LONGEST_HARMLESS:
            long_end = end
        if assigned["colon"] and is_bare and not _is_value(text, assigned, end, is_script=is_script):
            continue
        # In JSON and in a header a single character is a value, too, because they contain no prose.
        is_certain = (assigned["quote"] and not is_bare) or HEADER_NAME.match(
            assigned["name"][-LONGEST_NAME:]
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
    if HEADER_NAME.match(assigned["name"][-LONGEST_NAME:]) and assigned.start() == 0:
        return True
    if not assigned["quote"] and assigned.end("colon") == assigned.end():
        return False
    return is_script or assigned.start() == 0 or not text[end : end + 2].strip(" ") or text[end] in "\"',;&}"


def _look_for_options(text: str, found: _Findings) -> None:
    """Find values of options of any program in shell text: `--password VALUE`."""
    for match in OPTION_IN_TEXT.finditer(text):
        kind = match.lastgroup or ""
        if is_secret_name(match["name"]) and not (kind == "bare" and fits_pattern(PROSE, match[kind])):
            found.add_value(_BY_NAME, *match.span(kind))


def _look_for_headers(text: str, found: _Findings) -> None:
    """Find headers with a scheme."""
    small = text.lower()
    if "authorization" in small:
        for match in AUTHORIZATION.finditer(text):
            found.add_value(_AUTHORIZATION, *match.span("value"), shortest=1)
    if "bearer " in small or "basic " in small:
        for match in SCHEME.finditer(text):
            kind = match.lastgroup or ""
            is_credential = is_bearer_token if kind == "bearer" else is_basic_credential
            if is_credential(match[kind]):
                found.add(_AUTHORIZATION, *match.span(kind))


def _look_for_netrc(text: str, found: _Findings) -> None:
    """Find passwords in lines of netrc."""
    if "password" not in text or not ("login" in text or "machine" in text or "default" in text):
        return
    for match in NETRC.finditer(text):
        # `login with password authentication` is prose
        if match["login"] is None or not match["value"].isalpha():
            found.add_value("a password in netrc format", *match.span("value"))


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
        if without_references(password) and not fits_pattern(PLACEHOLDER_VALUE, password):
            found.add("an address with a password", *match.span("value"))
    for match in URL_USER.finditer(value):
        if is_token_like(match["value"]):
            found.add("an address with a token", *match.span("value"))
