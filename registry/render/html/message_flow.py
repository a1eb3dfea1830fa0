"""Texts of the drawing of a process: where messages come from, what handles them, where they go."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from registry.model.adapter import adapter_parameters
from registry.model.characters import replace_invisible
from registry.model.values import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry.render.html.filled_template import Texts

# How many columns of text fit into a box of the drawing.
_WIDTH = 34
_STREAMS = {"STDIN": "standard input", "STDOUT": "standard output", "STDERR": "standard error"}
_DEFAULTS = {"input": _STREAMS["STDIN"], "output": _STREAMS["STDOUT"]}
# Parameters that tell where messages are, the most telling first, and how they read.
_PLACES = {
    "stream_name": "{}",
    "file_path": "{}",
    "file": "{}",
    "pipe_path": "{}",
    "url": "{}",
    "tcp_port": "TCP port {}",
    "udp_port": "UDP port {}",
}


def flow_texts(inside: Mapping[str, Any]) -> Texts:
    """Return the texts of the drawing for the content of `definition`, and its text alternative."""
    program = text_of(inside.get("exec"))
    kind = text_of(inside.get("process_type")) or "single"
    sides = {side: _side(side, inside.get(f"{side}_adapter")) for side in ("input", "output")}
    (input_type, input_place), (output_type, output_place) = sides.values()
    return {
        "flow.text": _visible(
            f"Input: {_joined(input_type, input_place)}. Process: {program}, {kind}. "
            f"Output: {_joined(output_type, output_place)}."
        ),
        "flow.input": _fitting(f"Input: {input_type}"),
        "flow.input_place": _fitting(input_place),
        "flow.program": _fitting(program, keeps_end=True),
        "flow.process": _fitting(kind),
        "flow.output": _fitting(f"Output: {output_type}"),
        "flow.output_place": _fitting(output_place),
    }


def no_flow() -> Texts:
    """Return the texts of a page without a drawing."""
    return dict.fromkeys(flow_texts({}), "")


def _side(side: str, adapter: Any) -> tuple[str, str]:
    """Return the type of an adapter, and where its messages are."""
    if not isinstance(adapter, dict):
        return "default", _DEFAULTS[side]
    params = adapter_parameters(side, adapter)
    found = next(
        (
            form.format(_STREAMS.get(str(params[key]), params[key]))
            for key, form in _PLACES.items()
            if key in params
        ),
        "",
    )
    return text_of(adapter.get(f"{side}_type")), found


def _joined(kind: str, place: str) -> str:
    return ", ".join(filter(None, (kind, place)))


def _fitting(text: str, *, keeps_end: bool = False) -> str:
    """Return the text on one line, shortened at its end or its start to the width of a box."""
    text = " ".join(_visible(text).split())
    if len(text) <= _WIDTH and text.isascii():
        return text
    if sum(map(_columns, text)) <= _WIDTH:
        return text
    kept, width = "", 1
    for char in reversed(text) if keeps_end else text:
        width += _columns(char)
        if width > _WIDTH:
            break
        kept += char
    return f"…{kept[::-1]}" if keeps_end else f"{kept}…"


def _columns(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _visible(text: str) -> str:
    """Return the text with invisible characters by their code: the marks of pages are not possible in SVG."""
    return replace_invisible(text, lambda char: f"[U+{ord(char):04X}]")
