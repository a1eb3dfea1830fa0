"""How the message of a single process is passed: as a standard stream, or as a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.exchange.fields import adapter
from registry.model.values import map_of, text_of

INPUT_FILE = "${input_file}"
OUTPUT_FILE = "${output_file}"
_DEFAULT_STREAMS = {"input": "STDIN", "output": "STDOUT"}


@dataclass(frozen=True, slots=True)
class MessageFile:
    """The message that one run gets or gives. `side` is `input` or `output`.

    It is the standard stream with the name `stream`, or the file at `path`: a placeholder, which each run
    replaces by another path that ends in `suffix`, or a fixed path.
    """

    side: str
    stream: str = ""
    path: str = ""
    suffix: str = ""

    @property
    def is_placeholder(self) -> bool:
        """True if each run has a file of its own."""
        return self.path in (INPUT_FILE, OUTPUT_FILE)

    @property
    def is_fixed(self) -> bool:
        """True if all runs have a file with the same path."""
        return bool(self.path) and not self.is_placeholder


def message_file(document: Mapping[str, Any], side: str) -> MessageFile | None:
    """Return how the message of the `input` or the `output` of a definition is passed.

    None: there is no message, or it is passed in another way. Without an adapter, it is a standard stream.
    """
    if f"{side}_adapter" not in map_of(document.get("definition")):
        return MessageFile(side, stream=_DEFAULT_STREAMS[side])
    type_, parameters = adapter(document, side)
    if type_ != "file":
        return None
    if parameters.get("file_type") == "stream":
        return MessageFile(side, stream=text_of(parameters.get("stream_name")) or _DEFAULT_STREAMS[side])
    path = text_of(parameters.get("file_path", parameters.get("file")))
    return MessageFile(side, path=path, suffix=text_of(parameters.get("suffix"))) if path else None
