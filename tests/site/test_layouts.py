"""Layouts and forms of addresses: how many files there are, and that no link leads to one that is missing."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from registry.cache.build_cache import BuildCache
from registry.cli import main
from registry.load.source import open_source
from registry.pipeline import build, snapshot_of
from registry.server.live import LiveRegistry, PageCache, SnapshotPages
from registry.site import Site
from tests.support.repo import RepoBuilder

FORMS = ("slash", "json", "both")
COMBINATIONS = [(layout, forms) for layout in ("compact", "full") for forms in FORMS]
LONG = 120
"""Number of revisions of the definition with a long history."""
SETTINGS = "title: Test\nregistry_id: registry-1\npage_size: 3\nbase_url: https://r.example.org/sub/\n"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """A registry with a long history, a deleted, a renamed, a pending and an uncommitted definition."""
    repo = RepoBuilder(tmp_path_factory.mktemp("layouts") / "repo")
    repo.write("registry.yaml", SETTINGS)
    repo.define("app", kind="application")
    for name in ("all", "g/all", "old", "p1", "p2", "p3", "long"):
        repo.define(name)
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    for number in range(2, LONG):
        path = repo.root / "definitions/process_definition/long.yaml"
        path.write_text(re.sub("title: .*", f"title: Number {number}", path.read_text()))
        repo.commit(f"step {number}")
    (repo.root / "definitions/process_definition/old.yaml").unlink()
    repo.git("mv", "definitions/process_definition/p1.yaml", "definitions/process_definition/renamed.yaml")
    repo.commit("rename one, delete one")
    assert main(["index", "-C", str(repo.root)]) == 0
    repo.define("g/pending")
    return repo


def built(
    registry: RepoBuilder, out: Path, layout: str, forms: str, history: str = "revisions"
) -> dict[str, bytes]:
    """The files of a site by path."""
    registry.write("registry.yaml", f"{SETTINGS}layout: {layout}\naddresses: {forms}\nhistory: {history}\n")
    assert build(open_source(registry.root), Site(out)).files
    top = out.resolve()
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def sites(
    registry: RepoBuilder, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], dict[str, bytes]]:
    """The files of each combination."""
    folder = tmp_path_factory.mktemp("sites")
    return {
        (layout, forms): built(registry, folder / f"{layout}-{forms}", layout, forms)
        for layout, forms in COMBINATIONS
    }


def addresses_in(body: Any) -> Iterator[str]:
    """Addresses in an answer, except `resource_uri`, which always has the form of 2013."""
    if isinstance(body, list):
        for one in body:
            yield from addresses_in(one)
    elif isinstance(body, dict):
        for key, value in body.items():
            if key in (
                "next",
                "previous",
                "list_endpoint",
                "schema",
                "by_name_uri",
                "history_uri",
            ) and isinstance(value, str):
                yield value
            elif key not in ("document", "definition", "last_definition"):
                yield from addresses_in(value)


def links_of(path: str, body: bytes) -> Iterator[str]:
    """Links of a page or an answer, as paths below the site."""
    if path.endswith(".html"):
        text = body.decode()
        found = [
            unescape(one) for one in re.findall(r'(?:href|src|data-snapshot|data-history)="([^"]*)"', text)
        ]
    elif (
        path.startswith("api/")
        and path.endswith(".json")
        and "schema" not in path
        and path != "api/openapi.json"
    ):
        found = [*addresses_in(json.loads(body))]
    else:
        found = []
    for link in found:
        target = urlsplit(urljoin(f"https://r.example.org/sub/{path}", link))
        assert target.netloc == "r.example.org", (path, link)
        yield unquote(target.path).removeprefix("/sub/") + (f"#{target.fragment}" if target.fragment else "")


def is_there(files: dict[str, bytes], link: str) -> bool:
    """True when a static host that serves index files has something at a link, with the anchor."""
    path, _, anchor = link.partition("#")
    found = next(
        (
            files[one]
            for one in (path, f"{path}index.html", f"{path}index.json")
            if one in files and not one.endswith("/")
        ),
        None,
    )
    return found is not None and (
        not anchor or anchor.startswith("compare=") or f'id="{anchor}"'.encode() in found
    )


@pytest.mark.parametrize(("layout", "forms"), COMBINATIONS)
def test_no_link_leads_to_a_missing_address(
    sites: dict[tuple[str, str], dict[str, bytes]], layout: str, forms: str
) -> None:
    files = sites[layout, forms]
    broken = [
        (path, link)
        for path, body in files.items()
        for link in links_of(path, body)
        if not is_there(files, link)
    ]
    assert broken == []
    answers = [path for path in files if path.startswith("api/") and path.endswith(".json")]
    if forms == "json":
        assert [path for path in answers if path.endswith("/index.json")] == []
    if forms == "slash":
        single = re.compile(r"api/(snapshot|openapi|[a-z_]+/all)\.json")
        assert [
            path for path in answers if not path.endswith("/index.json") and not single.fullmatch(path)
        ] == []


@pytest.mark.parametrize("history", ["revisions", "commits"])
@pytest.mark.parametrize(("layout", "forms"), COMBINATIONS)
def test_openapi_names_what_the_site_has(
    registry: RepoBuilder, tmp_path: Path, layout: str, forms: str, history: str
) -> None:
    files = built(registry, tmp_path / "site", layout, forms, history)
    paths = json.loads(files["api/openapi.json"])["paths"]
    patterns = {
        path: re.compile(
            re.sub(
                r"\\{(\w+)\\}",
                lambda found: "[0-9]+" if found[1] != "name" else ".+",
                re.escape(path.lstrip("/")),
            )
            + r"\Z"
        )
        for path in paths
        if "/set/" not in path
    }
    answers = {path for path in files if path.startswith("api/") or path == "api.json"}
    shown = {path.removesuffix("index.json") if path.endswith("/index.json") else path for path in answers}
    shown -= {"api/openapi.json"}
    if forms == "both":
        shown = {
            path
            for path in shown
            if not (path.endswith(".json") and f"{path.removesuffix('.json')}/" in shown)
        }
    assert [path for path in shown if not any(one.match(path) for one in patterns.values())] == []
    # Applications have one page of their list only, and so on: some kind has each.
    missing = {path for path, one in patterns.items() if not any(map(one.match, shown))}
    assert {path.replace("application", "process_definition") for path in missing} - {
        path.replace("application", "process_definition") for path in patterns.keys() - missing
    } == set()


def test_the_history_answer_is_the_same_in_both_layouts(
    sites: dict[tuple[str, str], dict[str, bytes]],
) -> None:
    compact, full = sites["compact", "both"], sites["full", "both"]
    histories = [path for path in compact if path.startswith("api/") and "history" in path]
    assert len(histories) >= 14
    for path in histories:
        assert compact[path] == full[path]
    for revision in json.loads(compact["api/process_definition/1/history.json"])["revisions"]:
        alone = json.loads(full[f"api/process_definition/1/revisions/{revision['number']}.json"])
        assert {key: alone[key] for key in revision} == revision
        assert (revision["document"] or {}).get("definition") == alone["definition"]
    # Everything else of the compact layout is in the full one, and pages differ only in their links.
    assert compact.keys() <= full.keys()
    assert {path for path in full.keys() - compact.keys() if "revisions/" not in path} == set()


def test_a_long_history_has_pages_that_keep_their_revisions(
    sites: dict[tuple[str, str], dict[str, bytes]],
) -> None:
    files = sites["compact", "both"]
    pages = {
        path: [int(number) for number in re.findall(r'<li id="revision-(\d+)">', body.decode())]
        for path, body in files.items()
        if path.startswith("process_definition/long/_history/")
    }
    assert pages == {
        "process_definition/long/_history/index.html": [*range(LONG, 100, -1)],
        "process_definition/long/_history/51-100/index.html": [*range(100, 50, -1)],
        "process_definition/long/_history/1-50/index.html": [*range(50, 0, -1)],
    }
    oldest = files["process_definition/long/_history/1-50/index.html"].decode()
    # The file at each revision, and what changed in it.
    assert "title: Number 7\n" in oldest
    assert '<bdi>Number <del>7</del></bdi></td><td class="part"><bdi>Number <ins>8</ins></bdi>' in oldest


@pytest.mark.parametrize("forms", FORMS)
def test_a_server_answers_every_address_of_the_full_layout(
    registry: RepoBuilder, sites: dict[tuple[str, str], dict[str, bytes]], forms: str
) -> None:
    registry.write("registry.yaml", f"{SETTINGS}layout: compact\naddresses: {forms}\nhistory: revisions\n")
    live = LiveRegistry(registry.root, BuildCache(None), lambda _update: None)
    live.reload()
    snapshot, _ = snapshot_of(open_source(registry.root))
    assert snapshot is not None
    static = sites["compact", forms]
    for pages in (live.state.pages, SnapshotPages(snapshot, PageCache())):
        for path in sites["full", "both"]:
            found = pages.get(path)
            assert found is not None, path
            assert found == static.get(path, found), path


def test_options_of_the_command_select_another_layout(
    registry: RepoBuilder, sites: dict[tuple[str, str], dict[str, bytes]], tmp_path: Path
) -> None:
    registry.write("registry.yaml", f"{SETTINGS}layout: compact\naddresses: both\nhistory: revisions\n")
    command = ["build", "-C", str(registry.root), "-o", str(tmp_path / "site"), "-q"]
    for layout, forms in (("full", "json"), ("compact", "slash")):
        assert main([*command, "--layout", layout, "--addresses", forms]) == 0
        assert (tmp_path / "site/api/process_definition/1/revisions").exists() == (layout == "full")
        answers = {"api/process_definition/1.json", "api/process_definition/1/index.json"}
        found = {path for path in answers if (tmp_path / "site" / path).exists()}
        assert found == answers & sites[layout, forms].keys()


@pytest.fixture(scope="module")
def small_and_large(tmp_path_factory: pytest.TempPathFactory) -> list[RepoBuilder]:
    """Registries with 20 and 300 definitions, each with five revisions."""
    found = []
    for size in (20, 300):
        repo = RepoBuilder(tmp_path_factory.mktemp("sizes") / "repo")
        repo.write("registry.yaml", "registry_id: registry-1\n")
        for revision in range(1, 6):
            for number in range(size):
                text = f"title: T{revision}\nowners: [t]\ndefinition: {{exec: /bin/x}}\n"
                repo.define(f"g/d{number:03d}", text if revision == 1 else f"id: {number + 1}\n{text}")
            repo.commit(f"revision {revision}")
            if revision == 1:
                assert main(["index", "-C", str(repo.root), "--no-commit"]) == 0
        found.append(repo)
    return found


@pytest.mark.parametrize(("forms", "most"), [("both", 8.5), ("slash", 5.5), ("json", 5.5)])
def test_the_number_of_files_per_definition(
    small_and_large: list[RepoBuilder], tmp_path: Path, forms: str, most: float
) -> None:
    counts, shared = [], []
    own = re.compile(r"process_definition/g/d|api/process_definition/(\d+[./]|by-name/)")
    for number, repo in enumerate(small_and_large):
        repo.write("registry.yaml", f"registry_id: registry-1\naddresses: {forms}\n")
        site = tmp_path / str(number)
        assert build(open_source(repo.root), Site(site)).files
        top = site.resolve()
        files = [path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()]
        assert "process_definition/g/d007/_history/index.html" in files
        counts.append(len(files))
        shared.append(sum(not own.match(path) for path in files))
    assert (counts[1] - counts[0]) / 280 <= most
    assert (shared[1] - shared[0]) / 280 <= 0.3


def test_another_layout_in_the_same_folder_leaves_nothing_behind(
    registry: RepoBuilder, sites: dict[tuple[str, str], dict[str, bytes]], tmp_path: Path
) -> None:
    for layout, forms in reversed(COMBINATIONS):
        assert built(registry, tmp_path / "site", layout, forms) == sites[layout, forms]
