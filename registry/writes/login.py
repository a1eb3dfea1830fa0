"""Login of the clients of a registry server; asynchronous, independent of the web framework.

    authenticator = Authenticator(UsersFile(path, report))
    found = await authenticator.authenticate(authorization_header, peer_address)
    if isinstance(found, Failure): answer with found.status, {"error": found.message}, found.headers
    decision = allowed(found, "write", "weather/qc")
    if not decision: answer with 403, {"error": decision.refusal}

`peer_address` is the address of the client for the counters of failed logins: that of the connection, or the
one that `TrustedProxies.client_of` returns. Behind a proxy that logs users in, call `principal_of` with the
name that `TrustedProxies.user_of` returns.

Tokens (as `Bearer`, or as the password of `Basic` with any user name) need one SHA-256 and are never slowed
down, because 256 random bits cannot be guessed. Passwords (`Basic`) are verified in two threads; verified
headers are remembered for five minutes, or until the users file changes.
"""

import asyncio
import base64
import binascii
import hmac
import math
import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from registry.writes.failed_logins import BoundedMap, FailedLogins
from registry.writes.passwords import MAX_LENGTH, CannotVerifyError, Passwords
from registry.writes.users import Principal, User, Users, looks_like_token, time_text
from registry.writes.users_file import UsersFile

REALM = "registry"
VERIFIED_FOR_S = 5 * 60.0
"""Time in seconds for which a verified header needs no further verification."""
MOST_VERIFICATIONS = 2
"""Number of passwords that are verified at the same time: each takes 19 MiB and one core."""
MOST_WAITING = 128
"""Number of logins that may wait for a verification; more are answered with 503."""
_MOST_VERIFIED = 4096
_CHALLENGE = MappingProxyType({"www-authenticate": f'Basic realm="{REALM}"'})


@dataclass(frozen=True, slots=True)
class Failure:
    """A login that failed: the status of the answer (401, 403, 429 or 503), one sentence, and headers."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Verified:
    user: User
    until: float


class Authenticator:
    """Finds the principal of a request. Use it from one event loop."""

    def __init__(
        self,
        users: UsersFile,
        passwords: Passwords | None = None,
        failed: FailedLogins | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` returns seconds for the memory of verified headers, `now` the time for expiry of tokens."""
        self._file = users
        self._passwords = passwords if passwords is not None else Passwords()
        self._failed = failed if failed is not None else FailedLogins()
        self._clock = clock
        self._now = now
        # A plain fast digest of a password could be guessed offline. With a key of this process it is useless
        # elsewhere.
        self._key = secrets.token_bytes(32)
        self._seen: Users | None = None
        self._verified: BoundedMap[_Verified] = BoundedMap(_MOST_VERIFIED)
        self._pending: dict[tuple[bytes, str], asyncio.Task[Principal | Failure]] = {}
        self._slots = asyncio.Semaphore(MOST_VERIFICATIONS)
        self._threads = ThreadPoolExecutor(MOST_VERIFICATIONS, thread_name_prefix="password")

    async def authenticate(self, authorization: str | None, peer_address: str) -> Principal | Failure:
        """Return the principal of an `Authorization` header (None: no header), or the failure to answer with.

        Never raises for the content of the header.
        """
        users = self._current()
        scheme, _, credentials = (authorization or "").strip().partition(" ")
        credentials = credentials.strip()
        if scheme.lower() == "bearer":
            return self._by_token(users, credentials)
        if scheme.lower() != "basic":
            return _unauthorized("this request needs a login: send a token, or a user name and a password")
        found = _name_and_password(credentials)
        if found is None:
            return _unauthorized("the header Authorization is malformed")
        name, password = found
        # Tools such as git and curl send only user and password. The form decides, so a token never costs a
        # slow hash.
        if looks_like_token(password):
            return self._by_token(users, password)
        return await self._by_password(name, password, peer_address)

    def principal_of(self, name: str) -> Principal | Failure:
        """Return the principal of a user whom a trusted proxy has logged in; status 403 for unknown names."""
        user = self._current().users.get(name)
        return Principal(user) if user is not None else Failure(403, "this user is not in the users file")

    def _current(self) -> Users:
        users = self._file.current
        # A changed file can have removed a user or a password, so nothing that was verified before counts any
        # more.
        if users is not self._seen:
            self._seen = users
            self._verified.clear()
        return users

    def _by_token(self, users: Users, text: str) -> Principal | Failure:
        token = users.token_of(text)
        if token is None:
            return _unauthorized("this token is unknown")
        if token.is_expired(self._now()):
            assert token.expires is not None
            return _unauthorized(f"the token {token.name} expired at {time_text(token.expires)}")
        return Principal(users.users[token.user], token)

    async def _by_password(self, name: str, password: str, address: str) -> Principal | Failure:
        # The name has no colon, so the pair has one form only.
        digest = hmac.digest(self._key, f"{name}:{password}".encode("utf-8", "surrogatepass"), "sha256")
        verified = self._verified.get(digest)
        if verified is not None and verified.until > self._clock():
            return Principal(verified.user)
        wait_s = self._failed.wait_s(name, address)
        if wait_s:
            return _slowed_down(wait_s)
        # Equal requests that arrive together share one verification.
        task = self._pending.get((digest, address))
        if task is None:
            if len(self._pending) >= MOST_WAITING:
                return Failure(503, "too many logins at once; try again", {"retry-after": "1"})
            task = asyncio.create_task(self._verify(digest, name, password, address))
            self._pending[digest, address] = task
            task.add_done_callback(lambda _: self._pending.pop((digest, address)))
        # The verification goes on if this client disconnects: others may wait for it.
        return await asyncio.shield(task)

    async def _verify(self, digest: bytes, name: str, password: str, address: str) -> Principal | Failure:
        async with self._slots:
            wait_s = self._failed.wait_s(name, address)  # others may have failed while this one waited
            if wait_s:
                return _slowed_down(wait_s)
            # None for an unknown user: the hash is computed all the same, so that the time does not reveal
            # which users exist.
            stored = self._stored_password(name)
            loop = asyncio.get_running_loop()
            try:
                is_right = await loop.run_in_executor(
                    self._threads, self._passwords.matches, stored, password
                )
            except CannotVerifyError:
                return Failure(503, "the password cannot be verified now; try again", {"retry-after": "5"})
            # The users file may have changed meanwhile.
            user = self._current().users.get(name)
            if user is None or not is_right or user.password != stored:
                self._failed.failed(name, address)
                return _unauthorized("user name or password is wrong")
        self._failed.succeeded(name, address)
        # Only successes are remembered: a wrong password must cost the full time at each attempt.
        self._verified.put(digest, _Verified(user, self._clock() + VERIFIED_FOR_S))
        return Principal(user)

    def _stored_password(self, name: str) -> str | None:
        user = self._current().users.get(name)
        return user.password if user is not None else None


def _name_and_password(credentials: str) -> tuple[str, str] | None:
    """Return user name and password of Basic credentials (RFC 7617), or None if they are malformed."""
    try:
        data = base64.b64decode(credentials, validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # older clients send ISO-8859-1
    name, colon, password = text.partition(":")
    return (name, password) if colon and 0 < len(password) <= MAX_LENGTH else None


def _unauthorized(message: str) -> Failure:
    return Failure(401, message, _CHALLENGE)


def _slowed_down(wait_s: float) -> Failure:
    seconds = math.ceil(wait_s)
    return Failure(429, f"too many failed logins; try again in {seconds} s", {"retry-after": str(seconds)})
