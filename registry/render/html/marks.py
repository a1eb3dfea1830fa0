"""Marks invisible characters on pages, so that they are visible and cannot reorder the text around them.

During rendering, a sign (the code point between U+0001 and U+0002) replaces each such character. The complete
page shows whether a sign is in an element, where markup is possible, or in an attribute or a title.
"""

from __future__ import annotations

import re

from registry.model.characters import described, may_hold_invisible, replace_invisible

_SIGN = re.compile(rb"\x01([0-9a-f]{1,6})\x02")
_TAG = re.compile(rb"(<[^<>]*>)")
# Elements that contain text only.
_TEXT_ONLY = (b"<title", b"<option", b"<script", b"<style", b"<textarea")


def sign_invisible(text: str) -> str:
    """Replace each invisible character of a text with its sign."""
    if not may_hold_invisible(text):
        return text
    return replace_invisible(text, lambda char: f"\x01{ord(char):x}\x02")


def sign_in_markup(markup: str) -> str:
    """Replace the invisible characters in the texts of markup. Tags do not change."""
    if not may_hold_invisible(markup):
        return markup
    parts = re.split(r"(<[^<>]*>)", markup)
    parts[::2] = [sign_invisible(part) for part in parts[::2]]
    return "".join(parts)


def mark_signed(page: bytes) -> bytes:
    """Replace each sign of a page with a mark, or with the character where markup is not possible."""
    if b"\x01" not in page:
        return page
    parts = _TAG.split(page)
    for number, part in enumerate(parts):
        if b"\x01" in part:
            is_element = number % 2 == 0 and not (number and parts[number - 1].startswith(_TEXT_ONLY))
            parts[number] = _SIGN.sub(_mark if is_element else _character, part)
    return b"".join(parts)


def _character(match: re.Match[bytes]) -> bytes:
    return chr(int(match[1], 16)).encode("utf-8", "replace")


def _mark(match: re.Match[bytes]) -> bytes:
    char = chr(int(match[1], 16))
    # HTML does not allow control characters: only the mark is written.
    inside = b"" if char < " " or "\x7f" <= char < "\xa0" else _character(match)
    return (
        f'<bdi class="unseen" title="{described(char)}" data-code="U+{ord(char):04X}">'.encode()
        + inside
        + b"</bdi>"
    )
