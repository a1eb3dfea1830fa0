"""The objects of a store below a prefix, through obstore: bounded concurrency, and errors in one line.

Texts of errors are made here from codes and status numbers. Those of a store can contain what was signed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from registry.errors import RegistryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from obstore import Attributes
    from obstore.store import ObjectStore, S3Config

_AT_ONCE = 16
_PER_LISTING = 1000
_RETRIES = 6
# Together they bound the time between two signs of life of a publication (publication_log).
_RETRY_LIMIT_S = 60
_REQUEST_LIMIT_S = 90

_Item = TypeVar("_Item")

_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
# With one of them, the library asks AWS for a key: in a CI job, a container or on a machine of AWS.
_OTHER_CREDENTIALS = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_METADATA_ENDPOINT",
)
# Stores that do not know If-None-Match.
_UNKNOWN_CONDITION = ("400", "501")

_ADDRESS = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,254})(?:/(?P<prefix>[^?#]*))?\Z")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_WRONG_CREDENTIALS = (
    "the store does not accept the credentials",
    "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
)
_FORBIDDEN = (
    "access is denied",
    "the key needs the rights to list the bucket, and to read, write and delete its objects",
)
_OTHER_REGION = ("the bucket is in another region", "set AWS_REGION")
_BUSY = ("the store is overloaded", "publish again later")
_BY_CODE = {
    "NoSuchBucket": ("there is no such bucket", "create it, or correct the name"),
    "AccessDenied": _FORBIDDEN,
    "InvalidAccessKeyId": _WRONG_CREDENTIALS,
    "SignatureDoesNotMatch": _WRONG_CREDENTIALS,
    "InvalidToken": _WRONG_CREDENTIALS,
    "ExpiredToken": ("the credentials have expired", "get new ones"),
    "RequestTimeTooSkewed": ("the clocks of the store and of this machine differ", "set the clock"),
    "PermanentRedirect": _OTHER_REGION,
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "SlowDown": _BUSY,
    "QuotaExceeded": ("the quota of the store is used up", "publish again when there is room"),
}
_BY_STATUS = {"301": _OTHER_REGION, "401": _WRONG_CREDENTIALS, "403": _FORBIDDEN, "503": _BUSY}
_LOST = ("the connection failed", "publish again: what was uploaded is not uploaded twice")
_BY_FAILURE = {
    "redirect without LOCATION": _OTHER_REGION,
    "kind: Connect": ("the store cannot be reached", "check AWS_ENDPOINT_URL and the network"),
    "kind: Timeout": ("the store does not answer in time", _LOST[1]),
    "kind: Request": _LOST,
    "kind: Interrupted": _LOST,
}


class StoredObject(NamedTuple):
    """An object as a listing shows it; `path` is below the prefix, `written` by the clock of the store."""

    path: str
    size: int
    etag: str | None
    written: datetime


class Bucket:
    """The objects of a store below a prefix. Methods raise RegistryError if the store refuses or fails."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        """`store` begins at the prefix, `name` is for messages."""
        self._store = store
        self.name = name

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, FileNotFoundError, PermissionError, NotImplementedError) as error:
            what, hint = _explanation(str(error))
            # Without the cause, which a report of an own bug would print.
            raise RegistryError(f"{self.name}: {what}", hint) from None

    def read(self, path: str) -> bytes | None:
        """Return the content of an object, None if there is none."""
        with self._clear_errors():
            try:
                return bytes(obstore.get(self._store, path).bytes())
            except FileNotFoundError as error:
                if _is_about_bucket(error):
                    raise
                return None

    async def read_later(self, path: str) -> bytes | None:
        """Like `read`, while other requests run."""
        with self._clear_errors():
            try:
                found = await obstore.get_async(self._store, path)
                return bytes(await found.bytes_async())
            except FileNotFoundError as error:
                if _is_about_bucket(error):
                    raise
                return None

    def create(self, path: str, data: bytes) -> bool:
        """Write an object that must not exist; False if it exists.

        A store that ignores the condition (If-None-Match) overwrites it.
        """
        with self._clear_errors():
            try:
                obstore.put(self._store, path, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

    def refuses_second_creation(self, probe: str) -> bool:
        """Create the same object twice, and return whether the store refused the second creation."""
        self.delete([probe])
        with self._clear_errors():
            try:
                for _ in range(2):
                    obstore.put(self._store, probe, b"probe\n", mode="create", use_multipart=False)
            except AlreadyExistsError:
                return True
            except (BaseError, NotImplementedError) as error:
                if _status_in(str(error)) not in _UNKNOWN_CONDITION:
                    raise
        return False

    def write(self, path: str, data: bytes) -> None:
        """Write an object."""
        with self._clear_errors():
            obstore.put(self._store, path, data, use_multipart=False)

    async def write_later(self, path: str, data: bytes, attributes: Attributes | None = None) -> str | None:
        """Write an object while other requests run. Return its ETag."""
        with self._clear_errors():
            done = await obstore.put_async(
                self._store, path, data, attributes=attributes, use_multipart=False
            )
            return done["e_tag"]

    async def copy_later(self, path: str, to: str) -> bool:
        """Copy an object inside the store; False if it does not exist."""
        with self._clear_errors():
            try:
                await obstore.copy_async(self._store, path, to)
            except FileNotFoundError as error:
                if _is_about_bucket(error):
                    raise
                return False
            return True

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects; missing ones are no error."""
        wanted = list(paths)
        for start in range(0, len(wanted), _PER_LISTING):
            with self._clear_errors():
                obstore.delete(self._store, wanted[start : start + _PER_LISTING])

    def list(self, folder: str | None = None) -> Iterator[StoredObject]:
        """Yield the objects below a folder, or all."""
        with self._clear_errors():
            for some in obstore.list(self._store, folder, chunk_size=_PER_LISTING):
                for one in some:
                    yield StoredObject(one["path"], one["size"], one["e_tag"], one["last_modified"])


async def for_each(items: Iterable[_Item], work: Callable[[_Item], Awaitable[object]]) -> None:
    """Run `work` on all items, a few at once. The first error ends it and is raised."""
    remaining = iter(items)

    async def take_and_work() -> None:
        for item in remaining:
            await work(item)

    tasks = [asyncio.create_task(take_and_work()) for _ in range(_AT_ONCE)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def open_s3(address: str, environment: Mapping[str, str]) -> Bucket:
    """Open `s3://bucket/prefix` with the usual variables of AWS, in `environment`.

    Raises UsageError for an invalid address, an endpoint without TLS that is not on this machine, and missing
    credentials.
    """
    found = _ADDRESS.match(address)
    prefix = (found["prefix"] or "").strip("/") if found else ""
    if found is None or any(part in ("", ".", "..") for part in prefix.split("/") if prefix):
        raise UsageError(f"{address!r} is not the address of a bucket", "as in s3://bucket/prefix")
    endpoint = next((environment[name] for name in _ENDPOINT_VARIABLES if environment.get(name)), None)
    _require_credentials(environment, is_aws=endpoint is None)
    is_http = endpoint is not None and _allows_http(endpoint, environment)
    try:
        store = S3Store(
            found["bucket"],
            prefix=prefix or None,
            config=_config(endpoint, environment),
            client_options={
                "allow_http": is_http,
                "connect_timeout": timedelta(seconds=10),
                "timeout": timedelta(seconds=_REQUEST_LIMIT_S),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_LIMIT_S)},
        )
    except (BaseError, ValueError):
        raise UsageError(
            f"{address} cannot be opened", "check the variables AWS_ENDPOINT_URL and AWS_REGION"
        ) from None
    return Bucket(store, f"the bucket {address.rstrip('/')}")


def _require_credentials(environment: Mapping[str, str], *, is_aws: bool) -> None:
    """Raise UsageError without credentials: the library would ask a machine of AWS for them."""
    has_key = environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY")
    if not has_key and not (is_aws and any(environment.get(name) for name in _OTHER_CREDENTIALS)):
        raise UsageError(
            "there are no credentials for the bucket", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )


def _config(endpoint: str | None, environment: Mapping[str, str]) -> S3Config:
    """Return the settings of the store. The library reads other variables of AWS itself."""
    config: S3Config = {"conditional_put": "etag"}
    if endpoint is not None:
        config["endpoint"] = endpoint
    if key_id := environment.get("AWS_ACCESS_KEY_ID"):
        config["access_key_id"] = key_id
        config["secret_access_key"] = environment.get("AWS_SECRET_ACCESS_KEY", "")
    if token := environment.get("AWS_SESSION_TOKEN"):
        config["session_token"] = token
    if region := environment.get("AWS_REGION"):
        config["region"] = region
    return config


def _allows_http(endpoint: str, environment: Mapping[str, str]) -> bool:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"AWS_ENDPOINT_URL is {endpoint!r}, not the URL of a store")
    if parts.username or parts.password:
        raise UsageError("AWS_ENDPOINT_URL contains a user name", "use AWS_ACCESS_KEY_ID")
    if parts.scheme == "https":
        return False
    if _is_loopback(parts.hostname) or environment.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true"):
        return True
    raise UsageError(
        f"AWS_ENDPOINT_URL is {endpoint}: without TLS others can change what is published",
        "use https, or set AWS_ALLOW_HTTP=true",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _explanation(text: str) -> tuple[str, str]:
    """Return what happened and what to do for the text of an error of obstore."""
    code = next((found for found in _CODE.findall(text) if found in _BY_CODE), None)
    if code is not None:
        return _BY_CODE[code]
    status = _status_in(text)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    for mark, explanation in _BY_FAILURE.items():
        if mark in text:
            return explanation
    some_code = _CODE.search(text)
    answer = " ".join(
        one for one in (f"HTTP {status}" if status else "", some_code[1] if some_code else "") if one
    )
    return f"the store gave an unexpected answer{f' ({answer})' if answer else ''}", _LOST[1]


def _status_in(text: str) -> str:
    found = _STATUS.search(text)
    return found[1] if found else ""


def _is_about_bucket(error: FileNotFoundError) -> bool:
    return "<Code>NoSuchBucket</Code>" in str(error)
