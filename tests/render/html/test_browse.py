"""Pages to browse without scripts: what they list, their addresses, and the pages of old names."""

import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from registry.cache.build_cache import BuildCache
from registry.cli import main
from registry.load.source import open_source
from registry.model.addresses import Group, group_page
from registry.pipeline import build, snapshot_of
from registry.site import Site
from registry.snapshot import with_edit
from tests.support.repo import RepoBuilder

ODD = (
    "Audio",
    "audio",
    "a/b",
    "..",
    "x.html",
    "C:\\x",
    "ﬁ",
    "a\u202eb",
    "%2e",
    "_page",
    "<b>",
    "فريق",
    "a" * 120,
)


def text_of(files: dict[str, str], address: str) -> str:
    """The text of the main part of a page."""
    main_part = files[f"{address}/index.html"].split("<main")[1].split("</main>")[0]
    return re.sub(r"<[^>]*>", " ", main_part)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """A registry with definitions on several pages, a deleted and a renamed one, and odd owners."""
    repo = RepoBuilder(tmp_path_factory.mktemp("browse") / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("tools", kind="application")
    for number in range(205):
        repo.define(
            f"weather/obs/d{number:03d}",
            f"title: D{number}\nowners: [t]\ntags: [sky]\ndefinition: {{exec: /bin/x, application: tools}}\n",
        )
    for number, owner in enumerate(ODD):
        repo.define(
            f"odd/o{number}", f"title: Odd\nowners: [{json.dumps(owner)}]\ndefinition: {{exec: /bin/x}}\n"
        )
    repo.define(
        "old/name", "title: Renamed\nowners: [t]\nlifecycle: experimental\ndefinition: {exec: /bin/x}\n"
    )
    repo.define(
        "zz",
        "title: Reads\nowners: [t]\ndefinition:\n  exec: /bin/x\n"
        "  input_adapter: {input_type: file, input_params: {file_type: stream, stream_name: STDIN}}\n",
    )
    repo.define("gone", "title: Gone\nowners: [t]\ndefinition: {exec: /bin/x}\n")
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    (repo.root / "definitions/process_definition/gone.yaml").unlink()
    (repo.root / "definitions/process_definition/new").mkdir()
    repo.git(
        "mv", "definitions/process_definition/old/name.yaml", "definitions/process_definition/new/name.yaml"
    )
    repo.commit("rename one, delete one")
    assert main(["index", "-C", str(repo.root)]) == 0
    return repo


@pytest.fixture(scope="module")
def files(repo: RepoBuilder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages of the site."""
    site = Site(tmp_path_factory.mktemp("site") / "site")
    assert build(open_source(repo.root), site).files
    return {
        path.relative_to(site.out.resolve()).as_posix(): path.read_text()
        for path in site.out.resolve().rglob("*.html")
    }


def test_folders_lead_to_subfolders_and_definitions(files: dict[str, str]) -> None:
    assert re.search(r"weather\s+205\b", text_of(files, "_folders"))
    assert '<a href="../../_folders/weather/obs/">' in files["_folders/weather/index.html"]
    first, second = (text_of(files, f"_folders/weather/obs{page}") for page in ("", "/_page/2"))
    assert "D199" in first
    assert "D200" not in first
    assert re.findall(r"weather/obs/d\d+", second) == [f"weather/obs/d{number}" for number in range(200, 205)]
    assert (
        'rel="next" href="../../../_folders/weather/obs/_page/2/">2</a>'
        in files["_folders/weather/obs/index.html"]
    )


def test_lists_by_value(files: dict[str, str]) -> None:
    assert "205 definitions" in text_of(files, "_tags/sky")
    assert "Reads" in text_of(files, "_adapters/file")
    assert "new/name" in text_of(files, "_lifecycles/experimental")
    assert "gone" not in text_of(files, "_owners/t")
    assert re.search(r"\bt\s+207\b", text_of(files, "_owners"))
    assert "205 definitions use it" in text_of(files, "application/tools/_users")


def test_every_value_has_an_address_of_its_own_on_every_host(files: dict[str, str]) -> None:
    addresses = [group_page(Group.OWNERS, owner) for owner in ODD]
    assert len({address.casefold() for address in addresses}) == len(ODD)
    for owner, address in zip(ODD, addresses, strict=True):
        assert re.fullmatch(r"_owners/[\w-][\w.+-]*", address), address
        assert f"{address}/index.html" in files, owner
        assert "1 definition " in text_of(files, address)
    assert "<b>" not in files[group_page(Group.OWNERS, "<b>") + "/index.html"]
    assert 'data-code="U+202E"' in files[group_page(Group.OWNERS, "a\u202eb") + "/index.html"]


def test_the_list_of_a_kind_is_by_name_and_by_id(files: dict[str, str]) -> None:
    by_id = re.findall(r'<td class="num">(\d+)</td>', files["process_definition/_by-id/index.html"])
    assert by_id == sorted(by_id, key=int)
    assert len(by_id) == 200
    by_name = re.findall(r'<span class="name"><bdi>([^<]*)', files["process_definition/index.html"])
    assert by_name == sorted(by_name)
    assert 'href="../../process_definition/">by name</a>' in files["process_definition/_by-id/index.html"]


def test_deleted_and_recently_changed_definitions_are_listed(files: dict[str, str]) -> None:
    assert "gone" in text_of(files, "_deleted")
    recent = re.findall(r'<span class="name"><bdi>([^<]*)', files["_recent/index.html"])
    # The other commits only assigned ids.
    assert recent[0] == "new/name"
    assert len(recent) == 100


def test_an_old_name_leads_to_the_present_page(files: dict[str, str]) -> None:
    page = files["process_definition/old/name/index.html"]
    assert '<meta http-equiv="refresh" content="0; url=../../../process_definition/new/name/">' in page
    assert '<meta name="robots" content="noindex">' in page
    assert "was renamed. Its page is now" in page


def test_a_definition_that_takes_an_old_name_has_its_page(
    repo: RepoBuilder, files: dict[str, str], tmp_path: Path
) -> None:
    assert "was renamed" in files["process_definition/old/name/index.html"]
    other = repo.copied_to(tmp_path / "repo")
    site = Site(tmp_path / "site")
    cache = BuildCache(None)
    build(open_source(other.root), site, cache=cache)
    other.define("old/name", "title: Another\nowners: [t]\ndefinition: {exec: /bin/y}\n")
    other.commit("use the name again")
    build(open_source(other.root), site, cache=cache)
    assert "Another" in (site.out / "process_definition/old/name/index.html").read_text()
    assert "Another" in (site.out / "_recent/index.html").read_text()


def test_a_definition_leads_to_its_folders_owners_and_tags(files: dict[str, str]) -> None:
    page = files["process_definition/weather/obs/d007/index.html"]
    crumbs = re.findall(r'href="(?:\.\./)*([^"]*)"', page.split('class="crumbs"')[1].split("</nav>")[0])
    assert crumbs == ["", "process_definition/", "_folders/weather/", "_folders/weather/obs/"]
    assert {"_owners/t/", "_tags/sky/", "_lifecycles/production/"} <= set(
        re.findall(r'href="(?:\.\./)+([^"]*)"', page)
    )
    # The second commit only assigned the id.
    assert "Assign ids" not in page
    used = files["application/tools/index.html"]
    assert len(re.findall("/process_definition/weather/obs/d", used)) == 20
    assert 'href="../../application/tools/_users/">All 205</a>' in used


def test_links_of_a_preview_lead_to_files(repo: RepoBuilder, tmp_path: Path) -> None:
    out = tmp_path / "preview"
    arguments = ["-C", str(repo.root), "--out", str(out), "--preview", "change 1", "--base", "HEAD~1"]
    assert main(["build", *arguments]) == 0
    broken = []
    for path in out.resolve().rglob("*.html"):
        for one in re.findall(r'(?: href|src)="([^"#]+)|; url=([^"]+)', path.read_text()):
            link = unquote(unescape(one[0] or one[1]))
            is_own = not link.startswith("http") and path.name != "404.html"
            if is_own and not (path.parent / link).is_file():
                broken.append((path, link))
    assert broken == []


def test_the_index_leads_to_all_of_them(files: dict[str, str]) -> None:
    links = set(re.findall(r'href="\./([^"]*)"', files["index.html"]))
    assert {
        "process_definition/", "process_definition/_by-id/", "_folders/", "_folders/weather/", "_owners/", "_owners/t/",
        "_tags/sky/", "_adapters/file/", "_lifecycles/experimental/", "_deleted/", "_recent/",
    } <= links  # fmt: skip


def test_groups_follow_an_edit(repo: RepoBuilder, tmp_path: Path) -> None:
    other = repo.copied_to(tmp_path / "repo")
    before, _ = snapshot_of(open_source(other.root))
    assert before is not None
    text = "id: {}\ntitle: D7\nowners: [new]\ntags: [sea]\ndefinition: {{exec: /bin/x, application: tools}}\n"
    definition = before.by_name["process_definition", "weather/obs/d007"]
    other.define(definition.name, text.format(definition.id))
    after, _ = snapshot_of(open_source(other.root))
    assert after is not None
    for one in (before, before.persistent()):
        assert one.groups.counts[Group.OWNERS]["t"] == 207
        followed = with_edit(one, after.by_name[definition.kind, definition.name])
        assert followed.groups.counts == after.groups.counts
        for group, values in after.groups.counts.items():
            for value in values:
                listed = [
                    [found.name for found in each.groups.of(group, value)] for each in (followed, after)
                ]
                assert listed[0] == listed[1]
        assert [found.name for found in followed.recent] == [found.name for found in after.recent]
