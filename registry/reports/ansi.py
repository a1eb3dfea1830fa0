"""Colors of a terminal, as escape sequences (ECMA-48, Select Graphic Rendition)."""

from collections.abc import Callable, Mapping

Styled = Callable[[str, str], str]
"""Returns a text in the style with a name."""


def styler(codes: Mapping[str, str], *, color: bool) -> Styled:
    """Return a function that applies these styles, name to parameters; without `color`, texts stay plain."""

    def colored(text: str, style: str) -> str:
        return f"\x1b[{codes[style]}m{text}\x1b[0m"

    def plain(text: str, _style: str) -> str:
        return text

    return colored if color else plain
