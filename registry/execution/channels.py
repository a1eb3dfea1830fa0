"""How the message of a run reaches a process, and where its output is, as its adapters say. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from registry.check.placeholders import PLACEHOLDERS
from registry.execution.framing import FRAMINGS
from registry.model.adapter import adapter_parameters, size_in_bytes
from registry.model.values import map_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_STREAM_OF = {"input": "STDIN", "output": "STDOUT"}


class Medium(StrEnum):
    """What carries a message: a standard stream, a file, a stream of framed messages, or nothing."""

    STREAM = "stream"
    FILE = "file"
    FRAMED = "framed"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Channel:
    """One side of a process.

    `stream` is the name of its standard stream, `path` that of its file: the placeholder of the side, or a
    path relative to the working directory. `suffix` ends the name of the file for a placeholder. `framing`
    separates the messages of a service. `most_bytes` is the largest message that the adapter passes on.
    """

    medium: Medium
    stream: str = ""
    path: str = ""
    suffix: str = ""
    framing: str = "whole"
    most_bytes: float = math.inf


class CannotTryError(Exception):
    """A definition whose messages are passed in a way that a single run on this host cannot provide.

    `reason` is for the user.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


def channels_of(inside: Mapping[str, Any]) -> tuple[Channel, Channel]:
    """Return how input and output of a definition are passed; `inside` is the content of `definition`.

    Without an adapter, a single process reads one message from standard input and writes its answer to
    standard output. Raises CannotTryError.
    """
    is_service = inside.get("process_type") == "service"
    if is_service and not any(isinstance(inside.get(f"{side}_adapter"), dict) for side in _STREAM_OF):
        raise CannotTryError("it is a service without adapters: how messages reach it is unknown")
    found = [_channel(side, inside, is_service=is_service) for side in _STREAM_OF]
    return found[0], found[1]


def _channel(side: str, inside: Mapping[str, Any], *, is_service: bool) -> Channel:
    adapter = inside.get(f"{side}_adapter")
    if not isinstance(adapter, dict):
        return Channel(Medium.NOTHING) if is_service else Channel(Medium.STREAM, _STREAM_OF[side])
    kind, params = text_of(adapter.get(f"{side}_type")), adapter_parameters(side, map_of(adapter))
    if kind == "none":
        return Channel(Medium.NOTHING)
    most = size_in_bytes(params.get("max_message_size"))
    if kind == "file" and not is_service:
        return replace(_file_channel(side, params, has_cwd="cwd" in inside), most_bytes=most)
    if kind == "stream" and is_service:
        stream = text_of(params.get("stream_name")) or _STREAM_OF[side]
        framing = text_of(params.get("framing")) or "lines"
        if framing not in FRAMINGS:
            raise CannotTryError(f"its {side} adapter has the unknown framing `{framing}`")
        return Channel(Medium.FRAMED, stream, framing=framing, most_bytes=most)
    process = "service" if is_service else "single process"
    raise CannotTryError(f"its {side} adapter is `{kind}`, which cannot be tried with a {process}")


def _file_channel(side: str, params: Mapping[str, Any], *, has_cwd: bool) -> Channel:
    """Return the channel of a message that is a file.

    A fixed path of the host is refused: a trial must not replace its files.
    """
    if "stream_name" in params:
        return Channel(Medium.STREAM, text_of(params["stream_name"]))
    path = text_of(params.get("file_path")) or text_of(params.get("file"))
    if path == PLACEHOLDERS[side]:
        return Channel(Medium.FILE, path=path, suffix=text_of(params.get("suffix")))
    if not path:
        raise CannotTryError(f"its {side} adapter names no file")
    if has_cwd or path.startswith("/") or ".." in path.split("/"):
        raise CannotTryError(
            f"its {side} adapter names the file {path} of the host, which a trial must not touch"
        )
    return Channel(Medium.FILE, path=path)
