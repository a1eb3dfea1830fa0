"""Hashes of passwords with argon2id (RFC 9106).

The parameters are those that the OWASP Password Storage Cheat Sheet recommends: 2 passes over 19 MiB, one
thread. One hash takes about 30 ms and 19 MiB.
"""

import base64
import secrets
import unicodedata

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

TIME_COST = 2
MEMORY_KIB = 19 * 1024
PARALLELISM = 1
# A limit on the work that a request without a login can cause.
MAX_LENGTH = 1024
"""Longest password in characters."""


class CannotVerifyError(Exception):
    """A password could not be verified, for example because memory is short."""


class Passwords:
    """Makes and verifies password hashes. Safe to use from several threads."""

    def __init__(
        self, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB, parallelism: int = PARALLELISM
    ) -> None:
        """Set the cost of new hashes. A stored hash is verified with the cost that it names."""
        self._hasher = PasswordHasher(time_cost, memory_kib, parallelism, type=Type.ID)
        # A hash that no password has. Verifying against it costs the same as against a real one.
        salt, digest = _base64(secrets.token_bytes(16)), _base64(secrets.token_bytes(32))
        self._of_unknown_user = f"$argon2id$v=19$m={memory_kib},t={time_cost},p={parallelism}${salt}${digest}"

    def hash(self, password: str) -> str:
        """Return the hash of a password in the PHC string format, with a new random salt."""
        return self._hasher.hash(_normalized(password))

    def matches(self, stored: str | None, password: str) -> bool:
        """Return True if `password` has the hash `stored`.

        None, for an unknown user, takes as long as a hash of the current cost and is never true. Raises
        CannotVerifyError.
        """
        try:
            return self._hasher.verify(stored or self._of_unknown_user, _normalized(password))
        except (VerifyMismatchError, InvalidHashError):
            return False
        except VerificationError as error:
            raise CannotVerifyError(str(error)) from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _normalized(password: str) -> bytes:
    """Return the bytes to hash: clients send the same letter in composed or decomposed form (RFC 8265)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
