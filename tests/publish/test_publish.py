"""Publishing to folders and branches: what readers see, what is refused, and what verification finds."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from registry.publish.hash_tree import ROOT_FILE, SIGNATURE_FILE
from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def registry(repo: RepoBuilder, run: Run) -> RepoBuilder:
    """A registry with two definitions that have ids, built to `site`."""
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
    build(registry, run, "--history", "commits")
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


def files_and_root(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    folder = folder.resolve()
    return {
        one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


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
def test_a_killed_publication_leaves_a_whole_state(
    registry: RepoBuilder, run: Run, tmp_path: Path, target: str
) -> None:
    www = tmp_path / "www"
    place = f"folder:{www}" if target == "folder" else "git:pages"
    publish(run, registry, place)
    for number in range(5):
        change(registry, run, f"Title {number}")
        command = [sys.executable, "-m", "registry", "publish", place, "-C", str(registry.root)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(0.15 + number * 0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
        if target == "git":
            registry.git("fsck", "--strict", "--no-dangling")
            registry.git("worktree", "add", "-q", "--detach", "--force", str(www), "pages")
        done = run("verify", str(www))
        assert done.code == 0, done.err
        if target == "git":
            registry.git("worktree", "remove", "--force", str(www))
    assert publish(run, registry, place)["sequence"] >= 2
    assert publish(run, registry, place)["published"] is False
