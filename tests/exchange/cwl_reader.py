"""What a CWL runner makes of a tool, by the rules of the specification, not by those of the exporter."""

from typing import Any

from ruamel.yaml import YAML


def read_cwl(text: str) -> Any:
    """Return a document in YAML 1.2, which CWL is written in."""
    return YAML(typ="safe", pure=True).load(text)


def evaluated(text: str, values: dict[str, str]) -> str:
    """Return a text with the values of parameter references such as `inputs.input.path`.

    Rules of CWL v1.2, "Parameter references": a text with `$(` or `${` is an expression; in it, `\\$(` and
    `\\${` are the characters after the backslash, and `\\\\` is one backslash. cwltool removes white space
    around an expression.
    """
    if "$(" not in text and "${" not in text:
        return text
    text = text.strip()
    found = ""
    place = 0
    while place < len(text):
        if text.startswith(("\\$(", "\\${"), place):
            found += text[place + 1 : place + 3]
            place += 3
        elif text.startswith("\\\\", place):
            found += "\\"
            place += 2
        elif text.startswith("$(", place):
            end = text.index(")", place)
            found += values[text[place + 2 : end]]
            place = end + 1
        else:
            assert not text.startswith("${", place), f"JavaScript in {text!r}"
            found += text[place]
            place += 1
    return found
