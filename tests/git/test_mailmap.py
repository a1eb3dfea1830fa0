"""`.mailmap` is read as git reads it, from the commit that is shown."""

import random
import subprocess
from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache
from registry.cache.cache_file import CacheFile
from registry.git.mailmap import LARGEST_MAILMAP_BYTES, Mailmap
from registry.load.source import open_source
from registry.pipeline import build, snapshot_of
from registry.review.blame import blame
from registry.review.changelog import changelog
from registry.site import Site
from tests.support.repo import RepoBuilder

LINES = (
    "# a comment",
    "",
    "Ana <ana@x.org>",
    "Ana B. <ana@x.org> <a@old.org>",
    "<new@x.org> <a@old.org>",
    "Bo <bo@x.org> Bob <A@old.org>",
    "  Zoë Müller  <zoe@x.org>   zoe <ZOE@old.org>  trailing",
    "broken",
    "broken <",
    "<> <a@old.org>",
    "Nobody <>",
    "X <x@x.org> <>",
    "Q <q@x.org> bob <a@OLD.org>",
    "<only@x.org>",
    "<new@x.org> Bob <a@old.org>",
    " # Ana <ana@x.org>",
    "Ana <ana@x.org>\r",
)
PEOPLE = [
    (name, address)
    for name in ("Ana", "Bob", "bob", "zoe", "X y")
    for address in ("ana@x.org", "a@old.org", "A@OLD.org", "zoe@old.org", "")
]


def test_names_are_those_that_git_gives(tmp_path: Path) -> None:
    rng = random.Random(1)
    people = "".join(f"{name} <{address}>\n" for name, address in PEOPLE)
    for _ in range(60):
        text = "\n".join(rng.choices(LINES, k=rng.randrange(8)))
        (tmp_path / "mailmap").write_text(text, newline="")
        asked = ["git", "-c", f"mailmap.file={tmp_path}/mailmap", "check-mailmap", "--stdin"]
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
        expected = subprocess.run(
            asked, input=people, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        mailmap = Mailmap(text.encode())
        assert [mailmap.name(*one) for one in PEOPLE] == [line.rpartition(" <")[0] for line in expected], text


def _authors(repo: RepoBuilder, source: str, memory: BuildCache) -> list[str]:
    snapshot, problems = snapshot_of(open_source(repo.root, source), cache=memory)
    assert snapshot is not None, problems
    assert {
        one.revision.author for one in blame(snapshot, snapshot.revisions["process_definition", "a"])
    } <= {one.author for one in snapshot.revisions["process_definition", "a"]}
    return [one.author for one in snapshot.revisions["process_definition", "a"] if one.commit]


def test_the_mailmap_of_the_shown_commit_counts(
    repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(f"[mailmap]\n\tfile = {tmp_path}/mine\n")
    (tmp_path / "mine").write_text("Mine <ana@example.org>\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    repo.define("a")
    first = repo.commit("add")
    repo.write(".mailmap", "Ana Author <ana@example.org>\n")
    second = repo.commit("with a mailmap")
    repo.write(".mailmap", "Not committed <ana@example.org>\n")
    memory = BuildCache(CacheFile(repo.root))
    assert _authors(repo, first, memory) == ["Ana Autor"]
    assert _authors(repo, second, memory) == ["Ana Author"]
    assert _authors(repo, "worktree", memory) == ["Ana Author"]
    assert _authors(repo, first, memory) == ["Ana Autor"]
    assert {one.author for entry in changelog(repo.root).entries for one in entry.commits} == {"Ana Author"}


def test_a_new_mailmap_changes_the_pages_of_an_incremental_build(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit("add")
    site = Site(tmp_path / "site")
    build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))
    repo.write(".mailmap", "Ana Author <ana@example.org>\n")
    repo.commit("name")
    build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))
    assert "Ana Author" in (site.out / "process_definition/a/index.html").read_text()
    assert "Ana Author" in (site.out / "api/process_definition/by-name/a.json").read_text()


def test_a_mailmap_that_is_a_link_or_very_large_is_ignored(repo: RepoBuilder) -> None:
    repo.write("names", "Other <ana@example.org>\n")
    (repo.root / ".mailmap").symlink_to("names")
    repo.define("a")
    repo.commit("add")
    assert _authors(repo, "HEAD", BuildCache()) == ["Ana Autor"]
    (repo.root / ".mailmap").unlink()
    repo.write(".mailmap", "Other <ana@example.org>\n" + "#" * LARGEST_MAILMAP_BYTES)
    repo.commit("large")
    assert _authors(repo, "HEAD", BuildCache()) == ["Ana Autor"]
