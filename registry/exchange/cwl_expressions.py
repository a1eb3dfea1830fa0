"""Parameter references of the Common Workflow Language, without JavaScript.

Source: "Common Workflow Language Command Line Tool Description", v1.2.1, "Parameter references" and
"Expressions".
"""

import re
from collections.abc import Mapping

# Without limits, a text that begins many references would take time that grows with its square.
_REFERENCE = re.compile(
    r"\$\(\s{0,99}([A-Za-z_]\w{0,999}"
    r"(?:\.\w{1,999}|\[(?:'[^'$]{0,999}'|\"[^\"$]{0,999}\"|[0-9]{1,9})\]){0,99})\s{0,99}\)"
)
_STEP = re.compile(r"\[(?:'([^']*)'|\"([^\"]*)\")\]")
_PIECE = re.compile(
    rf"(?P<escaped>\\\$[({{]|\\\\)|(?P<reference>{_REFERENCE.pattern})|(?P<start>\$[({{])|(?P<char>.)",
    re.DOTALL,
)


class UnknownValueError(Exception):
    """An expression whose value is not known before a run. `reference` names its reference, if it is one."""

    def __init__(self, message: str, reference: str = "") -> None:
        super().__init__(message)
        self.reference = reference


def evaluate(text: str, values: Mapping[str, str], version: str) -> str:
    """Return a text with the values of its references, which are named as `inputs.x.path`.

    Raises UnknownValueError for other references and for JavaScript.
    """
    if "$(" not in text and "${" not in text:
        return text
    if "\\" in text and version != "v1.2":
        raise UnknownValueError(f"backslashes in {text!r} mean something else in {version}")

    def replaced(match: re.Match[str]) -> str:
        if match["escaped"]:
            return match["escaped"][1:]
        if match["start"]:
            raise UnknownValueError(f"{_short(text)} is JavaScript")
        if match["char"]:
            return match["char"]
        name = _normal(match["reference"][2:-1])
        if name not in values:
            raise UnknownValueError(f"the value of {match['reference']} is unknown before a run", name)
        return values[name]

    return _PIECE.sub(replaced, text.strip())


def whole_reference(text: str) -> str:
    """Return the name of the reference that is the whole text, or ""."""
    match = _REFERENCE.fullmatch(text.strip())
    return _normal(match[1]) if match else ""


def _normal(name: str) -> str:
    return _STEP.sub(lambda match: f".{match[1] or match[2]}", name.strip())


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
