"""Read a registry from a program: from a static host, the live server, or a folder.

Standard library only, in one file, so it can be copied into another project (checking a signature needs the
package cryptography).

    with RegistryClient("https://registry.example.org/", cache="~/.cache/registry") as registry:
        one = registry.get("weather/forecast")          # or by id
        print(one.definition["exec"])
        for one in registry.find(application="weatherapp"):
            print(one.id, one.name)

Nothing is requested before the first call. Answers are checked with the server by ETag, and with a `cache`
they are kept between runs. Methods raise `NotFound`, `Gone` for a deleted definition, and `Unavailable` when
the registry cannot be read; with `verify`, also `Rollback` and `BadSignature`. Several threads can use a
client.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import random
import ssl
import struct
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "BadSignature",
    "ClientError",
    "Gone",
    "NotFound",
    "RegistryClient",
    "RemoteDefinition",
    "RemoteRevision",
    "Rollback",
    "Unavailable",
]

_TRIES = 3
_REPEATED = (429, 500, 502, 503, 504)
_MOVED = (301, 302, 307, 308)
_THREADS = 8
# A host shows two publications at once for a moment.
_BETWEEN_STATES_S = 1.0
_NAMESPACE = b"process-registry"
_ROOT = "_registry/root.json"
# Files that a bucket has replaced, by the sequence number of their state.
_BEFORE = "_registry/before"
_LEDGER = "api/ledger.ndjson"
# Marks a folder whose files belong to `sync`.
_MIRROR = "_registry/mirror"
# Hosts read these files, and do not all serve them.
_FOR_HOSTS = frozenset({".nojekyll", "_headers", "_redirects"})


class ClientError(Exception):
    """Any error of this module."""


class NotFound(ClientError):  # noqa: N818 - what happened, as in HTTP
    """There is nothing at this id, name or address."""


class Gone(ClientError):  # noqa: N818
    """The definition was deleted. `tombstone` has its last name and content; do not run it."""

    def __init__(self, message: str, tombstone: dict[str, Any]) -> None:
        """Take the answer of the registry."""
        super().__init__(message)
        self.tombstone = tombstone


class Unavailable(ClientError):  # noqa: N818
    """The registry gave no usable answer, after three tries."""


class Rollback(ClientError):  # noqa: N818
    """The registry shows an older state than before, or one that does not continue it."""


class BadSignature(ClientError):  # noqa: N818
    """A file differs from its digest, or the digests are not signed by an allowed signer."""


@dataclass(frozen=True, slots=True)
class RemoteDefinition:
    """One definition. `definition` is what a program runs; `body` is the whole answer.

    `id` is None before one is assigned; such a definition has a name only, and no history yet. `age_s` is 0
    for a current answer, and the age in seconds of a cached one that could not be checked.
    """

    kind: str
    id: int | None
    name: str
    definition: dict[str, Any]
    body: dict[str, Any] = field(repr=False)
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RemoteRevision:
    """One state of a definition. `number` counts from 1, `date` is ISO 8601, `body` is the whole answer."""

    number: int
    commit: str | None
    author: str
    date: str
    message: str
    body: dict[str, Any] = field(repr=False)


class RegistryClient:
    """A registry at a URL or in a folder."""

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        kind: str = "process_definition",
        cache: str | os.PathLike[str] | None = None,
        timeout_s: float = 10.0,
        stale_ok_s: float = 0.0,
        verify: str | os.PathLike[str] | None = None,
    ) -> None:
        """Open a registry: the URL of its site, or a folder with a site or a mirror made by `sync`.

        `kind` is the default of all methods. `cache` is a folder. `stale_ok_s` allows cached answers of up to
        this age when the registry cannot be reached. `verify` is a file of allowed signers as in
        ssh-keygen(1): then every answer is compared with signed digests (see `registry publish --sign`), and
        with a cache, an older state than before is refused.
        """
        address = os.fspath(place)
        self._source: _Http | _Folder = (
            _Http(address, timeout_s)
            if address.startswith(("http://", "https://"))
            else _Folder(Path(address))
        )
        self._kind = kind
        self._cache = _Cache(Path(cache).expanduser(), address) if cache is not None else None
        self._stale_ok_s = stale_ok_s
        self._signers = Path(verify).expanduser() if verify is not None else None
        self._tree: _Tree | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> RegistryClient:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._source.close()

    def get(self, which: int | str, kind: str | None = None) -> RemoteDefinition:
        """Return a definition by id or name. Raises NotFound, Gone, Unavailable."""
        kind = kind or self._kind
        place = str(which) if isinstance(which, int) else f"by-name/{quote(which)}"
        body, age_s = self._json(f"api/{kind}/{place}")
        if body.get("deleted"):
            raise Gone(f"{kind} {which} was deleted", body)
        return _definition(kind, body, age_s)

    def all(self, kind: str | None = None) -> Iterator[RemoteDefinition]:
        """Yield all definitions in order of id; one request. Raises NotFound for an unknown kind."""
        kind = kind or self._kind
        data, age_s = self._read(f"api/{kind}/all.ndjson")
        for line in data.splitlines():
            yield _definition(kind, json.loads(line), age_s)

    def __iter__(self) -> Iterator[RemoteDefinition]:
        """Yield all definitions of the default kind."""
        return self.all()

    def find(self, kind: str | None = None, **values: str) -> Iterator[RemoteDefinition]:
        """Yield definitions with all these values: keys of `definition` or around it, `tag` and `owner`."""
        for one in self.all(kind):
            if all(_has(one, key, value) for key, value in values.items()):
                yield one

    def history(self, which: int | str, kind: str | None = None) -> list[RemoteRevision]:
        """Return the revisions of a definition, newest first. Use the id of a deleted one."""
        kind = kind or self._kind
        body, _ = self._json(f"api/{kind}/{self._id_of(which, kind)}/history")
        return [_revision(one) for one in body["revisions"]]

    def revision(self, which: int | str, number: int, kind: str | None = None) -> RemoteRevision:
        """Return one revision with its content in `body`. Raises NotFound."""
        kind = kind or self._kind
        of = self._id_of(which, kind)
        found = next((one for one in self.history(of, kind) if one.number == number), None)
        if found is None:
            raise NotFound(f"{kind} {which} has no revision {number}")
        if "document" in found.body:
            return found
        body, _ = self._json(f"api/{kind}/{of}/revisions/{number}")
        return _revision(body)

    def _id_of(self, which: int | str, kind: str) -> int:
        number = which if isinstance(which, int) else self.get(which, kind).id
        if number is None:
            raise NotFound(f"{kind} {which} has no id yet, so it has no history")
        return number

    def snapshot(self) -> dict[str, Any]:
        """Return what the registry shows: commit, counts and next ids by kind, head of the ledger."""
        body: dict[str, Any] = json.loads(self._read("api/snapshot.json")[0])
        return body

    def sync(self, folder: str | os.PathLike[str]) -> int:
        """Make a folder a mirror of the site, which `RegistryClient(folder)` opens; returns files written.

        The site must have been published by `registry publish`, which lists its files. Only files that differ
        are read, and files that the site no longer has are removed. Raises NotFound for another site,
        BadSignature for a file that differs from its digest, ClientError for a folder with other files.
        """
        target = Path(folder).expanduser()
        tree = _Tree.read(self._source)
        wanted = tree.files(self._source)
        _claim_mirror(target)
        missing = [path for path, sha256 in wanted.items() if _sha256_of_file(target / path) != sha256]

        def fetch(path: str) -> bool:
            try:
                data = tree.content(self._source, path)
            except NotFound:
                if path not in _FOR_HOSTS:
                    raise
                return False
            _replace(target / path, data)
            return True

        with ThreadPoolExecutor(_THREADS) as pool:
            written = sum(pool.map(fetch, missing))
        for path in [one.relative_to(target).as_posix() for one in target.rglob("*") if one.is_file()]:
            if path not in wanted and not path.startswith("_registry/"):
                (target / path).unlink()
        for path, data in tree.own_files.items():
            _replace(target / path, data)
        return written

    # Reading

    def _json(self, path: str) -> tuple[dict[str, Any], float]:
        data, age_s = self._read(path, has_twin=True)
        try:
            body = json.loads(data)
        except ValueError as error:
            raise Unavailable(f"{path} is not JSON") from error
        if not isinstance(body, dict):
            raise Unavailable(f"{path} is not a JSON object")
        return body, age_s

    def _read(self, path: str, *, has_twin: bool = False) -> tuple[bytes, float]:
        """Return a file of the API, and its age if it could not be checked."""
        if not has_twin:
            return self._read_file(path)
        try:
            return self._read_file(f"{path}.json")
        except NotFound:
            # A site can have one form of its addresses only.
            return self._read_file(f"{path}/index.json")

    def _read_file(self, path: str) -> tuple[bytes, float]:
        kept = self._cache.get(path) if self._cache is not None else None
        try:
            answer = self._source.read(path, kept.etag if kept is not None else None)
        except Unavailable:
            if kept is None or kept.age_s > self._stale_ok_s:
                raise
            return kept.data, kept.age_s
        if answer.is_unchanged and kept is not None:
            answer = _Answer(kept.data, kept.etag)
        if self._signers is not None:
            answer = self._checked(path, answer)
        if self._cache is not None:
            self._cache.put(path, answer.data, answer.etag)
        return answer.data, 0.0

    def _checked(self, path: str, answer: _Answer) -> _Answer:
        """Return the answer that fits its digest, for which both are read again after a publication.

        Raises NotFound for a file that the published state does not have.
        """
        missing = NotFound(f"there is nothing at {path}")
        failure: ClientError = missing
        for pause_s in (None, 0.0, _BETWEEN_STATES_S):
            is_again = pause_s is not None
            if pause_s is not None:
                time.sleep(pause_s)
                with self._lock:
                    self._tree = None
                answer = self._source.read(path, None)
            try:
                tree, expected = self._digest(path)
            except BadSignature as error:
                failure = error
                continue
            if _sha256(answer.data) == expected:
                return answer
            # With a tree of earlier, this would be an earlier state.
            before = tree.replaced(self._source, unquote(path)) if is_again and expected else None
            if before is not None and _sha256(before) == expected:
                return _Answer(before)
            failure = BadSignature(f"{path} differs from its digest") if expected else missing
        raise failure

    def _digest(self, path: str) -> tuple[_Tree, str | None]:
        with self._lock:
            if self._tree is None:
                self._tree = self._verified_tree()
            return self._tree, self._tree.digest(self._source, unquote(path))

    def _verified_tree(self) -> _Tree:
        tree = _Tree.read(self._source)
        assert self._signers is not None
        signature = tree.own_files.get(f"{_ROOT}.sig")
        try:
            _check_signature(tree.own_files[_ROOT], signature, self._signers)
        except BadSignature:
            # The root is written before its signature.
            following = tree.replaced(self._source, f"{_ROOT}.sig")
            if following is None:
                raise
            _check_signature(tree.own_files[_ROOT], following, self._signers)
        if self._cache is not None:
            before = self._cache.get(_ROOT)
            if before is not None:
                _refuse_rollback(json.loads(before.data), tree, self._source)
            self._cache.put(_ROOT, tree.own_files[_ROOT], None)
        return tree


def _definition(kind: str, body: dict[str, Any], age_s: float) -> RemoteDefinition:
    return RemoteDefinition(
        body.get("kind", kind), body["id"], body.get("name", ""), body.get("definition", {}), body, age_s
    )


def _revision(body: dict[str, Any]) -> RemoteRevision:
    return RemoteRevision(
        body["number"], body["commit"], body["author"] or "", body["date"] or "", body["message"], body
    )


def _has(one: RemoteDefinition, key: str, value: str) -> bool:
    if key in ("tag", "owner"):
        return value in one.body.get(f"{key}s", ())
    return bool(one.definition.get(key, one.body.get(key)) == value)


def _claim_mirror(folder: Path) -> None:
    """Mark an empty folder as a mirror. Raises ClientError for another one: its files would be removed."""
    mark = folder / _MIRROR
    if mark.is_file():
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ClientError(f"{folder} has files of others: choose an empty folder")
    _replace(mark, b"")


def _is_inside(path: str) -> bool:
    """True for a relative path without steps up: a host must not make `sync` write elsewhere."""
    return (
        not any(step in ("", ".", "..") for step in path.split("/")) and "\\" not in path and ":" not in path
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha256_of_file(path: Path) -> str:
    try:
        return _sha256(path.read_bytes())
    except OSError:
        return ""


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class _Answer:
    data: bytes
    etag: str | None = None
    is_unchanged: bool = False


class _Folder:
    """Files of a folder, with the same answers as a host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser()

    def read(self, path: str, etag: str | None) -> _Answer:
        del etag
        try:
            return _Answer((self._folder / unquote(path)).read_bytes())
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            if not self._folder.is_dir():
                raise Unavailable(f"{self._folder} is not a folder") from error
            raise NotFound(f"there is nothing at {path}") from error
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing to close."""


class _Http:
    """A host. Each thread has a connection that stays open."""

    def __init__(self, address: str, timeout_s: float) -> None:
        parts = urlsplit(address)
        self._host = parts.netloc
        self._address = address.rstrip("/") + "/"
        self._is_https = parts.scheme == "https"
        self._proxy = _proxy_for(parts.scheme, self._host)
        base = parts.path.rstrip("/") + "/"
        # A proxy gets whole addresses, and a tunnel for https.
        self._prefix = f"http://{self._host}{base}" if self._proxy and not self._is_https else base
        self._timeout_s = timeout_s
        self._threads = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def read(self, path: str, etag: str | None) -> _Answer:
        """Return a file. Raises NotFound; Unavailable after three tries, with pauses that grow."""
        reason = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep((2**attempt) * 0.1 * (0.5 + random.random()))
            try:
                status, headers, data = self._request(path, {"If-None-Match": etag} if etag else {})
            except (OSError, http.client.HTTPException) as error:
                self._forget()
                reason = str(error) or type(error).__name__
                continue
            if status == 304:
                return _Answer(b"", etag, is_unchanged=True)
            if status in (200, 410):
                return _Answer(data, headers.get("etag"))
            if status == 404:
                raise NotFound(f"there is nothing at {path}")
            reason = f"HTTP {status}"
            if "location" in headers:
                reason += f", moved to {headers['location']}"
            if status not in _REPEATED:
                break
        raise Unavailable(f"{self._host}: {path}: {reason}")

    def _request(self, path: str, headers: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        found = self._request_once(path, headers)
        moved_to = urljoin(self._address + path, found[1].get("location", ""))
        # Some hosts move `x/index.html` to `x/`, and `404.html` to `404`. Another host is never asked.
        if found[0] in _MOVED and moved_to.startswith(self._address):
            return self._request_once(moved_to.removeprefix(self._address), headers)
        return found

    def _request_once(self, path: str, headers: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        connection = self._connection()
        connection.request("GET", self._prefix + path, headers=headers)
        with connection.getresponse() as answer:
            data = answer.read()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._threads, "connection", None)
        if found is None:
            found = self._threads.connection = self._new(self._proxy or self._host)
            if self._proxy and self._is_https:
                found.set_tunnel(self._host)
            self._connections.append(found)
        return found

    def _new(self, host: str) -> http.client.HTTPConnection:
        if self._is_https:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, timeout=self._timeout_s, context=context)
        return http.client.HTTPConnection(host, timeout=self._timeout_s)

    def _forget(self) -> None:
        found = getattr(self._threads, "connection", None)
        if found is not None:
            found.close()
            self._threads.connection = None

    def close(self) -> None:
        """Close all connections."""
        for one in self._connections:
            one.close()


def _proxy_for(scheme: str, host: str) -> str:
    """Return host and port of the proxy that the environment names, or ""."""
    proxy = urllib.request.getproxies().get(scheme, "")
    if not proxy or urllib.request.proxy_bypass(host.partition(":")[0]):
        return ""
    return urlsplit(proxy).netloc.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes
    etag: str | None
    age_s: float


class _Cache:
    """Answers of one registry in a folder: a line of JSON about each, then its bytes."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder / hashlib.sha256(address.encode()).hexdigest()[:16]

    def _file(self, path: str) -> Path:
        return self._folder / hashlib.sha256(path.encode()).hexdigest()

    def get(self, path: str) -> _Kept | None:
        try:
            head, _, data = self._file(path).read_bytes().partition(b"\n")
            facts = json.loads(head)
            if facts["sha256"] != hashlib.sha256(data).hexdigest():
                return None
            return _Kept(data, facts["etag"], max(0.0, time.time() - facts["checked"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, path: str, data: bytes, etag: str | None) -> None:
        facts = {"etag": etag, "checked": time.time(), "sha256": hashlib.sha256(data).hexdigest()}
        try:
            _replace(self._file(path), json.dumps(facts).encode() + b"\n" + data)
        except OSError:
            return  # a full disk must not stop a program that can read


class _Tree:
    """The digests of a published site: the root, and leaves when they are needed."""

    def __init__(self, root: dict[str, Any], own_files: dict[str, bytes]) -> None:
        self.root = root
        self.own_files = own_files
        self._leaves: dict[str, dict[str, str]] = {}

    @classmethod
    def read(cls, source: _Http | _Folder) -> _Tree:
        data = source.read(_ROOT, None).data
        own_files = {_ROOT: data}
        with suppress(NotFound):
            own_files[f"{_ROOT}.sig"] = source.read(f"{_ROOT}.sig", None).data
        try:
            root = json.loads(data)
            if root["format"] != 1 or len(root["leaves"]) != 256 or type(root["sequence"]) is not int:
                raise Unavailable(f"{_ROOT} has a format that this version does not know")
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"{_ROOT} cannot be read") from error
        return cls(root, own_files)

    def digest(self, source: _Http | _Folder, path: str) -> str | None:
        """Return the SHA-256 of a file of the site, or None if it has no such file."""
        return self._leaf(source, hashlib.sha256(path.encode()).hexdigest()[:2]).get(path)

    def files(self, source: _Http | _Folder) -> dict[str, str]:
        """Return the SHA-256 of all files by path."""
        found: dict[str, str] = {}
        for number in range(256):
            found |= self._leaf(source, f"{number:02x}")
        return found

    def content(self, source: _Http | _Folder, path: str) -> bytes:
        """Return a file of this state. Raises NotFound, and BadSignature if only another state has it."""
        expected = self.digest(source, path)
        data = source.read(quote(path), None).data
        if _sha256(data) == expected:
            return data
        before = self.replaced(source, path)
        if before is None or _sha256(before) != expected:
            raise BadSignature(f"{path} differs from its digest; the site may have been published again")
        return before

    def replaced(self, source: _Http | _Folder, path: str) -> bytes | None:
        """Return a file of this state that a bucket keeps while it publishes the next one, or None."""
        with suppress(NotFound, Unavailable):
            return source.read(f"{_BEFORE}/{self.root['sequence']:06}/{quote(path)}", None).data
        return None

    def _leaf(self, source: _Http | _Folder, leaf: str) -> dict[str, str]:
        if leaf not in self._leaves:
            path = f"_registry/tree/{leaf}"
            data = source.read(path, None).data
            expected = self.root["leaves"][int(leaf, 16)]
            if _sha256(data) != expected:
                before = self.replaced(source, path)
                if before is None or _sha256(before) != expected:
                    raise BadSignature(
                        f"{path} differs from its digest; the site may have been published again"
                    )
                data = before
            self.own_files[path] = data
            rows = (line.split(" ", 2) for line in data.decode().splitlines())
            found = {path: sha256 for sha256, _, path in rows}
            if not all(map(_is_inside, found)):
                raise BadSignature(f"{path} names a file outside of the site")
            self._leaves[leaf] = found
        return self._leaves[leaf]


def _refuse_rollback(before: dict[str, Any], tree: _Tree, source: _Http | _Folder) -> None:
    """Raise Rollback unless the root of `tree` continues an earlier one, and so does the ledger."""
    now = tree.root
    if now["registry_id"] != before["registry_id"]:
        raise Rollback(f"this is the registry {now['registry_id']}, not {before['registry_id']}")
    if now["sequence"] < before["sequence"] or (now["sequence"] == before["sequence"] and now != before):
        raise Rollback(f"sequence {now['sequence']} was seen with another state, or is older")
    lines = tree.content(source, _LEDGER).splitlines()
    count = before["ledger_lines"]
    if count and (
        len(lines) < count or hashlib.sha256(lines[count - 1]).hexdigest() != before["ledger_head"]
    ):
        raise Rollback(f"the ledger does not continue the one that was seen: line {count} differs")


def _check_signature(data: bytes, signature: bytes | None, signers: Path) -> None:
    """Check a signature of ssh-keygen (PROTOCOL.sshsig of OpenSSH) by one of the keys in `signers`."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_ssh_public_key
    except ImportError as error:
        raise ClientError("verify needs the package cryptography: pip install cryptography") from error
    if signature is None:
        raise BadSignature("the site is not signed")
    try:
        key, namespace, algorithm, signed = _parse_signature(signature)
    except (ValueError, struct.error) as error:
        raise BadSignature("the signature cannot be read") from error
    allowed = [words[2] for words in _signer_lines(signers)]
    if base64.b64encode(key).decode() not in allowed or namespace != _NAMESPACE:
        raise BadSignature("the signature is not of an allowed signer")
    digest = hashlib.new(algorithm, data).digest()
    message = b"SSHSIG" + b"".join(map(_text, (_NAMESPACE, b"", algorithm.encode(), digest)))
    public = load_ssh_public_key(b"ssh-ed25519 " + base64.b64encode(key))
    assert isinstance(public, Ed25519PublicKey)
    try:
        public.verify(signed, message)
    except InvalidSignature:
        raise BadSignature("the signature does not fit the site") from None


def _signer_lines(signers: Path) -> Iterator[list[str]]:
    """Yield principals, key type and key of each line."""
    try:
        text = signers.read_text(encoding="utf-8")
    except OSError as error:
        raise ClientError(f"{signers}: {error.strerror}") from error
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 3 or not words[1].startswith(("ssh-", "ecdsa-", "sk-")):
            # Ignoring an option such as valid-before would accept what ssh-keygen refuses.
            raise ClientError(f"{signers}: lines with options are not supported; use `registry verify`")
        yield words


def _parse_signature(signature: bytes) -> tuple[bytes, bytes, str, bytes]:
    """Return public key, namespace, hash algorithm and raw signature."""
    body = b"".join(line for line in signature.splitlines() if not line.startswith(b"-----"))
    blob = base64.b64decode(body, validate=True)
    if blob[:6] != b"SSHSIG" or struct.unpack(">I", blob[6:10]) != (1,):
        raise ValueError("not a signature of ssh-keygen")
    key, namespace, _, algorithm, signed = _texts(blob[10:], 5)
    name, raw = _texts(signed, 2)
    if name != b"ssh-ed25519" or algorithm not in (b"sha256", b"sha512"):
        raise ValueError("only ed25519 keys are supported")
    return key, namespace, algorithm.decode(), raw


def _texts(data: bytes, count: int) -> list[bytes]:
    found = []
    for _ in range(count):
        (size,) = struct.unpack(">I", data[:4])
        if len(data) < 4 + size:
            raise ValueError("the signature is cut off")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def _text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
