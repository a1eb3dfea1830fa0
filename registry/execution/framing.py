"""How messages are separated in a stream, as the adapter parameter `framing` says. Pure.

netstring: https://cr.yp.to/proto/netstrings.txt. length32: four bytes, big-endian, before each message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMINGS = ("whole", "lines", "nul", "netstring", "length32")
_LENGTH_BYTES = 4
_MOST_DIGITS = 10


class Framed(NamedTuple):
    """The messages in a stream; `rest` is what follows the last complete one."""

    messages: list[bytes]
    rest: bytes


def frame(data: bytes, framing: str) -> bytes:
    """Return the stream that carries an example's input.

    With `lines`, each line of `data` is a message; otherwise all of it is one message.
    """
    if framing == "lines":
        return data if data.endswith(b"\n") or not data else data + b"\n"
    if framing == "nul":
        return data + b"\0"
    if framing == "netstring":
        return b"%d:%s," % (len(data), data)
    if framing == "length32":
        return len(data).to_bytes(_LENGTH_BYTES, "big") + data
    return data


def joined_messages(stream: bytes, framing: str) -> bytes:
    """Return the messages of a stream as one output: those of `lines` as they are, others with line feeds
    between them. An incomplete message at the end is part of it."""
    if framing in ("whole", "lines"):
        return stream
    found = _SPLITTERS[framing](stream)
    return b"\n".join([*found.messages, *([found.rest] if found.rest else [])])


def _split_nul(stream: bytes) -> Framed:
    *messages, rest = stream.split(b"\0")
    return Framed(messages, rest)


def _split_netstrings(stream: bytes) -> Framed:
    messages = []
    while stream:
        digits, colon, _ = stream[: _MOST_DIGITS + 1].partition(b":")
        start = len(digits) + 1
        end = start + int(digits) if colon and digits.isdigit() else len(stream)
        if stream[end : end + 1] != b",":
            break
        messages.append(stream[start:end])
        stream = stream[end + 1 :]
    return Framed(messages, stream)


def _split_lengths(stream: bytes) -> Framed:
    messages = []
    while len(stream) >= _LENGTH_BYTES:
        end = _LENGTH_BYTES + int.from_bytes(stream[:_LENGTH_BYTES], "big")
        if end > len(stream):
            break
        messages.append(stream[_LENGTH_BYTES:end])
        stream = stream[end:]
    return Framed(messages, stream)


_SPLITTERS: dict[str, Callable[[bytes], Framed]] = {
    "nul": _split_nul,
    "netstring": _split_netstrings,
    "length32": _split_lengths,
}
