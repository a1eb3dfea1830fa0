"""Requests with an `Idempotency-Key` that were carried out in the last 24 hours.

Each is also a trailer of its commit, so that it survives a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from registry.writes.requests import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.writes.batch import WriteStep

IDEMPOTENCY_KEY = "Idempotency-Key"
KEPT_S = 24 * 60 * 60
# About one key per second over the 24 hours; more are dropped, oldest first, to bound the memory.
MOST_KEYS_KEPT = 100_000


class CarriedOut(NamedTuple):
    """A request that was carried out: its digest, and the revision that it made."""

    digest: str
    operation: Operation
    kind: str
    id: int
    revision: int


UserKey = tuple[str, str]
"""The name of a user, and the `Idempotency-Key` of a request."""


def trailer_of(step: WriteStep) -> str:
    """Return the line of a commit message that keeps the key of a step."""
    request = step.request
    place = f"{step.kind}/{step.id}/{step.number}"
    # Words are separated by spaces. A user name can contain one, so it is quoted; keys cannot.
    words = (request.idempotency_key, quote(request.user), request.operation.value, place, request.digest)
    return f"{IDEMPOTENCY_KEY}: {' '.join(words)}"


def carried_out_by(step: WriteStep) -> CarriedOut:
    """Return what to remember of a step."""
    return CarriedOut(step.request.digest, step.request.operation, step.kind, step.id, step.number)


def _parsed(line: str) -> tuple[UserKey, CarriedOut] | None:
    """Return user, key and request in a line of a commit message, or None if it has none."""
    name, _, value = line.partition(": ")
    words = value.split(" ")
    if name != IDEMPOTENCY_KEY or len(words) != 5:
        return None
    key, user, operation, place, digest = words
    try:
        kind, number, revision = place.split("/")
        found = CarriedOut(digest, Operation(operation), kind, int(number), int(revision))
    except ValueError:
        return None  # written by hand
    return (unquote(user), key), found


class CarriedOutRequests:
    """Requests by user and key. One thread uses them."""

    def __init__(self) -> None:
        """Start empty."""
        self._kept: OrderedDict[UserKey, tuple[float, CarriedOut]] = OrderedDict()

    def get(self, key: UserKey, now: float) -> CarriedOut | None:
        """Return the request with a key, or None for a key that is new or too old at `now` (Unix time)."""
        found = self._kept.get(key)
        return found[1] if found is not None and now - found[0] <= KEPT_S else None

    def add(self, key: UserKey, request: CarriedOut, when: float) -> None:
        """Keep a request that was carried out at a time (Unix time)."""
        self._kept[key] = (when, request)
        # A repeated key counts from its last use, and the loop below removes from the other end.
        self._kept.move_to_end(key)
        while len(self._kept) > MOST_KEYS_KEPT:
            self._kept.popitem(last=False)

    def add_messages(self, messages: Iterable[tuple[int, str]]) -> None:
        """Keep the requests in commit messages, each with its time."""
        for when, message in messages:
            for line in message.splitlines():
                found = _parsed(line)
                if found is not None:
                    self.add(*found, when)
