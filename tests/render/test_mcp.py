"""The MCP Registry API v0.1 in files: versions from the history, states, pages, and nothing without the setting."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from registry.cache.build_cache import BuildCache
from registry.cache.cache_file import CacheFile
from registry.load.source import open_source
from registry.pipeline import build
from registry.site import Site
from tests.conftest import Run
from tests.site.test_incremental import tree
from tests.support.mcp import KIND, OFFICIAL, SETTINGS, mistakes, registry_with_history, server_text, summary
from tests.support.repo import RepoBuilder

WEATHER = "com.example/weather"
FOLDER = f"definitions/{KIND}"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    return registry_with_history(tmp_path_factory.mktemp("mcp") / "repo")


@pytest.fixture(scope="module")
def site(known: RepoBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(known, tmp_path_factory.mktemp("mcp") / "site")


def built(repo: RepoBuilder, folder: Path) -> Path:
    assert build(open_source(repo.root), Site(folder)).files
    return folder


def servers(repo: RepoBuilder) -> RepoBuilder:
    repo.write("registry.yaml", SETTINGS)
    return repo


def read(site: Path, path: str) -> Any:
    return json.loads((site / f"v0.1/servers/{path}/index.json").read_text(encoding="utf-8"))


def files(site: Path) -> list[str]:
    return sorted(path for path in tree(site) if path.startswith("v0.1/") and path.endswith(".json"))


def test_all_answers_are_valid(site: Path) -> None:
    found = files(site)
    assert len(found) == 10
    for path in found:
        assert mistakes(json.loads((site / path).read_text(encoding="utf-8"))) == [], path


def test_the_list_has_the_newest_version_of_each_server(site: Path) -> None:
    assert summary(read(site, "")) == [
        ("com.example/files", "1.0.0", "deprecated", True),
        (WEATHER, "1.1.0", "active", True),
    ]
    assert read(site, "")["metadata"] == {"count": 2}


def test_versions_are_those_that_the_file_had(site: Path, known: RepoBuilder) -> None:
    versions = read(site, f"{WEATHER}/versions")
    assert summary(versions) == [(WEATHER, "1.1.0", "active", True), (WEATHER, "1.0.0", "active", False)]
    assert read(site, f"{WEATHER}/versions/1.0.0") == versions["servers"][1]
    assert read(site, f"{WEATHER}/versions/latest") == versions["servers"][0]
    package = versions["servers"][1]["server"]["packages"][0]
    assert (package["version"], package["environmentVariables"][1]["isSecret"]) == ("1.0.0", True)
    # Keys are in the order of the file.
    assert list(versions["servers"][1]["server"])[:3] == ["name", "description", "version"]
    first, second = (one["_meta"][OFFICIAL] for one in reversed(versions["servers"]))
    assert first["publishedAt"] < second["publishedAt"] == second["updatedAt"]
    times = known.git("log", "--format=%at", "--reverse").split()
    assert first["publishedAt"].startswith("2023-11-1")
    assert len(times) == 4


def test_a_deleted_server_is_not_listed_and_has_no_newest_version(site: Path) -> None:
    assert summary(read(site, "com.example/gone/versions")) == [
        ("com.example/gone", "1.0.0", "deleted", False)
    ]
    assert summary(read(site, "com.example/gone/versions/1.0.0"))[0][2] == "deleted"
    assert not (site / "v0.1/servers/com.example/gone/versions/latest").exists()


def test_the_catalog_shows_a_server(site: Path) -> None:
    page = (site / f"{KIND}/{WEATHER}/index.html").read_text(encoding="utf-8")
    for text in (
        "1.1.0",
        "@example/weather",
        "WEATHER_API_KEY",
        "How the client talks to the started server.",
    ):
        assert text in page
    listed = (site / KIND / "index.html").read_text(encoding="utf-8")
    assert "MCP servers" in listed
    assert WEATHER in listed


def test_a_registry_without_the_setting_has_neither_files_nor_a_kind(
    known: RepoBuilder, tmp_path: Path
) -> None:
    repo = RepoBuilder(tmp_path / "repo")
    repo.define("a")
    repo.commit("a")
    plain = tree(built(repo, tmp_path / "plain"))
    assert not [path for path in plain if "v0.1" in path or "mcp" in path]
    # With the setting and no server, the registry's own API gains the kind, and all other answers stay.
    repo.write("registry.yaml", "protocols: [mcp]\n")
    repo.commit("setting")
    found = tree(built(repo, tmp_path / "with"))
    assert json.loads(found["v0.1/servers/index.json"]) == {"servers": [], "metadata": {"count": 0}}
    same = [path for path in plain if path.startswith("api/process_definition/") and path.endswith("json")]
    assert same and all(found[path] == plain[path] for path in same)


def test_the_last_commit_with_a_version_is_its_content(repo: RepoBuilder, tmp_path: Path) -> None:
    servers(repo)
    for version, title in (("1.0.0", "A"), ("1.0.0", "B"), ("2.0.0", "C"), ("1.0.0", "D"), ("2.0.0", "E")):
        repo.define("a.b/c", "id: 1\n" + server_text("a.b/c", version, title=title), KIND)
        repo.commit(title)
    repo.write("definitions/ledger.jsonl", "")
    site = built(repo, tmp_path / "site")
    found = read(site, "a.b/c/versions")["servers"]
    assert [(one["server"]["version"], one["server"]["title"]) for one in found] == [
        ("2.0.0", "E"),
        ("1.0.0", "D"),
    ]
    newest, older = (one["_meta"][OFFICIAL] for one in found)
    assert older["publishedAt"] < newest["publishedAt"] < older["updatedAt"] < newest["updatedAt"]


@pytest.mark.parametrize(
    "old",
    [
        {"version": "latest"},
        {"version": "^1.0.0"},
        {"version": "../../../x"},
        {"version": "index.json"},
        {"version": "1.0.0/x"},
        {"version": "9" * 300},
        {"version": "3.0.0", "name": "a.b/other"},
        {"version": "3.0.0", "description": "long" * 50},
        {"version": "3.0.0", "packages": [{"registryType": "npm"}]},
        {"version": "2.0.0-RC1"},
    ],
)
def test_older_content_that_clients_could_not_read_is_no_version(
    repo: RepoBuilder, tmp_path: Path, old: dict[str, Any]
) -> None:
    servers(repo)
    definition = {"name": "a.b/c", "description": "C", "version": "1.0.0"}
    for content in (definition, definition | old, definition | {"version": "2.0.0-rc1"}):
        repo.define("a.b/c", f"id: 1\ntitle: C\nowners: [t]\ndefinition: {json.dumps(content)}\n", KIND)
        repo.commit("one")
    site = built(repo, tmp_path / "site")
    assert [one[1] for one in summary(read(site, "a.b/c/versions"))] == ["2.0.0-rc1", "1.0.0"]
    assert len(files(site)) == 5


def test_withdrawn_versions_are_deleted_ones(repo: RepoBuilder, tmp_path: Path) -> None:
    servers(repo)
    for version, head in (("1.0.0", ""), ("1.1.0", ""), ("1.2.0", "withdrawn: [1.0.0, 1.2.0]\n")):
        repo.define("a.b/c", f"id: 1\n{server_text('a.b/c', version, head)}", KIND)
        repo.commit(version)
    found = summary(read(built(repo, tmp_path / "site"), "a.b/c/versions"))
    assert [one[1:3] for one in found] == [("1.2.0", "active"), ("1.1.0", "active"), ("1.0.0", "deleted")]


def test_a_site_with_commits_only_shows_no_earlier_content(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.write("registry.yaml", f"{SETTINGS}history: commits\n")
    for version in ("1.0.0", "1.1.0", "1.1.0"):
        repo.define("a.b/c", f"id: 1\n{server_text('a.b/c', version)}", KIND)
        repo.commit(version)
    found = read(built(repo, tmp_path / "site"), "a.b/c/versions")
    assert [one[1] for one in summary(found)] == ["1.1.0"]
    assert mistakes(found) == []


def test_what_is_not_committed_has_no_dates(repo: RepoBuilder, tmp_path: Path) -> None:
    servers(repo)
    repo.define("a.b/c", f"id: 1\n{server_text('a.b/c', '1.0.0')}", KIND)
    repo.commit("one")
    repo.define("a.b/c", f"id: 1\n{server_text('a.b/c', '1.1.0')}", KIND)
    new, old = read(built(repo, tmp_path / "site"), "a.b/c/versions")["servers"]
    assert new["_meta"][OFFICIAL] == {"status": "active", "isLatest": True}
    assert old["_meta"][OFFICIAL]["publishedAt"]


def test_a_name_that_is_in_use_again_is_the_new_server(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    servers(repo)
    path = repo.define("a.b/c", server_text("a.b/c", "1.0.0"), KIND)
    repo.commit("one")
    assert run("index", "-C", str(repo.root)).code == 0
    path.unlink()
    repo.commit("delete")
    assert run("index", "-C", str(repo.root)).code == 0
    site = Site(tmp_path / "site")
    build(open_source(repo.root), site)
    assert summary(read(site.out, "a.b/c/versions"))[0][2] == "deleted"
    repo.define("a.b/c", server_text("a.b/c", "5.0.0"), KIND)
    repo.commit("again")
    assert run("index", "-C", str(repo.root)).code == 0
    build(open_source(repo.root), site)
    assert summary(read(site.out, "a.b/c/versions"))[0] == ("a.b/c", "5.0.0", "active", True)
    assert tree(site.out) == tree(built(repo, tmp_path / "cold"))


def test_a_long_list_has_pages_that_its_cursors_name(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    servers(repo)
    for number in range(65):
        repo.define(f"a.b/s{number:02}", server_text(f"a.b/s{number:02}"), KIND)
    repo.commit("many")
    assert run("index", "-C", str(repo.root)).code == 0
    (repo.root / FOLDER / "a.b/s07.yaml").unlink()
    repo.commit("one less")
    site = built(repo, tmp_path / "site")
    seen, cursor = [], ""
    while True:
        page = read(site, f"_after/{cursor}" if cursor else "")
        assert mistakes(page) == []
        assert page["metadata"]["count"] == len(page["servers"]) <= 30
        seen += [one[0] for one in summary(page)]
        if "nextCursor" not in page["metadata"]:
            break
        cursor = page["metadata"]["nextCursor"]
    assert seen == [f"a.b/s{number:02}" for number in range(65) if number != 7]


def edited(text: str, what: str, step: int) -> str:
    """The text of a file after one edit."""
    if what == "version":
        return text.replace('1.0.0"', f'1.{step}.0"')
    if what == "edit":
        return text.replace('"About', '"More about')
    line = "lifecycle: deprecated" if what == "deprecate" else "withdrawn: [1.0.0]"
    return text if line[:9] in text else text.replace("owners: [team]", f"owners: [team]\n{line}")


def test_incremental_and_cold_builds_give_the_same_bytes(
    repo: RepoBuilder, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.render.mcp.MCP_PAGE_SIZE", 3)
    rng = random.Random(5)
    servers(repo)
    for number in range(7):
        repo.define(f"a.b/s{number}", server_text(f"a.b/s{number}"), KIND)
    repo.commit("start")
    site, memory = Site(tmp_path / "site"), BuildCache(CacheFile(repo.root))
    words = ["version", "edit", "deprecate", "withdraw", "delete", "add", "index", "settings"]
    for step, what in enumerate([*words, "version"]):
        path = rng.choice(sorted((repo.root / FOLDER / "a.b").glob("*.yaml")))
        if what == "delete":
            path.unlink()
        elif what == "add":
            repo.define(f"a.b/n{step}", server_text(f"a.b/n{step}"), KIND)
        elif what == "settings":
            repo.write("registry.yaml", f"{SETTINGS}history: {rng.choice(['commits', 'revisions'])}\n")
        elif what != "index":
            path.write_text(edited(path.read_text(), what, step))
        if rng.random() < 0.7:
            repo.commit(what)
        if what == "index" or step == 0:
            assert run("index", "-C", str(repo.root), "--no-commit").code == 0
        if rng.random() < 0.3:
            memory = BuildCache(CacheFile(repo.root))
        build(open_source(repo.root), site, cache=memory)
        cold = Site(tmp_path / f"cold{step}")
        build(open_source(repo.root), cold, from_nothing=True)
        assert tree(site.out) == tree(cold.out), what
        shutil.rmtree(cold.generations)
    assert len(files(site.out)) > 15


def test_one_edit_makes_only_the_server_and_its_page(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    servers(repo)
    for number in range(65):
        repo.define(f"a.b/s{number:02}", server_text(f"a.b/s{number:02}"), KIND)
    repo.commit("start")
    assert run("index", "-C", str(repo.root)).code == 0
    site = Site(tmp_path / "site")
    build(open_source(repo.root), site)
    before = {path: (site.out / path).stat().st_ino for path in files(site.out)}
    path = repo.root / FOLDER / "a.b/s40.yaml"
    path.write_text(path.read_text().replace('1.0.0"', '1.1.0"'))
    repo.commit("edit")
    build(open_source(repo.root), site)
    changed = [path for path, inode in before.items() if (site.out / path).stat().st_ino != inode]
    assert changed == [
        "v0.1/servers/_after/30/index.json",
        "v0.1/servers/a.b/s40/versions/1.0.0/index.json",
        "v0.1/servers/a.b/s40/versions/index.json",
        "v0.1/servers/a.b/s40/versions/latest/index.json",
    ]  # fmt: skip
