"""Steps of tests that publish a registry."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from registry.client import ClientError, RegistryClient
from registry.progress import silent
from registry.publish.verification import SiteReader, verify_site
from tests.conftest import Run
from tests.support.repo import RepoBuilder


def new_registry(repo: RepoBuilder, run: Run) -> RepoBuilder:
    """Give a repository two definitions that have ids, and build them to `site`."""
    repo.define("a")
    repo.define("b")
    repo.write(".gitignore", "/site\n/.site.generations/\n/.registry/\n")
    repo.commit()
    index(repo, run)
    return repo


def index(repo: RepoBuilder, run: Run) -> None:
    """Assign ids, and build."""
    assert run("index", "-C", str(repo.root)).code == 0
    build(repo, run)


def build(repo: RepoBuilder, run: Run, *words: str) -> None:
    """Build the site of the registry."""
    done = run("build", "-C", str(repo.root), *words)
    assert done.code == 0, done.err


def change(repo: RepoBuilder, run: Run, title: str) -> None:
    """Change one definition, commit, build."""
    repo.define("a", f"id: 1\ntitle: {title}\nowners: [team]\ndefinition:\n  exec: /bin/a\n")
    repo.commit(title)
    build(repo, run)


def shrink(repo: RepoBuilder, run: Run) -> None:
    """Build the site with one form of addresses from now on: it has a third of its files less."""
    settings = repo.root / "registry.yaml"
    before = settings.read_text(encoding="utf-8") if settings.exists() else ""
    repo.write("registry.yaml", f"{before}addresses: json\n")
    repo.commit("Publish one form of addresses")
    build(repo, run)


def publish(run: Run, repo: RepoBuilder, target: str, *words: str) -> Any:
    """Publish; gives the answer as JSON."""
    done = run("publish", target, "-C", str(repo.root), "--format", "json", *words)
    assert done.code == 0, done.err
    return json.loads(done.out)


def files_in(folder: Path) -> dict[str, bytes]:
    """All files below a folder, without those that publishing adds."""
    folder = folder.resolve()
    found = {
        one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }
    return {path: data for path, data in found.items() if not path.startswith("_registry/")}


def branch_files(repo: RepoBuilder, branch: str) -> set[str]:
    """The paths in a branch, without those that publishing adds."""
    found = repo.git("ls-tree", "-r", "--name-only", branch).split("\n")
    return {path for path in found if not path.startswith("_registry/")}


def files_and_root(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    folder = folder.resolve()
    return {
        one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


def page_of(place: Path, name: str = "a") -> Path:
    """The page of a definition in a published folder."""
    return place / f"process_definition/{name}/index.html"


def edit_branch(repo: RepoBuilder, files: dict[str, str]) -> None:
    """Add a commit with these files to the published branch, by hand."""
    work = repo.root.parent / "by-hand"
    repo.git("worktree", "add", "-q", str(work), "pages")
    for path, text in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text)
    RepoBuilder.at(work, repo.clock).commit("Edit by hand")
    repo.git("worktree", "remove", "--force", str(work))


class SigningKey(NamedTuple):
    """A key, and the file of signers that allows it."""

    key: Path
    signers: Path


def signing_key(folder: Path) -> SigningKey:
    """Make a key in a folder."""
    key = folder / "signing-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signers = folder / "signers"
    signers.write_text(f"ci@example.org {key.with_suffix('.pub').read_text()}")
    return SigningKey(key, signers)


class Readings:
    """What readers of a published folder saw: the number of complete readings, and faults."""

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self.faults: list[str] = []


@contextmanager
def reading(www: Path, signers: Path, cache: Path) -> Iterator[Readings]:
    """Read a published folder again and again: a whole state by its digests, and answers through the client.

    The client refuses what does not fit the signed digests, and older states than before.
    """
    readings = Readings()
    is_over = threading.Event()

    def read() -> None:
        with RegistryClient(www, cache=cache, verify=signers) as client:
            while not is_over.is_set():
                place = www.resolve()
                faults = verify_site(SiteReader(place), silent).faults
                if place.exists():  # else three publications were faster than this reader
                    readings.faults += faults
                try:
                    assert {one.name for one in client.all()} >= {"a", "b"}
                    assert client.get("a").id == 1
                except (ClientError, AssertionError) as error:
                    readings.faults.append(repr(error))
                readings.count += 1

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield readings
    finally:
        is_over.set()
        reader.join()
    assert readings.count, "there was no time to read"
