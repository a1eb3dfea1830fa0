"""Publishing to folders and branches: what readers see, what is refused, and what verification finds."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.errors import RefusedError
from registry.git import open_repository
from registry.progress import silent
from registry.publish import plan_publication
from registry.publish.branch import BranchDestination, signature_now
from registry.publish.destination import SiteVersion
from registry.publish.hash_tree import (
    ROOT_FILE,
    SIGNATURE_FILE,
    FileDigest,
    hex_digest,
    leaf_file,
    leaf_files,
    leaf_of,
    parse_root,
)
from registry.publish.verification import SiteReader, verify_site
from registry.site import Site
from tests.conftest import Run
from tests.support.publishing import (
    branch_files,
    build,
    change,
    edit_branch,
    files_and_root,
    files_in,
    index,
    page_of,
    publish,
    shrink,
)
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S


@pytest.mark.parametrize("target", ["folder", "git"])
def test_only_what_changed_is_written(registry: RepoBuilder, run: Run, tmp_path: Path, target: str) -> None:
    place = f"folder:{tmp_path / 'www'}" if target == "folder" else "git:pages"
    site = files_in(registry.root / "site")
    first = publish(run, registry, place)
    assert (first["published"], first["sequence"], set(first["written"])) == (True, 1, set(site))
    assert publish(run, registry, place)["published"] is False
    change(registry, run, "Another title")
    second = publish(run, registry, place)
    assert second["sequence"] == 2
    assert 0 < len(second["written"]) < len(site)
    now = files_in(registry.root / "site")
    if target == "folder":
        assert files_in(tmp_path / "www") == now
    else:
        assert branch_files(registry, "pages") == set(now)
        shown = registry.git("show", "pages:process_definition/a/index.html")
        assert "Another title" in shown
        assert registry.git("rev-list", "--count", "pages") == "2"


def test_a_dry_run_changes_nothing_and_names_hosts(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    done = run("publish", f"folder:{tmp_path / 'www'}", "-C", str(registry.root), "--dry-run")
    assert done.code == 0, done.err
    assert "GitHub Pages: fits" in done.out
    assert not (tmp_path / "www").exists()


@pytest.mark.parametrize("is_published", [False, True])
def test_a_dry_run_counts_what_will_be_published(
    registry: RepoBuilder, run: Run, tmp_path: Path, is_published: bool
) -> None:
    www = tmp_path / "www"
    if is_published:
        publish(run, registry, f"folder:{www}")
    found = publish(run, registry, f"folder:{www}", "--dry-run")
    assert found["published"] is False
    assert all(host == {"fits": True, "exceeded": []} for host in found["hosts"].values())
    if not is_published:
        publish(run, registry, f"folder:{www}")
    there = list(www.resolve().rglob("*"))
    sizes = [one.stat().st_size for one in there if one.is_file()]
    size = found["published_size"]
    assert size["files"] == len(sizes)
    assert size["folders"] == len(there) - len(sizes)
    # The number of a publication is in its root.
    assert abs(size["bytes"] - sum(sizes)) < 5
    assert size["largest_file"] == max(sizes)
    text = run("publish", f"folder:{www}", "-C", str(registry.root), "--dry-run").out
    assert f"{size['files']:,} files and {size['folders']:,} folders" in text


@pytest.mark.parametrize("target", ["folder", "git"])
def test_a_rollback_publishes_the_state_before(
    registry: RepoBuilder, run: Run, tmp_path: Path, target: str
) -> None:
    place = f"folder:{tmp_path / 'www'}" if target == "folder" else "git:pages"
    publish(run, registry, place)
    before = registry.git("rev-parse", "HEAD")
    change(registry, run, "A mistake")
    publish(run, registry, place)
    back = publish(run, registry, place, "--rollback")
    assert back["sequence"] == 3
    if target == "folder":
        shown = (tmp_path / "www/process_definition/a/index.html").read_text()
        root = json.loads((tmp_path / "www" / ROOT_FILE).read_text())
    else:
        shown = registry.git("show", "pages:process_definition/a/index.html")
        root = json.loads(registry.git("show", f"pages:{ROOT_FILE}"))
    assert "A mistake" not in shown
    assert root["commit"] == before


def test_nothing_is_published_that_loses_ids(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    place = f"folder:{tmp_path / 'www'}"
    registry.define("c")
    registry.commit()
    old = registry.git("rev-parse", "HEAD")
    index(registry, run)
    publish(run, registry, place)
    build(registry, run, "--source", old)
    done = run("publish", place, "-C", str(registry.root))
    assert (done.code, "ids would be lost" in done.err) == (3, True)


def test_a_site_that_shrinks_is_published_only_on_purpose(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    place = f"folder:{tmp_path / 'www'}"
    for number in range(20):
        registry.define(f"many/n{number}")
    registry.commit()
    index(registry, run)
    publish(run, registry, place)
    shrink(registry, run)
    done = run("publish", place, "-C", str(registry.root))
    assert (done.code, "--allow-shrink" in done.err) == (3, True)
    assert publish(run, registry, place, "--allow-shrink")["published"]


def test_files_of_others_are_never_touched(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www/precious.txt").write_text("mine")
    done = run("publish", f"folder:{tmp_path / 'www'}", "-C", str(registry.root))
    assert done.code == 3, done.err
    assert (tmp_path / "www/precious.txt").read_text() == "mine"
    done = run("publish", f"folder:{registry.root / 'site'}", "-C", str(registry.root))
    assert (done.code, "the output of `registry build`" in done.err) == (3, True)
    registry.git("branch", "pages")
    done = run("publish", "git:pages", "-C", str(registry.root))
    assert (done.code, "did not write" in done.err) == (3, True)
    done = run("publish", "git:main", "-C", str(registry.root))
    assert (done.code, "is checked out here" in done.err) == (2, True)


def test_the_file_of_a_domain_stays_on_the_branch(registry: RepoBuilder, run: Run) -> None:
    blob = registry.git("hash-object", "-w", "registry.yaml")
    registry.git("update-index", "--add", "--cacheinfo", f"100644,{blob},CNAME")
    registry.git("commit-tree", registry.git("write-tree", "--missing-ok"), "-m", "x")
    publish(run, registry, "git:pages")
    work = registry.root.parent / "pages"
    registry.git("worktree", "add", "-q", str(work), "pages")
    (work / "CNAME").write_text("registry.example.org\n")
    there = RepoBuilder.at(work, registry.clock)
    there.commit("Add the domain")
    registry.git("worktree", "remove", "--force", str(work))
    change(registry, run, "Another title")
    publish(run, registry, "git:pages")
    assert registry.git("show", "pages:CNAME") == "registry.example.org"


def test_a_branch_is_pushed_and_a_refused_push_is_one_line(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    there = tmp_path / "there.git"
    subprocess.run(["git", "init", "-q", "--bare", str(there)], check=True)
    registry.git("remote", "add", "origin", str(there))
    publish(run, registry, "git:pages", "--remote", "origin")
    remote = RepoBuilder.at(there, registry.clock)
    assert ROOT_FILE in remote.git("ls-tree", "-r", "--name-only", "pages")
    hook = there / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho this branch is protected >&2\nexit 1\n")
    hook.chmod(0o755)
    change(registry, run, "Another title")
    done = run("publish", "git:pages", "--remote", "origin", "-C", str(registry.root))
    assert done.code == 2
    assert "error: origin refused the push: this branch is protected" in done.err


def test_verification_finds_each_fault(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    www, state = tmp_path / "www", tmp_path / "state.json"
    publish(run, registry, f"folder:{www}")
    older = files_and_root(www)
    change(registry, run, "Another title")
    publish(run, registry, f"folder:{www}")
    assert run("verify", str(www), "--state", str(state)).code == 0
    newer = files_and_root(www)
    copy = tmp_path / "copy"

    def found(files: dict[str, bytes]) -> str:
        for path, data in files.items():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_bytes(data)
        done = run("verify", str(copy), "--state", str(state))
        assert done.code == (1 if done.err else 0)
        return done.err

    assert found(newer) == ""
    page = "process_definition/b/index.html"
    assert f"{page} was changed" in found({**newer, page: newer[page][:-1] + b"!"})
    assert "rollback: sequence 1 is older than 2" in found(older)
    mixed = found({**newer, "api/snapshot.json": older["api/snapshot.json"]})
    assert "mixed generations" in mixed
    ledger = newer["api/ledger.ndjson"].replace(b'"a"', b'"x"')
    assert "ledger" in found({**newer, "api/ledger.ndjson": ledger})


def test_a_publication_during_verification_is_no_fault(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    www = tmp_path / "www"
    publish(run, registry, f"folder:{www}")
    change(registry, run, "Another title")

    class SlowReader(SiteReader):
        is_late = False

        def read(self, path: str) -> bytes | None:
            if path == leaf_file("80") and not self.is_late:
                self.is_late = True
                publish(run, registry, f"folder:{www}")
            return super().read(path)

    verified = verify_site(SlowReader(www), silent)
    assert verified.faults == ()
    assert verified.root is not None
    assert verified.root.sequence == 2


def test_a_signature_is_required_of_an_allowed_signer(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    for name in ("key", "other"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"ci@example.org {(tmp_path / 'key.pub').read_text()}")
    www = tmp_path / "www"
    publish(run, registry, f"folder:{www}")
    words = ["verify", str(www), "--allowed-signers", str(signers)]
    done = run(*words)
    assert (done.code, "is not signed" in done.err) == (1, True)
    change(registry, run, "Second")
    publish(run, registry, f"folder:{www}", "--sign", str(tmp_path / "key"))
    done = run(*words)
    assert (done.code, "signed by ci@example.org" in done.out) == (0, True), done.err
    change(registry, run, "Third")
    publish(run, registry, f"folder:{www}", "--sign", str(tmp_path / "other"))
    done = run(*words)
    assert (done.code, "not of an allowed signer" in done.err) == (1, True)
    change(registry, run, "Fourth")
    publish(run, registry, f"folder:{www}")
    assert not (www / SIGNATURE_FILE).exists()


@pytest.mark.parametrize("target", ["folder", "git"])
def test_an_unchanged_site_is_published_again_for_another_signature(
    registry: RepoBuilder, run: Run, tmp_path: Path, target: str
) -> None:
    for name in ("key", "other"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    where = f"folder:{tmp_path / 'www'}" if target == "folder" else "git:pages"
    key, other = (("--sign", str(tmp_path / name)) for name in ("key", "other"))
    steps = ((), key, key, (), other, other)
    done = [publish(run, registry, where, *words)["published"] for words in steps]
    assert done == [True, True, False, False, True, False]


def test_a_dry_run_shows_that_only_the_signature_would_change(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    place = f"folder:{tmp_path / 'www'}"
    words = ("publish", place, "-C", str(registry.root), "--dry-run")
    sign = ("--sign", str(tmp_path / "key"))
    publish(run, registry, place)
    assert "Nothing to do" in run(*words).out
    assert "Would publish another signature; the files stay as they are." in run(*words, *sign).out
    assert json.loads(run(*words, *sign, "--format", "json").out)["only_signature"] is True
    assert not (tmp_path / "www" / SIGNATURE_FILE).exists()
    publish(run, registry, place, *sign)
    assert "Nothing to do" in run(*words, *sign).out
    change(registry, run, "Another title")
    assert "Would publish: " in run(*words, *sign).out


_INTERRUPTED = """
import os, sys
from registry.cli import main
from registry.git import branch_import
from registry.publish.destination import SiteVersion

branch_import._CHECKPOINT_BYTES = 1
content, paths = SiteVersion.content, []
def interrupted(self, path):
    paths.append(path)
    if len(paths) == 35:
        os.kill(os.getpid(), int(sys.argv[1]))
    return content(self, path)
SiteVersion.content = interrupted
sys.exit(main(sys.argv[2:]))
"""


def interrupt_publication(repo: RepoBuilder, place: str, how: signal.Signals) -> None:
    """Publish until 34 files have been read."""
    command = [sys.executable, "-c", _INTERRUPTED, str(int(how)), "publish", place, "-C", str(repo.root)]
    done = subprocess.run(command, check=False, capture_output=True, timeout=PATIENCE_S)
    assert done.returncode == (130 if how == signal.SIGINT else -how), done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_publication_to_a_folder_continues_with_the_files_it_wrote(
    registry: RepoBuilder, run: Run, tmp_path: Path, how: signal.Signals
) -> None:
    www = tmp_path / "www"
    interrupt_publication(registry, f"folder:{www}", how)
    assert not www.is_symlink()
    left = tmp_path / ".www.generations/000001.partial"
    inodes = {one.relative_to(left): one.stat().st_ino for one in left.rglob("*") if one.is_file()}
    assert len(inodes) == 34
    publish(run, registry, f"folder:{www}")
    assert {path: (www / path).stat().st_ino for path in inodes} == inodes
    assert files_in(www) == files_in(registry.root / "site")
    assert run("verify", str(www)).code == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_publication_to_a_branch_continues_with_the_blobs_it_wrote(
    registry: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    interrupt_publication(registry, "git:pages", how)
    assert registry.git("branch", "--list", "pages") == ""
    read = []
    content = SiteVersion.content

    def counted(self: SiteVersion, path: str) -> bytes:
        read.append(path)
        return content(self, path)

    monkeypatch.setattr(SiteVersion, "content", counted)
    written = publish(run, registry, "git:pages")["written"]
    # Git reads its input a little later than it is written.
    assert 0 < len(read) < len(written)
    assert branch_files(registry, "pages") == set(files_in(registry.root / "site"))
    registry.git("fsck", "--strict", "--no-dangling")
    # What the branch had before is not read, either.
    change(registry, run, "Another title")
    publish(run, registry, "git:pages")
    read.clear()
    assert publish(run, registry, "git:pages", "--rollback")["written"]
    assert read == []


def test_a_lock_that_a_killed_git_left_is_named(registry: RepoBuilder, run: Run) -> None:
    publish(run, registry, "git:pages")
    change(registry, run, "Another title")
    tip = registry.git("rev-parse", "pages")
    lock = registry.root / ".git/refs/heads/pages.lock"
    lock.touch()
    done = run("publish", "git:pages", "-C", str(registry.root))
    assert (done.code, f"is locked: {lock} exists" in done.err) == (2, True), done.err
    lock.unlink()
    assert registry.git("rev-parse", "pages") == tip
    assert publish(run, registry, "git:pages")["published"]


def test_an_unsigned_publication_leaves_no_signature_on_the_branch(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    publish(run, registry, "git:pages", "--sign", str(tmp_path / "key"))
    assert SIGNATURE_FILE in registry.git("ls-tree", "-r", "--name-only", "pages").split("\n")
    change(registry, run, "Another title")
    publish(run, registry, "git:pages")
    assert SIGNATURE_FILE not in registry.git("ls-tree", "-r", "--name-only", "pages").split("\n")


def test_a_rollback_goes_back_over_commits_by_hand(registry: RepoBuilder, run: Run) -> None:
    publish(run, registry, "git:pages")
    change(registry, run, "A mistake")
    publish(run, registry, "git:pages")
    edit_branch(registry, {"CNAME": "registry.example.org"})
    publish(run, registry, "git:pages", "--rollback")
    assert "A mistake" not in registry.git("show", "pages:process_definition/a/index.html")
    assert registry.git("show", "pages:CNAME") == "registry.example.org"


@pytest.mark.parametrize("damage", ["missing", "longer"])
def test_a_damaged_folder_is_repaired(registry: RepoBuilder, run: Run, tmp_path: Path, damage: str) -> None:
    www = tmp_path / "www"
    for title in ("First", "Second", "Third", "Fourth"):  # later publications reuse the files of earlier ones
        change(registry, run, title)
        publish(run, registry, f"folder:{www}")
    page = page_of(www, "b").resolve()
    text = page.read_text()
    page.unlink()
    if damage == "longer":
        page.write_text(text + "more")
    assert run("verify", str(www)).code == 1
    assert publish(run, registry, f"folder:{www}")["published"]
    assert run("verify", str(www)).code == 0
    assert files_in(www) == files_in(registry.root / "site")


def test_a_site_that_was_edited_by_hand_is_not_published(
    built_in_place: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    registry = built_in_place
    publish(run, registry, f"folder:{tmp_path / 'first'}")  # the digests of the site are known now
    page = page_of(registry.root / "site", "b")
    text = page.read_text()
    page.write_text(text.replace("/bin/b", "/bin/x"))
    done = run("publish", f"folder:{tmp_path / 'www'}", "-C", str(registry.root))
    assert (done.code, "was changed after the site was built" in done.err) == (3, True), done.err
    assert not (tmp_path / "www").exists()


def test_a_page_that_was_edited_on_the_branch_is_written_again(registry: RepoBuilder, run: Run) -> None:
    page = "process_definition/b/index.html"
    publish(run, registry, "git:pages")
    before = registry.git("show", f"pages:{page}")
    edit_branch(registry, {page: "another text"})
    change(registry, run, "Another title")
    assert page in publish(run, registry, "git:pages")["written"]
    assert registry.git("show", f"pages:{page}") == before


def test_a_file_of_others_on_a_published_branch_stops_publications(registry: RepoBuilder, run: Run) -> None:
    publish(run, registry, "git:pages")
    edit_branch(registry, {"precious.txt": "mine"})
    tip = registry.git("rev-parse", "pages")
    change(registry, run, "Another title")
    done = run("publish", "git:pages", "-C", str(registry.root))
    assert (done.code, "did not write: precious.txt" in done.err) == (3, True)
    assert registry.git("rev-parse", "pages") == tip


@pytest.mark.parametrize("target", ["folder", "git"])
def test_pages_that_a_site_no_longer_has_are_removed_and_come_back_with_a_rollback(
    registry: RepoBuilder, run: Run, tmp_path: Path, target: str
) -> None:
    place = f"folder:{tmp_path / 'www'}" if target == "folder" else "git:pages"

    def shown() -> set[str]:
        return set(files_in(tmp_path / "www")) if target == "folder" else branch_files(registry, "pages")

    publish(run, registry, place)
    first = shown()
    shrink(registry, run)
    assert publish(run, registry, place, "--allow-shrink")["removed"]
    second = shown()
    assert second == set(files_in(registry.root / "site"))
    back = publish(run, registry, place, "--rollback")
    assert shown() == first
    assert 0 < len(back["written"]) < len(first)
    assert set(back["removed"]) == second - first


@pytest.mark.parametrize("target", ["folder", "git"])
def test_the_site_of_another_registry_is_not_replaced(
    registry: RepoBuilder, run: Run, tmp_path: Path, target: str
) -> None:
    place = f"folder:{tmp_path / 'www'}" if target == "folder" else "git:pages"
    publish(run, registry, place)
    if target == "folder":
        other = RepoBuilder(tmp_path / "other")
        for name in "abcd":
            other.define(name)
        other.commit()
        index(other, run)
        done = run("publish", place, "-C", str(other.root))
    else:
        root = json.loads(registry.git("show", f"pages:{ROOT_FILE}"))
        edit_branch(registry, {ROOT_FILE: json.dumps({**root, "registry_id": "another"})})
        done = run("publish", place, "-C", str(registry.root))
    assert (done.code, "another registry is published there" in done.err) == (3, True), done.err


def test_a_published_site_is_not_a_site_to_publish(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    publish(run, registry, f"folder:{tmp_path / 'www'}")
    done = run(
        "publish", f"folder:{tmp_path / 'x'}", "-C", str(registry.root), "--out", str(tmp_path / "www")
    )
    assert (done.code, "is a published site" in done.err) == (2, True), done.err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("remote", [None, "origin"])
def test_a_branch_that_moves_meanwhile_is_not_overwritten(
    registry: RepoBuilder, run: Run, tmp_path: Path, remote: str | None
) -> None:
    there = registry
    if remote is not None:
        subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "there.git")], check=True)
        registry.git("remote", "add", remote, str(tmp_path / "there.git"))
        there = RepoBuilder.at(tmp_path / "there.git", registry.clock)
    publish(run, registry, "git:pages", *(["--remote", remote] if remote is not None else []))
    change(registry, run, "Another title")
    repository = open_repository(registry.root)
    assert repository is not None
    place = BranchDestination(repository, "pages", remote, signature_now("Ann", "ann@example.org"))
    plan = plan_publication(Site(registry.root / "site"), place, lambda *_: None)
    assert plan.publication is not None
    moved = there.git("commit-tree", "pages^{tree}", "-p", "pages", "-m", "Another publication")
    there.git("update-ref", "refs/heads/pages", moved)
    with pytest.raises(RefusedError, match="has moved since it was read"):
        place.publish(plan.publication, plan.changes, lambda *_: None)
    assert there.git("rev-parse", "pages") == moved


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        (ROOT_FILE, lambda _: b""),
        (ROOT_FILE, lambda data: data.replace(b'"format": 1', b'"format": 2')),
        (ROOT_FILE, lambda data: data.replace(b'"sequence": 1', b'"sequence": "1"')),
        (ROOT_FILE, lambda data: json.dumps({**json.loads(data), "leaves": []}).encode()),
        ("_registry/tree/7f", lambda _: b"no digest\n"),
        ("_registry/tree/7f", lambda _: None),
    ],
    ids=["empty", "format", "number", "leaves", "leaf", "no leaf"],
)
def test_a_damaged_publication_is_reported_and_kept(
    registry: RepoBuilder, run: Run, tmp_path: Path, path: str, edit: Callable[[bytes], bytes | None]
) -> None:
    www = tmp_path / "www"
    publish(run, registry, f"folder:{www}")
    data = edit((www / path).read_bytes())
    (www / path).unlink()
    if data is not None:
        (www / path).write_bytes(data)
    before = files_and_root(www)
    change(registry, run, "Another title")
    done = run("publish", f"folder:{www}", "-C", str(registry.root))
    assert (done.code, "is not a complete publication" in done.err) == (3, True), done.err
    assert files_and_root(www) == before
    done = run("verify", str(www))
    assert (done.code, path in done.err) == (1, True), done.err


def test_a_damaged_file_of_digests_and_a_lost_manifest_only_cost_time(
    built_in_place: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    registry = built_in_place
    publish(run, registry, f"folder:{tmp_path / 'first'}")
    generations = registry.root / ".site.generations"
    digests = generations / ".digests.sqlite"
    data = digests.read_bytes()
    digests.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    publish(run, registry, f"folder:{tmp_path / 'second'}")
    for one in generations.glob(".manifest*"):
        one.unlink()
    publish(run, registry, f"folder:{tmp_path / 'third'}")
    assert run("verify", str(tmp_path / "third")).code == 0
    roots = {(tmp_path / name / ROOT_FILE).read_bytes() for name in ("first", "second", "third")}
    assert len(roots) == 1


def forge(folder: Path, files: dict[str, bytes | None], **facts: Any) -> None:
    """Change files of a published folder and make its digests fit them, as the owner of its server can."""
    kept = files_in(folder)
    for path, data in files.items():
        (folder / path).unlink(missing_ok=True)
        kept.pop(path, None)
        if data is not None:
            (folder / path).write_bytes(data)
            kept[path] = data
    leaves = leaf_files({path: FileDigest(hex_digest(data), len(data)) for path, data in kept.items()})
    for path, data in leaves.items():
        (folder / path).unlink()
        (folder / path).write_bytes(data)
    root = parse_root((folder / ROOT_FILE).read_bytes())
    (folder / ROOT_FILE).unlink()
    (folder / ROOT_FILE).write_bytes(
        replace(root, leaves=tuple(map(hex_digest, leaves.values())), **facts).to_bytes()
    )


def test_a_consistent_forgery_is_found_with_the_state_or_the_signature(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"ci@example.org {(tmp_path / 'key.pub').read_text()}")
    www, state = tmp_path / "www", tmp_path / "state.json"
    publish(run, registry, f"folder:{www}", "--sign", str(tmp_path / "key"))
    assert run("verify", str(www), "--state", str(state), "--allowed-signers", str(signers)).code == 0
    files = files_in(www)
    page, ledger = "process_definition/a/index.html", files["api/ledger.ndjson"]
    lines = ledger.splitlines(keepends=True)
    other = lines[0].replace(b'"a"', b'"x"')

    def found(**words: str) -> str:
        done = run("verify", str(www), *words.get("with_", "").split())
        assert done.code == (1 if done.err else 0)
        return done.err

    with_state = f"--state {state}"
    forge(www, {page: files[page] + b"!"})
    assert found() == ""  # consistent in itself
    assert "fork: another state with sequence 1 was seen before" in found(with_=with_state)
    assert "does not fit the site" in found(with_=f"--allowed-signers {signers}")
    forge(www, {page: files[page]}, sequence=2, registry_id="another")
    assert "the site is of registry another" in found(with_=with_state)
    owner = json.loads(state.read_text())["registry_id"]
    forge(www, {}, registry_id=owner, ledger_head="0" * 64)
    assert "api/ledger.ndjson does not end as the root says" in found()
    head = hex_digest(lines[0].rstrip(b"\n"))
    forge(www, {"api/ledger.ndjson": lines[0]}, ledger_lines=1, ledger_head=head)
    assert "rollback: the ledger has 1 lines, and had 2" in found(with_=with_state)
    twice = hex_digest(other.rstrip(b"\n"))
    forge(www, {"api/ledger.ndjson": other + other}, ledger_lines=2, ledger_head=twice)
    assert "fork of the ledger: line 2 is not the one that was seen before" in found(with_=with_state)
    head = hex_digest(lines[1].rstrip(b"\n"))
    forge(www, {"api/ledger.ndjson": other + lines[1]}, ledger_lines=2, ledger_head=head)
    assert "api/ledger.ndjson:2: the ledger is broken" in found(with_=with_state)


def test_a_leaf_that_does_not_fit_and_a_missing_file_are_found(
    registry: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    www = tmp_path / "www"
    publish(run, registry, f"folder:{www}")
    page = page_of(www)
    page.unlink()
    done = run("verify", str(www))
    assert (done.code, "process_definition/a/index.html is missing" in done.err) == (1, True)
    leaf = www / leaf_file(leaf_of("process_definition/a/index.html"))
    lines = leaf.read_text().splitlines(keepends=True)
    leaf.unlink()
    leaf.write_text(
        "".join(line for line in lines if not line.endswith(" process_definition/a/index.html\n"))
    )
    done = run("verify", str(www))
    assert (done.code, "does not fit the root" in done.err) == (1, True)
