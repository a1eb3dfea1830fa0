"""The page of the newest changes and their feed: level and parties, what counts as a change, and RFC 4287."""

import re
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from registry.cache.build_cache import BuildCache
from registry.cli import main
from registry.load.source import open_source
from registry.pipeline import build, snapshot_of
from registry.render import target_at
from registry.render.target import files_by_path
from registry.site import Site
from tests.support.repo import RepoBuilder

ATOM = "{http://www.w3.org/2005/Atom}"
BASE = "https://example.org/x/"
SETTINGS = "registry_id: registry-1\ntitle: R & Co\nbase_url: {base}\n"


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """Definitions that were added, given ids, changed, renamed and deleted."""
    repo = RepoBuilder(tmp_path_factory.mktemp("changes") / "repo")
    repo.write("registry.yaml", SETTINGS.format(base=BASE))
    for name in ("a/first", "gone", "older-name"):
        repo.define(name)
    repo.commit("Add <three> & more \x08\u202e")
    assert main(["index", "-C", str(repo.root)]) == 0
    repo.clock += 1_000_000_000  # `registry index` has the time of today
    folder = repo.root / "definitions/process_definition"
    first = folder / "a/first.yaml"
    first.write_text(first.read_text().replace("/bin/first", "/bin/other"))
    repo.commit("Use another program")
    (folder / "older-name.yaml").rename(folder / "größer.yaml")
    repo.commit("Rename")
    (folder / "gone.yaml").unlink()
    repo.commit("Remove")
    return repo


@pytest.fixture(scope="module")
def site(repo: RepoBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site") / "site"
    assert build(open_source(repo.root, "HEAD"), Site(site)).files
    return site


@pytest.fixture(scope="module")
def feed(site: Path) -> ElementTree.Element:
    return ElementTree.fromstring((site / "_changes/feed.atom").read_bytes())


def text(element: ElementTree.Element, name: str) -> str:
    (found,) = element.findall(f"{ATOM}{name}")
    assert found.text
    return found.text


def test_the_page_has_changes_with_level_and_parties_and_without_assigned_ids(site: Path) -> None:
    page = (site / "_changes/index.html").read_text(encoding="utf-8")
    entries = [one.partition("</ol>")[0] for one in page.split("\n<li>\n")[1:]]
    subjects = [re.findall("<strong><bdi>(.*?)</bdi>", one)[0] for one in entries]
    assert subjects[:3] == ["Remove", "Rename", "Use another program"]
    assert len(subjects) == 6 and all(one.startswith("Add &lt;three&gt; &amp; more ") for one in subjects[3:])
    for entry, expected in zip(
        entries,
        (
            ("breaking", "definition removed", "FIND"),
            ("risky", "definition renamed, same id", "FIND"),
            ("breaking", "program changed", "START"),
        ),
        strict=False,
    ):
        assert all(word in entry for word in expected)
    links = re.findall(r'href="\.\./([^"#]+)', "".join(entries))
    assert links and all(
        (site / link.replace("%C3%B6", "ö").replace("%C3%9F", "ß")).exists() for link in links
    )


def test_the_feed_has_what_rfc_4287_requires(feed: ElementTree.Element) -> None:
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 6
    ids = [text(one, "id") for one in (feed, *entries)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"tag:registry-1,2013:[!-~]+", one) for one in ids), "RFC 4151"
    times = [datetime.fromisoformat(text(one, "updated")) for one in (feed, *entries)]
    assert times == sorted(times, reverse=True) and all(one.tzinfo for one in times)
    for one in (feed, *entries):
        text(one, "title")
        assert text(one.findall(f"{ATOM}author")[0], "name")
        alternate = [link for link in one.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
        assert len(alternate) == 1 and str(alternate[0].get("href")).startswith(BASE)
        allowed = {"id", "title", "updated", "author", "link", "summary", "entry"}
        assert {child.tag.removeprefix(ATOM) for child in one} <= allowed
    assert text(entries[0], "title") == "[breaking] gone: Remove"
    assert "breaking: program changed in /definition/exec (START)" in text(entries[2], "summary")
    (own,) = (link for link in feed.findall(f"{ATOM}link") if link.get("rel") == "self")
    assert own.get("href") == f"{BASE}_changes/feed.atom"


def test_without_a_host_the_links_are_relative_to_the_feed(repo: RepoBuilder, tmp_path: Path) -> None:
    copy = repo.copied_to(tmp_path / "repo")
    copy.write("registry.yaml", SETTINGS.format(base="/x/"))
    copy.commit("Move")
    assert build(open_source(copy.root, "HEAD"), Site(tmp_path / "site")).files
    feed = ElementTree.fromstring((tmp_path / "site/_changes/feed.atom").read_bytes())
    for link in feed.iter(f"{ATOM}link"):
        file = str(link.get("href")).partition("#")[0].replace("%C3%B6", "ö").replace("%C3%9F", "ß")
        assert (tmp_path / "site/_changes" / file).exists()


def test_a_server_answers_the_same_bytes(repo: RepoBuilder, site: Path) -> None:
    snapshot, _ = snapshot_of(open_source(repo.root, "HEAD"))
    assert snapshot is not None
    target = target_at(snapshot.persistent(), "_changes/feed.atom")
    assert target is not None
    for path, body in files_by_path(target.make()):
        assert (site / path).read_bytes() == body
    assert {path for path, _ in files_by_path(target.make())} == {"_changes/index.html", "_changes/feed.atom"}


def test_a_change_adds_its_revision_to_a_built_site(repo: RepoBuilder, tmp_path: Path) -> None:
    copy, cache = repo.copied_to(tmp_path / "repo"), BuildCache()
    site, other = Site(tmp_path / "site"), Site(tmp_path / "other")
    assert build(open_source(copy.root, "HEAD"), site, cache=cache).files
    path = copy.root / "definitions/process_definition/a/first.yaml"
    path.write_text(path.read_text().replace("title: First", "title: Other"))
    copy.commit("Say it better")
    assert build(open_source(copy.root, "HEAD"), site, cache=cache).files
    assert build(open_source(copy.root, "HEAD"), other).files
    for name in ("index.html", "feed.atom"):
        body = (tmp_path / "site/_changes" / name).read_bytes()
        assert b"Say it better" in body
        assert body == (tmp_path / "other/_changes" / name).read_bytes()
