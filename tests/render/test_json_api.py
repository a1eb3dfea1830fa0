"""Bodies of the API are those of 2013 with more beside, and the lists hold every object once."""

import json
from pathlib import Path
from typing import Any

import pytest

from registry.load.source import WorkTree
from registry.pipeline import build
from registry.site import Site
from tests.conftest import Run
from tests.support.repo import RepoBuilder


@pytest.fixture
def site(repo: RepoBuilder, run: Run, tmp_path: Path) -> Path:
    """A registry with most things that can be in one: ids, a rename, a tombstone, a pending and an uncommitted one."""
    repo.write(
        "registry.yaml",
        "title: Test\npage_size: 3\nlayout: full\nregistry_id: registry-1\nbase_url: https://r.example.org/sub/\n",
    )
    repo.define("app", kind="application")
    for number in range(7):
        repo.define(
            f"p{number}",
            f"title: P{number}\nowners: [t]\ndefinition: {{exec: x, application: app, x-mine: [1, {{a: null}}], argv: [b, a]}}\n",
        )
    repo.commit("add")
    assert run("index", "-C", str(repo.root)).code == 0
    repo.git("mv", "definitions/process_definition/p1.yaml", "definitions/process_definition/renamed.yaml")
    (repo.root / "definitions/process_definition/p2.yaml").unlink()
    repo.commit("rename one, delete one")
    assert run("index", "-C", str(repo.root)).code == 0
    path = repo.root / "definitions/process_definition/p3.yaml"
    path.write_text(path.read_text().replace("exec: x,", "exec: x, timeout: 5,"))
    repo.define("folder/pending")
    out = tmp_path / "site"
    assert build(WorkTree(repo.root), Site(out)).files
    return out


def test_a_history_of_commits_has_neither_contents_nor_links_to_them(
    site: Path, repo: RepoBuilder, run: Run
) -> None:
    assert list(site.resolve().rglob("*revisions"))
    for words, setting in ((["--history", "commits"], ""), ([], "history: commits\n")):
        repo.write("registry.yaml", (repo.root / "registry.yaml").read_text() + setting)
        assert run("build", "-C", str(repo.root), "-o", str(site), *words).code == 0
        assert not list(site.resolve().rglob("*revisions"))
        first = read(site, "api/process_definition/1/history/index.json")["revisions"][-1]
        assert (first["message"], first["changes"], "document" in first) == ("add", None, False)
        page = (site / "process_definition/p0/_history/index.html").read_text()
        assert '#revision-1">Revision 1</a>' in page
        assert "revisions/" not in page
    assert run("build", "-C", str(repo.root), "-o", str(site), "--history", "revisions").code == 0
    assert list(site.resolve().rglob("*revisions"))


def read(site: Path, path: str) -> Any:
    return json.loads((site / path).read_text(encoding="utf-8"))


def test_following_next_visits_every_object_once(site: Path) -> None:
    seen, address, pages = [], "/sub/api/process_definition/", 0
    while address:
        page = read(site, address.removeprefix("/sub/") + "index.json")
        assert page["meta"]["limit"] == 3
        assert page["meta"]["offset"] == pages * 3
        assert page["meta"]["total_count"] == 6
        seen += [one["id"] for one in page["objects"]]
        pages += 1
        address = page["meta"]["next"]
    assert seen == [1, 2, 4, 5, 6, 7]
    assert (
        read(site, "api/process_definition/page/2/index.json")["meta"]["previous"]
        == "/sub/api/process_definition/"
    )


def test_the_envelope_and_key_names_are_those_of_2013(site: Path) -> None:
    page = read(site, "api/process_definition/index.json")
    assert list(page) == ["meta", "objects"]
    assert set(page["meta"]) == {"limit", "next", "offset", "previous", "total_count"}
    one = page["objects"][0]
    assert list(one)[:3] == ["definition", "id", "resource_uri"]
    assert one["resource_uri"] == "/sub/api/process_definition/1/"
    # The inside, key for key, in the order of the file.
    assert (
        json.dumps(one["definition"])
        == '{"exec": "x", "application": "app", "x-mine": [1, {"a": null}], "argv": ["b", "a"]}'
    )


def test_a_pending_one_is_found_by_name_and_in_no_list(site: Path) -> None:
    pending = read(site, "api/process_definition/by-name/folder/pending/index.json")
    assert (pending["id"], pending["resource_uri"]) == (None, None)
    assert "folder/pending" not in [
        one["name"] for one in read(site, "api/process_definition/all.json")["objects"]
    ]
    assert read(site, "api/snapshot.json")["kinds"]["process_definition"] == {
        "count": 6,
        "pending": 1,
        "deleted": 1,
        "next_id": 8,
    }


def test_an_uncommitted_change_is_the_newest_revision(site: Path) -> None:
    newest = read(site, "api/process_definition/4/history/index.json")["revisions"][0]
    assert (newest["commit"], newest["message"]) == (None, "uncommitted")
    assert newest["changes"] == [{"pointer": "/definition/timeout", "new": 5}]
    assert read(site, "api/snapshot.json")["dirty"] is True


def test_old_names_are_kept_in_history_and_the_new_one_is_found(site: Path) -> None:
    assert read(site, "api/process_definition/by-name/renamed/index.json")["id"] == 2
    names = [one["name"] for one in read(site, "api/process_definition/2/history/index.json")["revisions"]]
    assert names == ["renamed", "p1", "p1"]
    assert read(site, "api/process_definition/2/revisions/1/index.json")["document"]["title"] == "P1"
