"""HTTP connections with limits on times, sizes and their number.

uvicorn has no such limits with httptools: a client that sends one byte a minute, or nothing, would keep its
connection open forever.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum
from json import dumps
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from registry.errors import UsageError

if TYPE_CHECKING:
    from asyncio import Transport

HEADERS_WITHIN_S = 10.0
"""Time limit for the headers of a request in seconds, from the connection or from the last answer."""
BODY_WITHIN_S = 20.0
"""Time limit for the body of a request in seconds, from the end of its headers."""
READ_WITHIN_S = 60.0
"""Time in seconds for which a client may read nothing of an answer."""
MOST_HEADER_BYTES = 64 * 1024
MOST_BODY_BYTES = 2 * 1024 * 1024
MOST_DISCARDED_BYTES = 128 * 1024 * 1024
"""Most bytes of a body that are discarded after the answer: many clients read it only after sending all."""
MOST_CONNECTIONS = 256
# Minimum number of open files: for git processes, the cache, templates, file events and a few connections.
_FEWEST_FILES = 64
_LATE = ("408 Request Timeout", "the request took too long")
_LARGE_HEADERS = ("431 Request Header Fields Too Large", "address and headers are too long")
_LARGE_BODY = ("413 Content Too Large", "the body is too long")
_BUSY = ("503 Service Unavailable", "too many connections; try again")
_MALFORMED = ("400 Bad Request", "the request is not valid HTTP")


class _Receiving(Enum):
    """What the server expects from the client next. The value is the time limit in seconds, or None."""

    HEADERS = HEADERS_WITHIN_S
    BODY = BODY_WITHIN_S
    NOTHING = None


def connection_limit() -> int:
    """Return the number of connections that this process can serve.

    This is `MOST_CONNECTIONS` or half of the allowed number of open files, whichever is less. Raises the soft
    limit on open files as far as the system permits. Raises UsageError when the limit is too low for a
    server.
    """
    try:
        import resource
    except ImportError:  # Windows
        return MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 4 * MOST_CONNECTIONS and soft != hard:
        wanted = 4 * MOST_CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 4 * MOST_CONNECTIONS)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    if soft < _FEWEST_FILES:
        message = f"too few open files are allowed: the limit is {soft}, and a server needs {_FEWEST_FILES}"
        raise UsageError(message, "raise the limit: `ulimit -n 1024`")
    # The other half is for git processes with their pipes, the cache and files that are read.
    return min(MOST_CONNECTIONS, soft // 2)


class LimitedProtocol(HttpToolsProtocol):
    """One HTTP connection with limits.

    `enforce_times` is called about once a second for each connection.
    """

    most_connections = MOST_CONNECTIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes the arguments of uvicorn's protocol."""
        super().__init__(*args, **kwargs)
        self._receiving = _Receiving.HEADERS
        self._since = self.loop.time()
        self._received = 0
        self._without_content = 0
        self._unsent = 0
        self._unsent_since = self._since

    @property
    def is_idle(self) -> bool:
        """True while no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Accept the connection; when there are too many, close the connection that has been idle longest."""
        super().connection_made(transport)
        self._expect(_Receiving.HEADERS)
        others = [
            one
            for one in self.connections
            if one is not self and isinstance(one, LimitedProtocol) and not one.transport.is_closing()
        ]
        if len(others) < self.most_connections:
            return
        idle = [one for one in others if one.is_idle]
        # An idle connection loses nothing: its client opens another one with the next request.
        if idle:
            min(idle, key=lambda one: one._since).transport.abort()
        else:
            self._end(_BUSY)

    def data_received(self, data: bytes) -> None:
        """Parse received data, or reject the request when it is too large."""
        if self.transport.is_closing():
            return
        is_headers = self._receiving is _Receiving.HEADERS
        most_body = MOST_DISCARDED_BYTES if self.is_idle else MOST_BODY_BYTES
        # Count only earlier data: a short request and a long body may arrive in one piece.
        if self._received > (MOST_HEADER_BYTES if is_headers else most_body):
            self._end(_LARGE_HEADERS if is_headers else _LARGE_BODY)
            return
        # Fields after a body, and extensions of its chunks, would be kept or cost time.
        if self._without_content > MOST_HEADER_BYTES:
            self._end(_LARGE_HEADERS)
            return
        before = self._receiving
        self._without_content += len(data)
        super().data_received(data)
        if self._receiving is before:
            self._received += len(data)

    def on_headers_complete(self) -> None:
        """Switch to the time limit for the body."""
        super().on_headers_complete()
        self._expect(_Receiving.BODY)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, or discard it after the answer."""
        self._without_content = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete: stop its time limit."""
        super().on_message_complete()
        self._expect(_Receiving.NOTHING)
        self._expect_next()

    def on_response_complete(self) -> None:
        """The answer is complete: expect the next request."""
        super().on_response_complete()
        self._expect_next()

    def _expect(self, what: _Receiving) -> None:
        self._receiving, self._since = what, self.loop.time()
        self._received = self._without_content = 0

    def _expect_next(self) -> None:
        if self._receiving is _Receiving.NOTHING and self.is_idle:
            self._expect(_Receiving.HEADERS)

    def enforce_times(self) -> None:
        """Close the connection when the client takes too long to send or to read."""
        now = self.loop.time()
        unsent = self.transport.get_write_buffer_size()
        # Any progress counts, so a slow client with a long answer is not ended.
        if unsent == 0 or unsent < self._unsent:
            self._unsent_since = now
        self._unsent = unsent
        if now - self._unsent_since > READ_WITHIN_S:
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif self._receiving.value is not None and now - self._since > self._receiving.value:
            self._end(_LATE)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not valid HTTP."""
        del msg
        self.transport.write(_error_answer(*_MALFORMED))
        self.transport.close()

    def _end(self, why: tuple[str, str]) -> None:
        """Close the connection, after an error answer if the client waits for one and none has begun."""
        waits = (
            bool(self._received) if self._receiving is _Receiving.HEADERS else not self.cycle.response_started
        )
        if waits or why is _BUSY:
            self.transport.write(_error_answer(*why))
        self.transport.close()


def _error_answer(status: str, message: str) -> bytes:
    """Return a whole answer, of the same form as all errors of the API."""
    body = dumps({"error": message})
    headers = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
    return f"HTTP/1.1 {status}\r\n{headers}\r\n{body}".encode()
