"""Verify a published site: every file, the ledger, and that it continues the state that was seen last."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

from registry.errors import UsageError
from registry.ids import parse_ledger
from registry.ids.segments import line_hash
from registry.model.addresses import API_LEDGER, API_SNAPSHOT, FOR_HOSTS
from registry.publish.hash_tree import (
    ROOT_FILE,
    SIGNATURE_FILE,
    FileDigest,
    InvalidTreeError,
    Root,
    all_leaf_files,
    hex_digest,
    parse_leaf,
    parse_root,
    replaced_file,
)
from registry.publish.signing import BadSignatureError, verify_signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from registry.progress import Progress

_TIMEOUT_S = 60
_MOST_BYTES = 1 << 30
_THREADS = 8
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Verified:
    """Result of a verification: its root, the signer if a signature was checked, and what is wrong."""

    root: Root | None
    signer: str | None
    faults: tuple[str, ...]


class SiteReader:
    """Reads files of a site at a URL or in a folder."""

    def __init__(self, place: str | Path) -> None:
        """Take the URL of the site's root, or its folder. Raises UsageError for another address."""
        self._folder = None if isinstance(place, str) else place
        self._address = place if isinstance(place, str) else ""
        if self._folder is not None and not self._folder.is_dir():
            raise UsageError(f"{place} is not a folder", "name the URL or the folder of a published site")

    def can_lack(self, path: str) -> bool:
        """Return True for a file that a host reads, and need not serve."""
        return self._folder is None and path in FOR_HOSTS

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, or None if there is none. Raises UsageError for any other answer."""
        if self._folder is not None:
            try:
                return (self._folder / path).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
            except OSError as error:
                raise UsageError(f"{path}: {error.strerror}") from error
        address = urljoin(self._address.rstrip("/") + "/", quote(path))
        request = urllib.request.Request(address, headers={"Cache-Control": "no-cache"})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                return bytes(answer.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (404, 410):
                    return None
                raise UsageError(f"{address}: HTTP {error.code}", "try again later") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise UsageError(f"{address}: {error}", "check the URL") from error


def verify_site(
    site: SiteReader,
    progress: Progress,
    *,
    allowed_signers: Path | None = None,
    seen: Root | None = None,
) -> Verified:
    """Compare all files of a site with its digests.

    `seen` is the root of the last verification: an older state, a state of another registry, and a ledger
    that does not continue that one are faults. With `allowed_signers`, the root must have a signature of one
    of them: raises BadSignatureError. Raises UsageError when the site cannot be read.
    """
    for _ in range(_TRIES):
        data = site.read(ROOT_FILE)
        found = _verify_state(site, data, progress, allowed_signers, seen)
        # A publication during the verification is no fault.
        if not found.faults or site.read(ROOT_FILE) == data:
            break
    return found


def _verify_state(
    site: SiteReader, data: bytes | None, progress: Progress, allowed_signers: Path | None, seen: Root | None
) -> Verified:
    if data is None:
        return Verified(None, None, (f"there is no {ROOT_FILE}: the site was not published by this program",))
    signer = _signer_of(site, data, allowed_signers) if allowed_signers else None
    try:
        root = parse_root(data)
    except InvalidTreeError as error:
        return Verified(None, signer, (str(error),))
    state = _StateReader(site, root)
    faults = [
        *_faults_since(seen, root),
        *_leaf_faults(state, progress),
        *_mixture_faults(state),
        *_ledger_faults(state.read(API_LEDGER), root, seen),
    ]
    return Verified(root, signer, tuple(faults))


def _signer_of(site: SiteReader, data: bytes, allowed_signers: Path) -> str:
    """Return who signed a root. Raises BadSignatureError."""
    try:
        return verify_signature(data, site.read(SIGNATURE_FILE), allowed_signers)
    except BadSignatureError:
        with suppress(InvalidTreeError):
            # A bucket has the root for a moment before its signature.
            following = site.read(replaced_file(parse_root(data).sequence, SIGNATURE_FILE))
            if following is not None:
                return verify_signature(data, following, allowed_signers)
        raise


def _faults_since(seen: Root | None, root: Root) -> Iterator[str]:
    if seen is None:
        return
    if seen.registry_id != root.registry_id:
        yield f"rollback or fork: the site is of registry {root.registry_id}, not {seen.registry_id}"
    elif root.sequence < seen.sequence:
        yield f"rollback: sequence {root.sequence} is older than {seen.sequence}, which was seen before"
    elif root.sequence == seen.sequence and root != seen:
        yield f"fork: another state with sequence {root.sequence} was seen before"


class _StateReader:
    """Reads the files of the state of a root; those that a bucket has replaced, where it keeps them.

    `expected` are the digests by path, those of the leaves first. `replaced` are the paths of replaced files.
    """

    def __init__(self, site: SiteReader, root: Root) -> None:
        self.site = site
        self.root = root
        self.expected = dict(zip(all_leaf_files(), root.leaves, strict=True))
        self.replaced: set[str] = set()

    def read(self, path: str) -> bytes | None:
        """Return a file, None if it is missing. It differs from its digest if the state has no such file."""
        data = self.site.read(path)
        if data is not None and not self.fits(path, data) and path in self.expected:
            before = self.site.read(replaced_file(self.root.sequence, path))
            if before is not None and self.fits(path, before):
                self.replaced.add(path)
                return before
        return data

    def fits(self, path: str, data: bytes) -> bool:
        return hex_digest(data) == self.expected.get(path)


def _leaf_faults(state: _StateReader, progress: Progress) -> Iterator[str]:
    """Yield the files that differ from their digests."""
    listed: dict[str, FileDigest] = {}
    for leaf in all_leaf_files():
        data = state.read(leaf)
        if data is None or not state.fits(leaf, data):
            yield f"{leaf} {'is missing' if data is None else 'does not fit the root'}"
            continue
        try:
            listed |= parse_leaf(data)
        except InvalidTreeError as error:
            yield f"{leaf}: {error}"
    state.expected |= {path: digest.sha256 for path, digest in listed.items()}
    paths = sorted(listed)
    with ThreadPoolExecutor(_THREADS) as readers:
        for number, (path, data) in enumerate(zip(paths, readers.map(state.read, paths), strict=True), 1):
            if number % 500 == 0:
                progress("verifying files", number, len(paths))
            if data is None:
                if not state.site.can_lack(path):
                    yield f"{path} is missing"
            elif len(data) != listed[path].size or not state.fits(path, data):
                yield f"{path} was changed"


def _mixture_faults(state: _StateReader) -> Iterator[str]:
    """Yield a mixture of two publications."""
    if state.replaced:
        files = f"{len(state.replaced):,} file{'' if len(state.replaced) == 1 else 's'}"
        yield f"mixed generations: {files} of another publication, which has not finished"
    facts = state.site.read(API_SNAPSHOT)
    commit = _commit_in(facts) if facts is not None else None
    if commit != state.root.commit:
        yield f"mixed generations: {API_SNAPSHOT} is of commit {commit}, the digests of {state.root.commit}"


def _commit_in(data: bytes) -> str | None:
    try:
        found = json.loads(data)
    except ValueError:
        return None
    commit = found.get("commit") if isinstance(found, dict) else None
    return commit if isinstance(commit, str) else None


def _ledger_faults(data: bytes | None, root: Root, seen: Root | None) -> Iterator[str]:
    """Yield faults of the chain of lines, and a fork of the one that was seen.

    The last line stands for all of them only if each line has the hash of the one before.
    """
    for problem in parse_ledger(data, root.registry_id or "")[1]:
        yield f"{API_LEDGER}:{problem.span.line}: {problem.message}"
    lines = data.splitlines() if data is not None else []
    heads = [line_hash(line) for line in lines]
    if len(lines) != root.ledger_lines or (heads[-1] if heads else None) != root.ledger_head:
        yield f"{API_LEDGER} does not end as the root says"
    if seen is None or not seen.ledger_lines:
        return
    if len(lines) < seen.ledger_lines:
        yield f"rollback: the ledger has {len(lines)} lines, and had {seen.ledger_lines}"
    elif heads[seen.ledger_lines - 1] != seen.ledger_head:
        yield f"fork of the ledger: line {seen.ledger_lines} is not the one that was seen before"
