"""What a repository brings in place of our own folders and files: links, hostile caches. Nothing is written outside, nothing hangs."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.cache.cache_file import CacheFile
from registry.errors import UsageError
from registry.files.atomic_write import create_files
from tests.conftest import Run
from tests.support.repo import RepoBuilder

Prepare = Callable[[Path, Path], None]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    return folder


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    repo = RepoBuilder(tmp_path_factory.mktemp("links") / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a")
    repo.commit("add")
    return repo


@pytest.fixture
def registry(committed: RepoBuilder, tmp_path: Path) -> RepoBuilder:
    """A registry of one definition."""
    return committed.copied_to(tmp_path / "repo")


@pytest.fixture(scope="module")
def built_once(committed: RepoBuilder, tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    repo = committed.copied_to(tmp_path_factory.mktemp("built") / "repo")
    build(repo.root)
    return repo


@pytest.fixture
def built(built_once: RepoBuilder, tmp_path: Path) -> RepoBuilder:
    """A registry with its cache and site."""
    return built_once.copied_to(tmp_path / "repo")


def untouched(outside: Path) -> bool:
    return {path.name: path.read_text() for path in outside.rglob("*")} == {"precious.txt": "mine"}


def link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


class TestLinks:
    def test_generations_that_are_a_link_are_refused(
        self, registry: RepoBuilder, outside: Path, run: Run
    ) -> None:
        link(registry.root / ".site.generations", outside)
        registry.commit("hostile")
        outcome = run("build", "-C", str(registry.root))
        assert (outcome.code, ".site.generations is a link" in outcome.err) == (3, True)
        assert untouched(outside)

    @pytest.mark.parametrize("target", ["", "precious.txt", "new.txt"])
    def test_links_among_the_generations_are_not_followed(
        self, registry: RepoBuilder, outside: Path, run: Run, target: str
    ) -> None:
        for name in (
            ".lock",
            ".probe",
            ".manifest.sqlite",
            ".manifest.sqlite-wal",
            ".next",
            "000001",
            "000007.partial",
            "000003/index.html",
        ):
            link(registry.root / ".site.generations" / name, outside / target)
        registry.commit("hostile")
        for number in range(4):
            registry.define("a", f"title: A\nowners: [t]\ndefinition: {{exec: /bin/a{number}}}\n")
            outcome = run("build", "-C", str(registry.root))
            assert outcome.code == 0, outcome.err
            assert untouched(outside)
        assert b"/bin/a3" in (registry.root / "site/process_definition/a/index.html").read_bytes()

    @pytest.mark.parametrize("command", ["build", "show", "log"])
    @pytest.mark.parametrize("name", [".registry", ".registry/cache"])
    def test_a_cache_behind_a_link_is_not_used_and_that_is_said(
        self, registry: RepoBuilder, outside: Path, run: Run, name: str, command: str
    ) -> None:
        link(registry.root / name, outside)
        registry.commit("hostile")
        outcome = run(command, *(["a"] if command != "build" else []), "-C", str(registry.root))
        assert (
            outcome.code,
            f"the cache is not used, so this takes longer: {name} is a link" in outcome.err,
        ) == (0, True)
        assert untouched(outside)

    @pytest.mark.parametrize(
        "name", [".gitignore", "cache/cache.sqlite", "cache/cache.sqlite-wal", "cache/cache.sqlite-shm"]
    )
    @pytest.mark.parametrize("target", ["precious.txt", "new.txt"])
    @pytest.mark.parametrize("is_committed", [True, False])
    def test_links_among_the_files_of_the_cache_are_not_followed(
        self, registry: RepoBuilder, outside: Path, run: Run, name: str, target: str, is_committed: bool
    ) -> None:
        link(registry.root / ".registry" / name, outside / target)
        if is_committed:
            registry.commit("hostile")
        for _ in range(2):
            assert run("build", "-C", str(registry.root)).code == 0
            assert untouched(outside)

    @pytest.mark.parametrize("name", ["definitions/process_definition/new", "definitions/application"])
    def test_new_definitions_are_not_written_through_a_link(
        self, registry: RepoBuilder, outside: Path, run: Run, name: str
    ) -> None:
        link(registry.root / name, outside)
        kind, words = (
            ("application", [])
            if name.endswith("application")
            else ("process_definition", ["--exec", "/bin/x"])
        )
        outcome = run("new", kind, "new/b", "-C", str(registry.root), *words)
        assert (outcome.code, "is a link" in outcome.err) == (3, True)
        assert untouched(outside)

    def test_new_files_of_a_registry_are_not_written_through_a_link(
        self, tmp_path: Path, outside: Path, run: Run
    ) -> None:
        for name in (".github", ".vscode", "schema"):
            folder = tmp_path / name.strip(".")
            link(folder / name, outside)
            outcome = run("init", str(folder))
            assert (outcome.code, "is a link" in outcome.err) == (3, True)
            assert untouched(outside)
            assert [path.name for path in folder.rglob("*") if path.is_file()] == [
                "precious.txt"
            ] * path_count(folder)

    @pytest.mark.parametrize("last", ["b", "b/x"])
    def test_new_files_are_written_all_or_none_and_what_was_there_stays(
        self, tmp_path: Path, last: str
    ) -> None:
        (tmp_path / "b").write_text("mine")
        with pytest.raises(UsageError, match="cannot be written"):
            create_files(tmp_path, {"a": b"1", "c/d": b"2", last: b"3"})
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b"]
        assert (tmp_path / "b").read_text() == "mine"

    @pytest.mark.parametrize(
        "name", ["schema", "schema/adapters", "schema/adapters.schema.json", "schema/application.schema.json"]
    )
    @pytest.mark.parametrize("target", ["", "new"])
    def test_schemas_for_editors_are_not_written_through_a_link(
        self, registry: RepoBuilder, outside: Path, run: Run, name: str, target: str
    ) -> None:
        link(registry.root / name, outside / target)
        assert run("schema", "--write", "-C", str(registry.root)).code in (0, 1, 2, 3)
        assert untouched(outside)

    @pytest.mark.parametrize("name", ["definitions/ledger.jsonl", "registry.yaml"])
    def test_ids_are_not_given_through_a_link(
        self, repo: RepoBuilder, outside: Path, run: Run, name: str
    ) -> None:
        repo.define("a")
        link(repo.root / name, outside / "new.txt")
        outcome = run("index", "--no-commit", "-C", str(repo.root))
        assert outcome.code in (1, 3)
        assert untouched(outside)
        assert (repo.root / name).is_symlink()
        assert "id:" not in (repo.root / "definitions/process_definition/a.yaml").read_text()


def path_count(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


# Where a site would lie among files of the registry or of git.
PLACES = (
    "definitions/site",
    "definitions/process_definition/x",
    "schema/site",
    "samples",
    "samples/a/b",
    "site_templates/x",
    ".git/site",
    ".git/hooks/x",
    ".registry/site",
    ".github/site",
    "x/.git/site",
    ".site.generations/x",
    "Definitions/site",
    "registry.yaml",
)


class TestPlaces:
    @pytest.mark.parametrize("way", ["option", "setting"])
    def test_a_place_among_other_files_is_refused(self, registry: RepoBuilder, run: Run, way: str) -> None:
        before = sorted(registry.root.rglob("*"))
        for place in PLACES:
            if way == "setting":
                registry.write("registry.yaml", f"registry_id: registry-1\noutput: {place}\n")
            words = ["--out", str(registry.root / place)] if way == "option" else []
            outcome = run("build", "-C", str(registry.root), *words)
            assert outcome.code in (1, 2, 3), place
            assert outcome.err, place
            after = sorted(path for path in registry.root.rglob("*") if ".registry" not in path.parts)
            assert after == before, place
        registry.write("registry.yaml", "registry_id: registry-1\n")
        assert run("build", "-C", str(registry.root)).code == 0

    @pytest.mark.parametrize("place", [".", "..", "site/x", "docs/../definitions/x", "way/x"])
    def test_ways_around_are_refused_too(
        self, registry: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        assert run("build", "-C", str(registry.root)).code == 0
        (registry.root / "docs").mkdir()
        (registry.root / "way").symlink_to("definitions")
        monkeypatch.chdir(registry.root)
        assert run("build", "--out", place).code in (2, 3)
        assert run("build").code == 0

    def test_a_place_behind_a_link_of_the_registry_is_refused(
        self, registry: RepoBuilder, outside: Path, run: Run
    ) -> None:
        link(registry.root / "public", outside)
        registry.write("registry.yaml", "registry_id: registry-1\noutput: public/site\n")
        registry.commit("hostile")
        outcome = run("build", "-C", str(registry.root))
        assert (outcome.code, "public is a link" in outcome.err) == (3, True)
        assert untouched(outside)

    def test_a_place_of_the_user_may_be_behind_a_link(
        self, registry: RepoBuilder, tmp_path: Path, run: Run
    ) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "srv").symlink_to(tmp_path / "disk")
        (tmp_path / "clone").symlink_to(registry.root)
        assert run("build", "-C", str(tmp_path / "clone"), "--out", str(tmp_path / "srv/site")).code == 0
        assert (tmp_path / "disk/site/index.html").is_file()
        assert run("build", "-C", str(tmp_path / "clone")).code == 0
        assert (registry.root / "site/index.html").is_file()


ENDLESS = "WITH RECURSIVE n(key, value) AS (SELECT '1', x'00' UNION ALL SELECT key || '1', value FROM n) SELECT key, value FROM n"


def hostile_view(place: Path) -> None:
    """Every table of the real file as a view that never ends."""
    with sqlite3.connect(place) as made:
        names = [name for (name,) in made.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            columns = [row[1] for row in made.execute(f"PRAGMA table_info({name})")]
            made.execute(f"DROP TABLE {name}")
            made.execute(
                f"CREATE VIEW {name} AS SELECT {', '.join(f'key AS {one}' for one in columns)} FROM ({ENDLESS})"
            )
    made.close()


def hostile_trigger(place: Path) -> None:
    """The real tables, on which every write sets off one that never ends."""
    with sqlite3.connect(place) as made:
        for (name,) in made.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for event in ("INSERT", "UPDATE", "DELETE"):
                made.execute(
                    f"CREATE TRIGGER {name}_{event} AFTER {event} ON {name} BEGIN SELECT count(*) FROM ({ENDLESS}); END"
                )
    made.close()


def hostile_table(place: Path) -> None:
    """Another table of the same name, with values that are no bytes."""
    with sqlite3.connect(place) as made:
        for (name,) in made.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            made.execute(f"DROP TABLE {name}")
            made.execute(
                f"CREATE TABLE {name} (key, value, program, file, folder_id, folder, inode, files, fingerprints, name, prefixes, path_template)"
            )
            made.execute(f"INSERT INTO {name} (key, value, folder, inode) VALUES (1, 2, 3, 4)")
    made.close()


def nonsense(place: Path) -> None:
    place.write_bytes(b"SQLite format 3\0" + os.urandom(5000))


def folder(place: Path) -> None:
    place.unlink()
    (place / "x").mkdir(parents=True)


class TestHostileCaches:
    @pytest.mark.parametrize("name", [".registry/cache/cache.sqlite", ".site.generations/.manifest.sqlite"])
    @pytest.mark.parametrize(
        ("spoil", "way"),
        [
            (hostile_view, "committed"),
            (hostile_trigger, "copied"),
            *(
                (spoil, "in place")
                for spoil in (hostile_view, hostile_trigger, hostile_table, nonsense, folder)
            ),
            pytest.param(hostile_trigger, "committed", marks=pytest.mark.soak),
            pytest.param(hostile_view, "copied", marks=pytest.mark.soak),
        ],
    )
    def test_a_build_ends_and_gives_the_same_site(
        self, built: RepoBuilder, tmp_path: Path, spoil: Callable[[Path], None], name: str, way: str
    ) -> None:
        registry = built
        expected = (registry.root / "site/api/snapshot.json").read_bytes()
        place = registry.root / name
        spoil(place)
        root = registry.root
        if way == "committed":
            (root / ".registry/.gitignore").unlink(missing_ok=True)
            registry.git("rm", "-q", "--cached", "--ignore-unmatch", "-r", "site")
            registry.git("add", "-f", name)
            registry.git("commit", "-q", "--allow-empty", "-m", "hostile")
            registry.git("clone", "-q", str(root), str(tmp_path / "clone"))
            root = tmp_path / "clone"
        elif way == "copied":
            root = tmp_path / "copy"
            shutil.copytree(registry.root, root, symlinks=True)
        (root / "definitions/process_definition/a.yaml").touch()
        build(root)
        if way != "committed":
            assert (root / "site/api/snapshot.json").read_bytes() == expected
        assert (root / "site/process_definition/a/index.html").is_file()

    def test_a_cache_that_git_tracks_is_neither_used_nor_changed(self, built: RepoBuilder, run: Run) -> None:
        registry = built
        cache = registry.root / ".registry/cache/cache.sqlite"
        (registry.root / ".registry/.gitignore").unlink()
        registry.git("add", "-f", ".registry")
        registry.git("commit", "-q", "-m", "cache")
        before = cache.read_bytes()
        registry.define("b")
        outcome = run("build", "-C", str(registry.root))
        assert (outcome.code, "git tracks files in .registry/" in outcome.err) == (0, True)
        assert cache.read_bytes() == before
        assert (registry.root / "site/process_definition/b/index.html").is_file()

    def test_a_cache_with_another_name_is_made_from_scratch(self, tmp_path: Path) -> None:
        """A hard link could come from an archive: what is written would be another file's."""
        cache = CacheFile(tmp_path)
        assert cache.keep({"answers": [("a", b"1")]})
        cache.close()
        place = tmp_path / ".registry/cache/cache.sqlite"
        os.link(place, tmp_path / "other")
        before = (tmp_path / "other").read_bytes()
        again = CacheFile(tmp_path)
        assert again.get("answers", "a") is None
        assert again.keep({"answers": [("a", b"2")]})
        again.close()
        assert (tmp_path / "other").read_bytes() == before
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert CacheFile(tmp_path).get("answers", "a") == b"2"

    def test_several_processes_make_one_cache(self, tmp_path: Path) -> None:
        program = (
            "import sys; from pathlib import Path; from registry.cache.cache_file import CacheFile; cache = CacheFile(Path(sys.argv[1]))\n"
            "for number in range(20): assert cache.keep({'answers': [(f'{sys.argv[2]} {number}', b'1')]})\n"
        )
        started = [
            subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(number)])
            for number in range(4)
        ]
        assert [one.wait(120) for one in started] == [0] * 4
        assert len(CacheFile(tmp_path).all_of("answers")) == 80


def build(root: Path) -> None:
    """In a process of its own: a hang would otherwise be the test run's."""
    command = [sys.executable, "-m", "registry", "build", "-C", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
