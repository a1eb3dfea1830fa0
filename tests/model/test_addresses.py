"""No two addresses of a site meet, whatever definitions and kinds are called, and no name is lost to that without need."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.cache.build_cache import BuildCache
from registry.load.source import WorkTree
from registry.model import addresses
from registry.pipeline import build
from registry.render.target import files_by_path
from registry.server.live import LiveRegistry
from registry.site import Site
from tests.conftest import Run
from tests.support.repo import RepoBuilder

GOOD = "title: T\nowners: [t]\ndefinition: {exec: /bin/x}\n"
# Words of the site's own addresses, and names that look like them.
WORDS = [
    "history",
    "revisions",
    "page",
    "schema",
    "all",
    "set",
    "by-name",
    "api",
    "list",
    "changes",
    "search",
    "assets",
    "folders",
    "tags",
    "1",
    "2",
]
NAMES = [
    *WORDS,
    "w",
    "w/history",
    "w/revisions",
    "w/revisions/3",
    "w/page/2",
    "w/1",
    "w/all",
    "1/history",
    "1/revisions/1",
    "set/1",
    "index/w",
    "index/index/w",
    "history/history",
    "by-name/w",
    "all.ndjson",
    "history.ndjson",
    "snapshot",
    "openapi",
    "process_definition/w",
    "404",
    "w.d/x",
    "ü/history",
]
TAKEN = [
    "index",
    "w/index",
    "w/INDEX",
    "Index",
    "index/index",
    "x.json",
    "x.json/y",
    "X.JSON",
    "x.html",
    "a/x.yaml",
    "x.yml",
    "x.atom",
    "x.j\u017fon",
]
KINDS = [
    "page",
    "schema",
    "assets",
    "changes",
    "list",
    "search",
    "all",
    "set",
    "history",
    "revisions",
    "problems",
    "by_name",
    "live",
    "tags",
]
TAKEN_KINDS = ["api", "index", "snapshot", "openapi"]


def files_of(folder: Path) -> dict[str, bytes]:
    top = folder.resolve()
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_names_like_addresses_are_free_and_each_answers_as_itself(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    repo.write("registry.yaml", "layout: full\n")
    for name in NAMES:
        repo.define(name, GOOD)
    repo.commit("add")
    assert run("index", "-C", str(repo.root)).code == 0
    assert run("build", "-C", str(repo.root), "-o", str(tmp_path / "site")).code == 0
    files = files_of(tmp_path / "site")
    for name in NAMES:
        by_name = json.loads(files[f"api/process_definition/by-name/{name}/index.json"])
        assert by_name["name"] == name
        assert by_name == json.loads(files[f"api/process_definition/by-name/{name}.json"])
        assert by_name == json.loads(files[f"api/process_definition/{by_name['id']}/index.json"])
        for page in ("index.html", "_history/index.html", "_revisions/1/index.html"):
            assert (
                f'<span class="name"><bdi>{name}</bdi></span>'
                in files[f"process_definition/{name}/{page}"].decode()
            )
    live = LiveRegistry(repo.root, BuildCache(None), lambda _told: None)
    live.reload()
    for path in files:
        assert live.state.pages.get(path) == files[path], path


def test_a_build_after_each_new_name_is_as_one_from_nothing(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    site = Site(tmp_path / "site")
    for some in (NAMES[:12], NAMES[12:24], NAMES[24:], ["w/x"]):
        for name in some:
            repo.define(name, GOOD)
        repo.commit("more")
        assert run("index", "-C", str(repo.root)).code == 0
        assert build(WorkTree(repo.root), site).files
    shutil.rmtree(repo.root / "definitions/process_definition/history")
    repo.commit("fewer")
    built = build(WorkTree(repo.root), site)
    assert build(WorkTree(repo.root), Site(tmp_path / "whole"), from_nothing=True).files == built.files
    assert files_of(tmp_path / "site") == files_of(tmp_path / "whole")


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_would_meet_an_address_is_refused_with_its_file(
    repo: RepoBuilder, run: Run, name: str
) -> None:
    repo.define(name)
    done = run("check", "-C", str(repo.root))
    assert done.code == 1
    assert f"definitions/process_definition/{name}.yaml" in done.out
    assert "I002" in done.out
    assert run("build", "-C", str(repo.root)).code == 1


def test_kinds_called_like_addresses_are_free_too(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"definition": {"type": "object"}}, "required": ["definition"]}
    for kind in KINDS:
        repo.write(f"schema/{kind}.schema.json", json.dumps(schema))
        for name in ("w", "history", "process_definition", kind.replace("_", "-"), "snapshot"):
            repo.define(name, "definition: {a: 1}\n", kind=kind)
    repo.commit("add")
    assert run("index", "-C", str(repo.root)).code == 0
    assert run("build", "-C", str(repo.root), "-o", str(tmp_path / "site")).code == 0
    files = files_of(tmp_path / "site")
    for kind in KINDS:
        assert json.loads(files[f"api/{kind}/index.json"])["meta"]["total_count"] == len(
            {"w", "history", "process_definition", kind.replace("_", "-"), "snapshot"}
        )
        assert json.loads(files[f"schema/{kind}.schema.json"])["required"] == ["definition"]
        assert b"<h1>" in files[f"{kind}/index.html"]
    # On a host that does not tell upper case from lower case no two are one.
    assert len({path.casefold() for path in files}) == len(files)


@pytest.mark.parametrize("kind", TAKEN_KINDS)
def test_a_kind_that_would_meet_an_address_is_refused_with_its_file(
    repo: RepoBuilder, run: Run, kind: str
) -> None:
    repo.define("a")
    repo.write(f"schema/{kind}.schema.json", '{"type": "object"}')
    done = run("check", "-C", str(repo.root))
    assert (done.code, f"schema/{kind}.schema.json" in done.out, "K010" in done.out) == (1, True, True)


def test_pages_that_are_no_definitions_have_a_part_that_no_name_can_have(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    repo.define("a/b")
    repo.commit("add")
    assert run("index", "-C", str(repo.root)).code == 0
    assert run("build", "-C", str(repo.root), "-o", str(tmp_path / "site")).code == 0
    files = files_of(tmp_path / "site")
    kinds = ("process_definition", "application")
    for path in files:
        parts = PurePosixPath(path).parts
        if parts[0] in kinds and len(parts) > 2:
            own = parts[1:3] == ("a", "b") and (len(parts) == 4 or parts[3].startswith("_"))
            assert own or parts[1] == "_by-id", path
        elif parts[0] not in ("api", "schema", *kinds):
            assert len(parts) == 1 or parts[0].startswith("_"), path
    # Without it GitHub Pages leaves out what starts with `_`.
    assert files[".nojekyll"] == b""
    assert any(path.startswith("_assets/style.") for path in files)


def addresses_of(name: str, number: int) -> Iterator[str]:
    kind = "process_definition"
    for answer in (
        addresses.api_by_name(kind, name),
        addresses.api_detail(kind, number),
        addresses.api_history(kind, number),
        addresses.api_revision(kind, number, 1),
    ):
        yield from addresses.api_files(answer)
    for page in (
        addresses.definition_page(kind, name),
        addresses.history_page(kind, name),
        addresses.revision_page(kind, name, 1),
    ):
        yield addresses.page_file(page)


def addresses_of_all() -> Iterator[str]:
    kind = "process_definition"
    yield from (
        addresses.API_SNAPSHOT,
        addresses.API_LEDGER,
        addresses.API_OPENAPI,
        addresses.INDEX_PAGE,
        addresses.NOT_FOUND_PAGE,
    )
    yield from (
        addresses.api_all(kind, "json"),
        addresses.api_all(kind, "ndjson"),
        addresses.schema_file(kind),
    )
    for answer in (
        addresses.API,
        addresses.api_list(kind),
        addresses.api_list(kind, 2),
        addresses.api_schema(kind),
    ):
        yield from addresses.api_files(answer)
    for page in (addresses.list_page(kind), addresses.list_page(kind, 2), addresses.CHANGES):
        yield addresses.page_file(page)
    yield addresses.asset("style.css", "0123456789")


part = st.one_of(
    st.sampled_from([*WORDS, "index", "Index", "w", "W", "x.json", "w.json", "index.json"]),
    st.from_regex(r"[a-z0-9][a-z.+-]{0,3}", fullmatch=True),
)


@given(
    st.lists(
        st.lists(part, min_size=1, max_size=3).map("/".join),
        min_size=1,
        max_size=6,
        unique_by=addresses.folded,
    )
)
@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=200)
def test_no_two_files_of_any_accepted_names_are_one_or_below_one_another(names: list[str]) -> None:
    accepted = [name for name in names if addresses.has_address(name)]
    files = [addresses.folded(file) for file in addresses_of_all()]
    for number, name in enumerate(accepted, 1):
        files += [addresses.folded(file) for file in addresses_of(name, number)]
    assert len(set(files)) == len(files)
    folders = {str(parent) for file in files for parent in PurePosixPath(file).parents}
    assert not folders & set(files)


@pytest.mark.parametrize("path", ["process_definition/w", "process_definition/ü/1 2%"])
def test_an_address_holds_what_a_url_may_hold(path: str) -> None:
    assert addresses.href(path).isascii()
    assert " " not in addresses.href(path)


def test_files_of_answers_are_told_from_others() -> None:
    assert addresses.parse_api_file("api/process_definition/7/index.json") == ("process_definition", 7)
    assert addresses.parse_api_file("api/process_definition/7.json") == ("process_definition", 7)
    assert addresses.parse_api_file("api/process_definition/by-name/a/b.json") == (
        "process_definition",
        "a/b",
    )
    assert addresses.parse_api_file("api/process_definition/by-name/7/history/index.json") == (
        "process_definition",
        "7/history",
    )
    for other in (
        "api/process_definition/7/history.json",
        "api/process_definition/page/2.json",
        "api/process_definition.json",
        "api/snapshot.json",
        "api/process_definition/schema/index.json",
        "index.html",
        "api/process_definition/7/revisions/1/index.json",
    ):
        assert addresses.parse_api_file(other) is None
    assert dict(files_by_path([])) == {}
