"""Publish to a folder of another machine over ssh, with rsync: a generation of its own, and a link.

The folders there are those of `folder.py`. One connection reads what is published, one holds the lock, makes
hard links to the files of the present generation and replaces the link, one sends the changed files.
"""

from __future__ import annotations

import os
import platform
import secrets
import time
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from registry.errors import RefusedError, RegistryError, UsageError
from registry.publish.destination import PublishedSite, SiteChanges, SiteVersion
from registry.publish.hash_tree import ADDED_FOLDER, SIGNATURE_FILE, FileDigest, InvalidTreeError, read_tree
from registry.publish.site_files import SiteFile
from registry.publish.ssh_host import SshHost, answer_in, parse_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from registry.progress import Progress
    from registry.publish.hash_tree import Root
    from registry.publish.ssh_host import Session

_READ = Path(__file__).with_name("rsync_read.sh")
_SESSION = Path(__file__).with_name("rsync_session.sh")
_CONTENT = 'cat "$1/.$2.generations/$3/$4"'
_NONE = "none"
_LOCK_TIMEOUT_S = 60


class _Generation(NamedTuple):
    """A generation on the host: its name, its root, the digests in its leaves, the signature of the root."""

    name: str
    root: Root
    files: Mapping[str, FileDigest]
    signature: bytes | None


class RsyncDestination:
    """`rsync:HOST:PATH`. PATH is a link that a web server serves; the last three publications are kept."""

    def __init__(
        self, place: str, connect: Sequence[str] = ("ssh",), lock_timeout_s: int = _LOCK_TIMEOUT_S
    ) -> None:
        """Take `HOST:PATH`, and the command that connects.

        `lock_timeout_s` limits the wait for another publication. Raises UsageError for an invalid place.
        """
        found = parse_place(place)
        self.name = f"{found.path} on {found.host}"
        self._host = SshHost(found.host, connect)
        self._parent = found.parent
        self._link = found.name
        self._lock_timeout_s = lock_timeout_s
        self._shown: _Generation | None = None
        self._earlier: _Generation | None = None

    def published(self, files: Mapping[str, SiteFile]) -> PublishedSite | None:
        """Return what the link shows; see `Destination`."""
        del files  # the digests that were published are enough
        self._shown = self._read("current")
        if self._shown is None:
            return None
        return PublishedSite(self._shown.root, self._shown.files, self._shown.signature)

    def _read(self, which: str) -> _Generation | None:
        """Return the `current` or the `earlier` generation; None if there is none."""
        output = self._host.run(_READ.read_text(encoding="utf-8"), self._parent, self._link, which)
        try:
            answer, rest = answer_in(output)
            if answer in ("absent", "no-earlier"):
                return None
            if answer == "built":
                raise RefusedError(
                    f"{self.name} is the output of `registry build`, not a published site",
                    "choose another path to publish to",
                )
            if answer == "foreign":
                raise RefusedError(
                    f"{self.name} exists and was not created by `registry publish`",
                    "remove it, or choose another path to publish to",
                )
            return _generation_in(answer.removeprefix("present "), rest)
        except ValueError as error:
            raise RefusedError(
                f"{self.name} is not a complete publication: {error}", "publish to another path"
            ) from error

    def publish(self, publication: SiteVersion, changes: SiteChanges, progress: Progress) -> None:
        """Make a generation and replace the link; see `Destination`."""
        del changes  # found beside those of an interrupted publication
        is_rollback = publication.folder is None
        base = self._earlier if is_rollback else self._shown
        progress(f"preparing a publication on {self._host.name}")
        words = (
            self._shown.name if self._shown is not None else _NONE,
            base.name if base is not None else _NONE,
            secrets.token_hex(4),
            f"process {os.getpid()} on {platform.node()}, since {time.strftime('%H:%M:%S %Z')}",
            str(self._lock_timeout_s),
            "restart" if is_rollback else "resume",
        )
        script = _SESSION.read_text(encoding="utf-8")
        with (
            TemporaryDirectory(prefix="registry-publish-") as added,
            self._host.session(script, self._parent, self._link, *words) as session,
        ):
            folder, touched = self._ready(session)
            known = base.files if base is not None else {}
            if is_rollback:
                touched = set()
            paths = [*_sent(publication, known, touched), *_added(publication, Path(added))]
            # rsync removes what is missing here in a folder that exists.
            for path in _removed(publication, known, touched):
                where = added if path.startswith(f"{ADDED_FOLDER}/") else publication.folder
                paths.append(f"{where}/./{path}")
            place = f"{self._parent}/.{self._link}.generations/{folder}"
            self._host.send(paths, place, progress)
            progress(f"replacing the link on {self._host.name}")
            session.say("finish")
            if not any(answer.startswith("published ") for answer in session.answers()):
                raise self._moved()

    def _ready(self, session: Session) -> tuple[str, set[str]]:
        """Return the folder to send files to, and the files in it that an earlier publication sent."""
        touched: set[str] = set()
        for answer in session.answers():
            word, _, rest = answer.partition(" ")
            if word == "ready":
                return rest, touched
            if word == "locked":
                raise RegistryError(
                    f"{self.name} is being published by {rest}",
                    "wait for it. Its lock ends with its connection; the host can notice a lost one late",
                )
            if word == "moved":
                raise self._moved()
            touched.add(rest)
        raise RegistryError(f"the connection to {self._host.name} ended early", "publish again")

    def _moved(self) -> RefusedError:
        return RefusedError(f"{self.name} was published by another since it was read", "publish again")

    def earlier(self) -> SiteVersion:
        """Return the publication before the one that the link shows; see `Destination`."""
        found = self._earlier = self._read("earlier")
        if found is None:
            raise UsageError(f"{self.name} has no earlier publication")
        files = {path: SiteFile(one, blob="") for path, one in found.files.items()}
        return SiteVersion(files, partial(self._content, found.name), found.root, {})

    def _content(self, generation: str, path: str) -> bytes:
        return self._host.run(_CONTENT, self._parent, self._link, generation, path)


def _generation_in(name: str, output: bytes) -> _Generation:
    """Return a generation from what the script printed. Raises InvalidTreeError."""
    head, _, content = output.partition(b"\n\n")
    contents = {}
    for line in head.decode("utf-8", "replace").splitlines():
        size, _, path = line.strip().partition(" ")
        if path.startswith(f"{ADDED_FOLDER}/"):  # not the line with the sum
            contents[path], content = content[: int(size)], content[int(size) :]
    root, files = read_tree(contents.get)
    outside = [path for path in files if path.startswith("/") or ".." in PurePosixPath(path).parts]
    if outside:
        raise InvalidTreeError(f"a leaf lists {outside[0]!r}")
    return _Generation(name, root, files, contents.get(SIGNATURE_FILE))


def _sent(publication: SiteVersion, known: Mapping[str, FileDigest], touched: set[str]) -> Iterable[str]:
    """Yield the files that the generation lacks, or may have from an interrupted publication, checked."""
    for path, one in publication.files.items():
        if path in touched or known.get(path) != one.digest:
            publication.content(path)  # refuses a file that was edited after the build
            yield f"{publication.folder}/./{path}"


def _added(publication: SiteVersion, folder: Path) -> Iterable[str]:
    for path, data in publication.added.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        yield f"{folder}/./{path}"


def _removed(publication: SiteVersion, known: Mapping[str, FileDigest], touched: set[str]) -> Iterable[str]:
    """Return what to remove: files, or the folders that become empty, which a server would still find."""
    wanted = {*publication.files, *publication.added}
    folders = {parent.as_posix() for path in wanted for parent in PurePosixPath(path).parents}
    gone = set()
    # The signature is that of the state before.
    for path in {*known, *touched, SIGNATURE_FILE} - wanted:
        emptied = [one for parent in PurePosixPath(path).parents if (one := parent.as_posix()) not in folders]
        gone.add(emptied[-1] if emptied else path)
    return sorted(gone)
