"""The page of a change: word differences, links, the legend, and nothing about values that do not exist."""

import re
from pathlib import Path

import pytest

from registry.cli import main
from tests.conftest import Run
from tests.support.repo import RepoBuilder

TEXT = "title: Encode\nowners: [t]\ndefinition:\n  exec: /bin/encode\n  argv: {argv}\n  environment: {environment}\n"
LONG = " ".join(f"word{number}" for number in range(300))


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """A branch on which a definition was changed, one added and one removed."""
    repo = RepoBuilder(tmp_path_factory.mktemp("change") / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\ntitle: R\nbase_url: https://example.org/x/\n")
    repo.define("encode", TEXT.format(argv="[-i, in.txt, --level, '3']", environment=f"{{LONG: {LONG} one}}"))
    repo.define("gone")
    repo.commit("Start")
    assert main(["index", "-C", str(repo.root)]) == 0
    repo.git("checkout", "-q", "-b", "change")
    path = repo.root / "definitions/process_definition/encode.yaml"
    text = path.read_text().replace("'3'", "'<4>'").replace(f"{LONG} one", f"{LONG} two")
    path.write_text(text)
    (repo.root / "definitions/process_definition/gone.yaml").unlink()
    repo.define("new")
    repo.commit("Change")
    return repo


@pytest.fixture
def page(run: Run, repo: RepoBuilder) -> str:
    return run("diff", "main..change", "-C", str(repo.root), "--format", "html").out


@pytest.fixture(scope="module")
def preview(repo: RepoBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("preview") / "site"
    words = ["build", "-C", str(repo.root), "--source", "change", "--out", str(site)]
    assert main([*words, "--preview", "pull request 12", "--base", "main"]) == 0
    return site


def test_only_the_words_that_differ_are_marked(page: str) -> None:
    values = re.findall(r"<dd><bdi>(.*?)</bdi></dd>", page)
    assert "[&#34;-i&#34;, &#34;in.txt&#34;, &#34;--level&#34;, &#34;<del>3</del>&#34;]" in values
    assert (
        "[&#34;-i&#34;, &#34;in.txt&#34;, &#34;--level&#34;, &#34;<ins>&lt;4&gt;</ins>&#34;]" in values
        or "[&#34;-i&#34;, &#34;in.txt&#34;, &#34;--level&#34;, &#34;<ins>&lt;</ins>4<ins>&gt;</ins>&#34;]"
        in values
    )
    (long,) = (value for value in values if value.endswith("<ins>two</ins>"))
    assert len(long) < 500 and long.startswith("word0 word1 ") and " … " in long


def test_added_and_removed_definitions_have_no_values(page: str) -> None:
    assert "not set" not in page
    for name in ("new", "gone"):
        section = page.partition(f"<bdi>{name}</bdi>")[2].partition("</section>")[0]
        assert "Before" not in section and "After" not in section


def test_it_links_the_definitions_and_explains_the_parties(page: str) -> None:
    assert re.findall(r'<h2>.*?href="([^"]+)"', page) == [
        "https://example.org/x/process_definition/gone/",
        "https://example.org/x/process_definition/encode/",
    ]
    assert "<dt>START</dt><dd>hosts: files, environment, application</dd>" in page
    assert "<dt>YIELD</dt>" not in page, "only the parties of this change"


def test_a_preview_has_the_change_on_its_own_page_and_on_those_of_the_definitions(preview: Path) -> None:
    changes = (preview / "_changes/index.html").read_text()
    assert "Preview of pull request 12" in changes
    links = re.findall(r"<h2>.*?href=\"\.\./([^\"]+/)(?:index\.html)?\"", changes)
    assert sorted(links) == ["process_definition/encode/", "process_definition/new/"]
    assert all((preview / link / "index.html").is_file() for link in links)
    definition = (preview / "process_definition/encode/index.html").read_text()
    assert "<del>3</del>" in definition and "What the proposed change means" in definition
    assert "nothing uses it yet" in (preview / "process_definition/new/index.html").read_text()
