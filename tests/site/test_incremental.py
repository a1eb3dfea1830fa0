"""Building upon what was there gives the bytes of a build from nothing, whatever happened in between."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache
from registry.cache.cache_file import FOLDER, CacheFile
from registry.errors import UsageError
from registry.load.source import open_source
from registry.pipeline import build, snapshot_of
from registry.site import Site
from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.seeds import seeds

KIND = "definitions/process_definition"
FEW = 6
"""Number of seeds in `make test`: each combination of layout and addresses once."""
SCHEMA = '{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "%s", "type": "object", "x-registry": {"title": "%s", "plural": "Sites"}}'


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes; folders as well."""
    folder = folder.resolve()
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"/"
        for path in folder.rglob("*")
    }


class Author:
    """Does to a registry, at random, what people do."""

    def __init__(self, repo: RepoBuilder, seed: int) -> None:
        self.repo, self.rng = repo, random.Random(seed)
        self.commits: list[str] = []

    def text(self, number: int | None = None) -> str:
        rng = self.rng
        application = f"  application: {rng.choice(('app', 'app2'))}\n" if rng.random() < 0.5 else ""
        lifecycle = rng.choice(("", "lifecycle: experimental\n", "lifecycle: deprecated\n"))
        head = f"id: {number}\n" if number else ""
        return f"{head}title: T{rng.randrange(9)}\nowners: [t]\n{lifecycle}definition:\n  exec: /bin/x\n{application}  argv: ['{rng.random()}']\n"

    def files(self) -> list[Path]:
        return sorted((self.repo.root / KIND).rglob("*.yaml"))

    def step(self) -> str:  # noqa: C901, PLR0912 - a list of things to do
        """One thing; gives its name."""
        repo, rng = self.repo, self.rng
        files = self.files()
        what = rng.choice(
            (
                "edit",
                "edit",
                "edit",
                "add",
                "delete",
                "rename",
                "application",
                "commit",
                "commit",
                "index",
                "merge",
                "back",
                "settings",
                "schema",
                "template",
                "sample",
                "swap",
                "touch",
                "rewrite",
                "elsewhere",
                "clock",
            )
        )
        if what == "edit" and files:
            path = rng.choice(files)
            old = path.read_text()
            path.write_text(
                self.text(int(old.split("\n")[0].removeprefix("id: ")) if old.startswith("id: ") else None)
            )
        elif what == "add":
            repo.define(f"{rng.choice('xyz')}/n{rng.randrange(100)}", self.text())
        elif what == "delete" and len(files) > 3:
            rng.choice(files).unlink()
        elif what == "rename" and files:
            path = rng.choice(files)
            new = repo.root / KIND / rng.choice("xyz") / f"r{rng.randrange(100)}.yaml"
            if not new.exists():
                new.parent.mkdir(exist_ok=True)
                path.rename(new)
        elif what == "swap" and len(files) > 1:
            one, other = rng.sample(files, 2)
            first, second = one.read_bytes(), other.read_bytes()
            one.write_bytes(second)
            other.write_bytes(first)
        elif what == "application":
            path = repo.root / "definitions/application/app2.yaml"
            text = (
                path.read_text()
                .partition("container_image:")[0]
                .replace("title: App", f"title: App{rng.randrange(9)}", 1)
            )
            # Exports contain it.
            path.write_text(f"{text}container_image: 'example.org/i:{rng.randrange(9)}'\n")
        elif what == "touch" and files:
            os.utime(rng.choice(files))
        elif what == "settings":
            repo.write(
                "registry.yaml",
                f"registry_id: registry-1\ntitle: {rng.choice(('One', 'Two'))}\npage_size: {rng.choice((3, 20))}\n",
            )
        elif what == "schema":
            title = rng.choice("AB")
            repo.write("schema/site.schema.json", SCHEMA % (title, title))
        elif what == "template":
            own = repo.root / "site_templates/404.html"
            if own.exists():
                shutil.rmtree(own.parent)
            else:
                repo.write(
                    "site_templates/404.html",
                    '{% extends "base.html" %}{% block main %}{{ site.commit }} {{ site.revision_count }}{% endblock %}',
                )
        elif what == "sample":
            repo.write("samples/a.txt", str(rng.random()))
        elif what == "clock":  # of a machine that has never heard of the time
            repo.clock = rng.randrange(10**9, 2 * 10**9)
        elif what == "elsewhere":
            (Path(repo.git("rev-parse", "--show-toplevel")) / "other.txt").write_text(str(rng.random()))
            self.commits.append(repo.commit("something else"))
        elif what == "commit":
            self.commits.append(repo.commit(f"step {len(self.commits)}"))
        elif what == "merge":
            self.merge()
        elif what == "back" and self.commits:
            repo.commit("keep")
            repo.git("checkout", "-q", "--detach", rng.choice(self.commits))
        elif what == "rewrite" and len(self.commits) > 2:
            repo.commit("keep")
            repo.clock += 1
            repo.git("commit", "-q", "--amend", "--allow-empty", "-m", "rewritten")
        return what

    def merge(self) -> None:
        """A branch from an older commit, merged in either direction; a conflict is left to the side of HEAD."""
        repo, rng = self.repo, self.rng
        if not self.commits:
            return
        here = repo.commit("before the merge")
        repo.git("checkout", "-q", "--detach", rng.choice(self.commits))
        for _ in range(rng.randrange(1, 3)):
            repo.define(f"m/n{rng.randrange(20)}", self.text())
            repo.commit("on a branch")
        side = repo.git("rev-parse", "HEAD")
        first, second = (here, side) if rng.random() < 0.7 else (side, here)
        repo.git("checkout", "-q", "--detach", first)
        repo.clock += 60
        repo.git("merge", "-q", "-X", "ours", "-m", "merge", second, ok=False)
        if repo.git("status", "--porcelain"):
            repo.git("merge", "--abort", ok=False)
            repo.git("checkout", "-q", "-f", "--detach", here)
        self.commits.append(repo.git("rev-parse", "HEAD"))


@pytest.mark.parametrize("seed", seeds(FEW, 24))
def test_incremental_and_cold_builds_give_the_same_bytes(
    repo: RepoBuilder, run: Run, tmp_path: Path, seed: int
) -> None:
    folder = "sub/registry" if seed % 3 == 2 else ""
    layout, forms = ("compact", "full")[seed % 2], ("both", "json", "slash")[seed % 3]
    repo = RepoBuilder.at(repo.root / folder, repo.clock)
    author = Author(repo, seed)
    settings = f"registry_id: registry-1\nlayout: {layout}\naddresses: {forms}\n"
    repo.write("registry.yaml", f"{settings}exports: [procfile, compose]\n" if seed % 2 else settings)
    for name in ("app", "app2"):
        repo.define(name, kind="application")
    for number in range(8):
        repo.define(f"x/d{number}", author.text())
    repo.commit("start")
    site = Site(tmp_path / "site")
    memory = BuildCache(CacheFile(repo.root))
    built = 0
    steps = 14 if seed < FEW else 30
    for number in range(steps):
        what = author.step()
        if what == "index":
            run("index", "-C", str(repo.root), "--no-commit")
        if author.rng.random() < 0.3:
            memory = BuildCache(CacheFile(repo.root))  # another process
        result = build(open_source(repo.root), site, cache=memory)
        cold = Site(tmp_path / f"cold{number}")
        expected = build(open_source(repo.root), cold, from_nothing=True)
        assert result.problems == expected.problems, what
        if expected.snapshot is not None:
            built += 1
            assert tree(site.out) == tree(cold.out), what
            assert (
                result.files
                == expected.files
                == sum(data != b"/" or path.endswith(".x") for path, data in tree(site.out).items())
            )
            shutil.rmtree(cold.generations)
    assert built > 4


def test_one_edit_makes_only_what_shows_it(repo: RepoBuilder, tmp_path: Path) -> None:
    for number in range(30):
        repo.define(f"d{number}", f"title: T\nowners: [t]\ndefinition: {{exec: /bin/{number}}}\n")
    repo.commit("start")
    site = Site(tmp_path / "site")
    build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))
    repo.define("d7", "title: T\nowners: [t]\ndefinition: {exec: /bin/other}\n")
    result = build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))
    # Its page and answers, the index, the snapshot, and its page in the lists: of all, of the folder, of the
    # owner, of the lifecycle, of the newest changes; and the changes with their feed. In the search, the terms
    # of the old and of the new executable, and the words that end like the new one.
    assert result.changed == 13
    assert result.files > 100


def test_many_definitions_whose_documents_are_put_aside(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    for number in range(600):
        repo.define(f"g/d{number}", f"title: T{number}\nowners: [t]\ndefinition: {{exec: /bin/{number}}}\n")
    repo.commit("start")
    assert run("index", "-C", str(repo.root)).code == 0
    site, cold = Site(tmp_path / "site"), Site(tmp_path / "cold")
    memory = BuildCache(CacheFile(repo.root))
    build(open_source(repo.root), site, cache=memory)
    path = repo.root / KIND / "g/d300.yaml"
    path.write_text(path.read_text().replace("/bin/300", "/bin/other"))
    (repo.root / KIND / "g/d5.yaml").unlink()
    repo.commit("one edited, one gone")
    for known in (memory, BuildCache(CacheFile(repo.root))):
        assert build(open_source(repo.root), site, cache=known).changed < 90  # lists tell how many there are
    build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))
    build(open_source(repo.root), cold, from_nothing=True)
    assert tree(site.out) == tree(cold.out)
    api = site.out / "api/process_definition"
    everything = json.loads((api / "all.json").read_text())["objects"]
    assert [one["id"] for one in everything] == sorted({one["id"] for one in everything})
    assert len(everything) == 599
    assert [json.loads(line) for line in (api / "all.ndjson").read_text().splitlines()] == everything


def test_references_of_a_kind_that_change_under_a_running_program(repo: RepoBuilder, tmp_path: Path) -> None:
    schema = SCHEMA % ("Site", "Site")
    repo.write("schema/site.schema.json", schema)
    repo.define("oslo", "title: Oslo\nowners: [t]\nowner: nobody\n", "site")
    repo.commit("start")
    memory = BuildCache(CacheFile(repo.root))
    site = Site(tmp_path / "site")
    assert build(open_source(repo.root), site, cache=memory).snapshot is not None
    repo.write(
        "schema/site.schema.json",
        schema.replace('"plural"', '"references": [{"pointer": "/owner", "kind": "application"}], "plural"'),
    )
    for known in (memory, BuildCache(CacheFile(repo.root))):
        found = build(open_source(repo.root), site, cache=known)
        assert [(problem.rule, problem.message) for problem in found.problems] == [
            ("R001", "application `nobody` does not exist")
        ]


def test_a_cache_that_is_emptied_while_it_is_used(repo: RepoBuilder) -> None:
    committed = "title: One\nowners: [t]\ndefinition: {exec: /bin/one}\n"
    repo.define("one", committed)
    repo.commit("start")
    repo.define("two")
    time.sleep(0.2)  # what was written this moment is read again
    snapshot_of(open_source(repo.root), cache=BuildCache(CacheFile(repo.root)))
    snapshot, _ = snapshot_of(open_source(repo.root), cache=BuildCache(CacheFile(repo.root)))
    assert snapshot is not None
    with closing(sqlite3.connect(repo.root / FOLDER / "cache.sqlite")) as connection:
        connection.execute("DELETE FROM documents")
        connection.commit()
    one, two = (snapshot.by_name["process_definition", name] for name in ("one", "two"))
    assert one.data["title"] == "One"
    assert one.raw == committed.encode()
    with pytest.raises(UsageError, match=r"two\.yaml is missing in the cache"):
        _ = two.data


def test_a_command_that_finds_nothing_changed_says_so_and_writes_nothing(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    path = repo.define("a")
    repo.commit("start")
    old = time.time() - 60
    for file in [path, *(repo.root / ".git").rglob("*")]:
        os.utime(file, (old, old))
    words = ["build", "-C", str(repo.root), "--out", str(tmp_path / "site")]
    assert "Nothing has changed" not in run(*words).out
    before = (tmp_path / "site").readlink()
    assert "Nothing has changed" in run(*words).out
    assert (tmp_path / "site").readlink() == before
    assert "Nothing has changed" not in run(*words, "--from-nothing").out
    path.write_text(path.read_text().replace("A", "B"))
    assert "Nothing has changed" not in run(*words).out
    assert "title: B" in (tmp_path / "site/process_definition/a/index.html").read_text()


@pytest.mark.parametrize("damage", ["removed", "garbage", "folder", "read-only", "link", "older form"])
def test_whatever_becomes_of_the_cache_the_site_is_right(
    repo: RepoBuilder, tmp_path: Path, damage: str
) -> None:
    repo.define("a")
    repo.commit("start")
    repo.define("a", "title: Two\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    repo.commit("two")
    site = Site(tmp_path / "site")
    build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))
    file = repo.root / FOLDER / "cache.sqlite"
    assert file.exists()
    if damage == "removed":
        shutil.rmtree(file.parent)
    elif damage == "garbage":
        file.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    elif damage == "read-only":
        file.chmod(0o400)
    elif damage == "older form":
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(
                "DROP TABLE about; CREATE TABLE about (program TEXT); PRAGMA user_version = 1"
            )
    else:
        shutil.move(file, tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    repo.define("a", "title: Three\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    assert build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root))).snapshot is not None
    cold = Site(tmp_path / "cold")
    build(open_source(repo.root), cold, from_nothing=True)
    assert tree(site.out) == tree(cold.out)
    if damage in ("removed", "garbage", "older form"):
        assert CacheFile(repo.root).all_of("documents")  # and there is one again


def test_a_cache_that_came_with_a_commit_is_not_believed(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit("start")
    build(open_source(repo.root), Site(tmp_path / "site"), cache=BuildCache(CacheFile(repo.root)))
    (repo.root / ".registry/.gitignore").unlink()
    cache = CacheFile(repo.root)
    name, value = next(iter(cache.all_of("documents").items()))
    assert b"/bin/a" in value
    cache.keep({"documents": [(name, value.replace(b"/bin/a", b"/evil"))]})
    cache.close()
    for file in repo.root.glob(".registry/cache/*"):
        file.chmod(0o644)
    repo.commit("with a cache")
    repo.git("clone", "-q", str(repo.root), str(tmp_path / "clone"))
    assert (
        build(
            open_source(tmp_path / "clone", "HEAD"),
            Site(tmp_path / "other"),
            cache=BuildCache(CacheFile(tmp_path / "clone")),
        ).snapshot
        is not None
    )
    assert "/evil" not in "".join(path.read_text() for path in (tmp_path / "other").resolve().rglob("*.json"))


def test_a_build_killed_at_any_moment_leaves_a_cache_and_a_site_to_go_on_from(
    repo: RepoBuilder, tmp_path: Path
) -> None:
    for number in range(60):
        repo.define(f"d{number}")
    repo.commit("start")
    words = [sys.executable, "-m", "registry", "build", "-C", str(repo.root), "--out", str(tmp_path / "site")]
    rng = random.Random(3)
    for number in range(12):
        repo.define(f"d{number}", f"title: Round {number}\nowners: [t]\ndefinition: {{exec: /bin/a}}\n")
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, 0.9))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    cold = Site(tmp_path / "cold")
    build(open_source(repo.root), cold, from_nothing=True)
    assert tree(tmp_path / "site") == tree(cold.out)


def test_two_builds_at_once_give_one_right_site(repo: RepoBuilder, tmp_path: Path) -> None:
    for number in range(40):
        repo.define(f"d{number}")
    repo.commit("start")
    words = [sys.executable, "-m", "registry", "build", "-C", str(repo.root), "--out", str(tmp_path / "site")]
    for number in range(3):
        repo.define("d1", f"title: Round {number}\nowners: [t]\ndefinition: {{exec: /bin/a}}\n")
        running = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(3)]
        assert [process.wait() for process in running] == [0, 0, 0]
    cold = Site(tmp_path / "cold")
    build(open_source(repo.root), cold, from_nothing=True)
    assert tree(tmp_path / "site") == tree(cold.out)


def test_the_page_of_a_deleted_definition_follows_its_application(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("app", kind="application")
    repo.define("a", "title: A\nowners: [t]\ndefinition: {exec: /bin/a, application: app}\n")
    repo.define("b")
    repo.commit("start")
    assert run("index", "-C", str(repo.root)).code == 0
    (repo.root / f"{KIND}/a.yaml").unlink()
    repo.commit("delete a")
    assert run("index", "-C", str(repo.root)).code == 0
    site = Site(tmp_path / "site")
    build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))
    page = site.out / "process_definition/a/index.html"
    assert 'href="../../application/app/"' in page.read_text()
    # Not indexed yet: there is no page of the application's tombstone to lead to.
    (repo.root / "definitions/application/app.yaml").unlink()
    build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))
    build(open_source(repo.root), Site(tmp_path / "cold"), from_nothing=True)
    assert page.read_text() == (tmp_path / "cold/process_definition/a/index.html").read_text()
    assert tree(site.out) == tree(tmp_path / "cold")


def test_a_clone_made_whole_is_built_anew_though_the_commit_is_the_same(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    for title in ("One", "Two"):
        repo.define("a", f"title: {title}\nowners: [t]\ndefinition: {{exec: /bin/a}}\n")
        repo.commit(title)
    repo.git("clone", "-q", "--depth", "1", repo.root.as_uri(), str(tmp_path / "clone"))
    words = ["build", "-C", str(tmp_path / "clone"), "--source", "HEAD", "--out", str(tmp_path / "site")]
    assert "1 revision," in run(*words).out
    assert "Nothing has changed" in run(*words).out
    subprocess.run(["git", "fetch", "-q", "--unshallow"], cwd=tmp_path / "clone", check=True)
    assert "2 revisions," in run(*words).out


def test_other_fields_with_credentials_hide_them_in_old_pages_too(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    """A schema that marks a further field: what was shown before is hidden, in pages that nothing else has changed."""
    token = "Zx81kLq9" + "3vbnTT42pq"
    schema = (
        '{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Site", "type": "object", '
        '"x-registry": {"title": "Site", "plural": "Sites", "secret_fields": %s}}'
    )
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.write("schema/site.schema.json", schema % "[]")
    repo.define(
        "s", f"title: S\nowners: [t]\nlogin: {{password: {token}}}\ndefinition: {{a: b}}\n", kind="site"
    )
    repo.commit("leak")
    repo.define("s", "title: S\nowners: [t]\nlogin: {user: a}\ndefinition: {a: b}\n", kind="site")
    repo.commit("mend")
    assert run("index", "-C", str(repo.root)).code == 0
    site = Site(tmp_path / "site")
    build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))

    def told() -> bool:
        return any(
            token in path.read_text()
            for path in site.out.resolve().rglob("*")
            if path.suffix in (".html", ".json")
        )

    assert told()
    repo.write("schema/site.schema.json", schema % '["/login"]')
    build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root)))
    assert not told()
