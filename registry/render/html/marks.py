"""Marks on pages for characters that are not seen: such a character is shown as what it is, and cannot turn the text around it.

While a page is made, a sign stands for each (its code point between U+0001 and U+0002), because only the whole page tells whether
it is in an element, where markup can stand, or in an attribute or a title.
"""

from __future__ import annotations

import re

from registry.model.characters import described, may_hold_invisible, replace_invisible

_SIGN = re.compile(rb"\x01([0-9a-f]{1,6})\x02")
_TAG = re.compile(rb"(<[^<>]*>)")
# Elements that hold text alone.
_TEXT_ONLY = (b"<title", b"<option", b"<script", b"<style", b"<textarea")


def sign_invisible(text: str) -> str:
    """Text with a sign for each character that is not seen."""
    if not may_hold_invisible(text):
        return text
    return replace_invisible(text, lambda char: f"\x01{ord(char):x}\x02")


def sign_in_markup(markup: str) -> str:
    """The same for the texts in markup, tags left as they are."""
    if not may_hold_invisible(markup):
        return markup
    parts = re.split(r"(<[^<>]*>)", markup)
    parts[::2] = [sign_invisible(part) for part in parts[::2]]
    return "".join(parts)


def mark_signed(page: bytes) -> bytes:
    """A whole page with a mark in place of each sign; the character itself where no markup can stand."""
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
    # A control character is no character of HTML: its mark stands for it.
    inside = b"" if char < " " or "\x7f" <= char < "\xa0" else _character(match)
    return (
        f'<bdi class="unseen" title="{described(char)}" data-code="U+{ord(char):04X}">'.encode()
        + inside
        + b"</bdi>"
    )
