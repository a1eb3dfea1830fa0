"""Slows down guessing of passwords, per user and per address; no user is ever locked out for good.

Each failure beyond the free ones doubles the time until the next attempt, up to a minute. A user who has
logged in from an address before is not slowed down there by failures from other addresses. Memory is bounded:
the counters that were used least recently are dropped.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Generic, TypeVar

from registry.model.ip_addresses import parse_address

FREE_PER_USER = 5
"""Failures of one user that cause no wait."""
FREE_PER_ADDRESS = 20
"""Failures from one address that cause no wait: several users may share it."""
LONGEST_WAIT_S = 60.0
"""Longest time between two attempts in seconds."""
FORGOTTEN_AFTER_S = 15 * 60.0
"""Time in seconds without a failure after which a counter starts again."""
# About a megabyte at most; an attacker with more addresses only displaces the oldest counters.
MOST_COUNTERS = 4096
# A network of this size is the smallest that a site gets, so one client has all of its addresses (RFC 6177).
_IPV6_PREFIX = 64

Value = TypeVar("Value")


class BoundedMap(Generic[Value]):
    """A map that drops the entry used least recently when it is full."""

    def __init__(self, most: int) -> None:
        """Keep at most `most` entries."""
        self._most = most
        self._entries: OrderedDict[Hashable, Value] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    def get(self, key: Hashable) -> Value | None:
        """Return the value of `key`, or None; the entry counts as used."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key]

    def put(self, key: Hashable, value: Value) -> None:
        """Store a value, and drop the oldest entry if there are too many."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def drop(self, key: Hashable) -> None:
        """Remove an entry if it exists."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()


@dataclass(slots=True)
class _Counter:
    failures: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


class FailedLogins:
    """Counters of failed logins. Not safe to use from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST_COUNTERS) -> None:
        """`clock` returns seconds. At most `most` users, addresses and pairs of both are kept."""
        self._clock = clock
        self._of_users: BoundedMap[_Counter] = BoundedMap(most)
        self._of_addresses: BoundedMap[_Counter] = BoundedMap(most)
        self._known_pairs: BoundedMap[bool] = BoundedMap(most)

    def wait_s(self, user: str, address: str) -> float:
        """Return the time in seconds until the next attempt is allowed; 0 for now."""
        who, where = _key_of_user(user), _key_of_address(address)
        counters = [self._of_addresses.get(where)]
        # Otherwise a stranger could keep a user out by failing with the user's name all day.
        if self._known_pairs.get((who, where)) is None:
            counters.append(self._of_users.get(who))
        now = self._clock()
        return max([0.0, *(one.blocked_until - now for one in counters if one is not None)])

    def failed(self, user: str, address: str) -> None:
        """Count one failed attempt."""
        self._count(self._of_users, _key_of_user(user), FREE_PER_USER)
        self._count(self._of_addresses, _key_of_address(address), FREE_PER_ADDRESS)

    def succeeded(self, user: str, address: str) -> None:
        """Forget the failures of the user.

        Those of the address stay: an attacker may have an account of his own.
        """
        who = _key_of_user(user)
        self._of_users.drop(who)
        self._known_pairs.put((who, _key_of_address(address)), True)

    def _count(self, counters: BoundedMap[_Counter], key: Hashable, free: int) -> None:
        now = self._clock()
        counter = counters.get(key)
        if counter is None or now - counter.last > FORGOTTEN_AFTER_S:
            counter = _Counter()
        counter.failures += 1
        counter.last = now
        if counter.failures > free:
            # The exponent is limited before the power is computed: a counter may grow for days.
            doublings = min(counter.failures - free - 1, 10)
            counter.blocked_until = now + min(2.0**doublings, LONGEST_WAIT_S)
        counters.put(key, counter)


def _key_of_user(user: str) -> bytes:
    """Return a key of fixed size: a client may send a name of 64 KiB."""
    return hashlib.blake2b(user.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _key_of_address(address: str) -> Hashable:
    found = parse_address(address)
    if isinstance(found, IPv6Address):
        return IPv6Network((found, _IPV6_PREFIX), strict=False)
    return found if found is not None else _key_of_user(address)
