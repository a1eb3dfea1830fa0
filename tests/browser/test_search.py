"""The search in a real browser: the same results as in Python, state in the address, hostile texts, no server."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from registry.load.settings import Settings
from registry.load.source import open_source
from registry.pipeline import build, snapshot_of
from registry.render.search import SearchIndex, search_index
from registry.render.search.ranking import ranked
from registry.render.search.terms import fold, is_one_edit_away, query_terms, shard_of
from registry.scaffold.webserver import webserver_config
from registry.site import Site
from tests.support.nginx import free_port, nginx
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S

HOSTILE = '<img src=x onerror="window.hacked=1">'
WORDS = ["wind", "window", "radar", "station", "stations", "quality", "mean", "氣象", "衛星", "Éclair", "42"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of 61 definitions in `site`, and its registry in `repo`."""
    folder = tmp_path_factory.mktemp("search")
    repo = RepoBuilder(folder / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    chance = random.Random(5)
    repo.define("app", kind="application")
    for number in range(1, 61):
        title = " ".join(chance.sample(WORDS, 3)) if number > 1 else HOSTILE
        tag = "wind" if number % 3 else "radar"
        lifecycle = "experimental" if number % 10 == 0 else "production"
        repo.define(
            f"g/p{number}",
            f"id: {number}\ntitle: '{title}'\ndescription: '{HOSTILE} {chance.choice(WORDS)} \u202e'\nowners: ['{HOSTILE}', t{number % 2}]\n"
            f"tags: [{tag}]\nlifecycle: {lifecycle}\ndefinition:\n  exec: /bin/x\n  application: app\n  input_adapter: {{input_type: none}}\n",
        )
    repo.commit("start")
    build(open_source(repo.root), Site(folder / "site"))
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    port = free_port()
    config = webserver_config("nginx", folder / "site", Settings(), f"127.0.0.1:{port}")
    with nginx(config, port, folder / "run") as found:
        yield found


@pytest.fixture(scope="module")
def index(folder: Path) -> SearchIndex:
    snapshot, _ = snapshot_of(open_source(folder / "repo"))
    assert snapshot is not None
    return search_index(snapshot)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which nothing fails and nothing is missing."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    assert wrong == []
    context.close()


def count(page: Page) -> str:
    """What the page says after its last search."""
    expect(page.locator(".search-page")).to_have_attribute("data-shown", page.evaluate("location.search"))
    return page.inner_text(".search-count")


def test_the_browser_finds_what_python_finds(page: Page, address: str, index: SearchIndex) -> None:
    page.goto(f"{address}/_search/")
    chance = random.Random(6)
    queries = [" ".join(chance.sample(WORDS, chance.randint(1, 3))) for _ in range(30)]
    queries += [
        "wi",
        "w",
        "rdaar",
        "iwnd",
        "xtation",
        "wnid qualty",
        "氣",
        "星",
        "ECLAIR",
        "p42",
        "--",
        "onerror",
        "constructor",
        "none",
    ]
    found = page.evaluate(
        """async (queries) => {
          const { dataset } = document.querySelector(".search-page");
          const index = search.indexAt(dataset.root, JSON.parse(dataset.search));
          const all = [];
          for (const query of queries) all.push(await search.ranked(index, query));
          return all;
        }""",
        queries,
    )
    assert dict(zip(queries, found, strict=True)) == {query: ranked(index, query) for query in queries}
    assert sum(map(bool, found)) > 25


def test_the_browser_reads_texts_as_python_does(page: Page, address: str) -> None:
    page.goto(f"{address}/_search/")
    texts = [
        "Straße ŁÓDŹ",
        "ＡＢＣ ﬁ Σίσυφος İı",
        "GPS衛星2号機",
        "한국어 データ 々",
        "हिन्दी",
        "x\U00020710\U0002070ey",
        "a_b-c.d",
        "が ①½",
        "x" * 300,
    ]
    assert page.evaluate(
        "(texts) => texts.map((one) => [search.fold(one), search.queryTerms(one)])", texts
    ) == [[fold(one), query_terms(one)] for one in texts]
    terms = [term for text in texts for term in query_terms(text)]
    assert page.evaluate("(terms) => terms.map(search.shardOf)", terms) == [shard_of(one) for one in terms]
    pairs = [
        ("wind", "wnid"),
        ("wind", "win"),
        ("wind", "window"),
        ("wind", "wind"),
        ("aé", "éa"),
        ("abcd", "badc"),
    ]
    assert page.evaluate(
        "(pairs) => pairs.map(([one, other]) => search.isOneEditAway(one, other))", pairs
    ) == [is_one_edit_away(*pair) for pair in pairs]


def test_the_box_on_every_page_leads_to_results_and_back(
    page: Page, address: str, index: SearchIndex
) -> None:
    page.goto(f"{address}/process_definition/g/p3/")
    page.keyboard.press("/")
    page.keyboard.type("radar")
    page.keyboard.press("Enter")
    page.wait_for_url("**/_search/?q=radar")
    total = len(ranked(index, "radar"))
    assert count(page) == f"{total} definitions"
    page.click(".facet a:has-text('experimental')")
    page.wait_for_url("**/_search/?q=radar&lifecycle=experimental")
    some = count(page)
    assert some != f"{total} definitions"
    page.click(".results a.title >> nth=0")
    page.wait_for_url("**/process_definition/**")
    page.go_back()
    assert (count(page), page.input_value("#q")) == (some, "radar")
    page.go_back()
    assert count(page) == f"{total} definitions"
    page.go_back()
    assert page.url.endswith("/g/p3/")


def test_facets_combine_and_count_what_they_lead_to(page: Page, address: str) -> None:
    page.goto(f"{address}/_search/?tag=radar&owner=t1")
    assert count(page) == "10 definitions"
    assert page.locator(".facet a.selected").count() == 2
    for name in ("Kind", "Tag", "Owner", "Application", "Adapter", "Lifecycle"):
        assert page.locator(".facet h2", has_text=name).count() == 1
    page.click(".facet a.selected:has-text('t1')")
    page.wait_for_url("**/_search/?tag=radar")
    assert count(page) == "20 definitions"
    page.goto(f"{address}/_search/?kind=application")
    assert count(page) == "1 definition"
    page.goto(f"{address}/_search/")
    assert count(page) == "61 definitions"
    page.click("nav.pages a:has-text('Next')")
    page.wait_for_url("**/_search/?page=2")
    assert page.locator(".results > li").count() == 20


def test_results_can_be_ordered_by_age(page: Page, address: str, index: SearchIndex) -> None:
    page.goto(f"{address}/_search/?q=quality")
    count(page)
    page.select_option("select[name=order]", "-id")
    page.wait_for_url("**/_search/?q=quality&order=-id")
    newest = sorted(index.ids_of_kind("process_definition", ranked(index, "quality")), reverse=True)[:20]
    expect(page.locator(".results > li")).to_have_count(len(newest))
    expect(page.locator(".results .name").first).to_have_text(f"g/p{newest[0]}")
    names = page.locator(".results .name").all_inner_texts()
    assert [int(name.rpartition("p")[2]) for name in names] == newest
    page.go_back()
    page.wait_for_url("**/_search/?q=quality")
    assert page.input_value("select[name=order]") == ""


def test_results_follow_typing(page: Page, address: str, index: SearchIndex) -> None:
    page.goto(f"{address}/_search/")
    page.fill("#q", "quality 衛星")
    expect(page.locator(".search-count")).to_have_text(f"{len(ranked(index, 'quality 衛星'))} definitions")
    page.fill("#q", "nothinglikethis")
    expect(page.locator(".search-count")).to_have_text("0 definitions")
    assert page.url.endswith("?q=nothinglikethis")
    assert page.locator(".results > li").count() == 0


def test_hostile_texts_are_text(page: Page, address: str) -> None:
    page.goto(f"{address}/_search/?q=onerror")
    assert count(page) == "60 definitions"
    assert page.inner_text(".results a.title >> nth=0") == HOSTILE
    page.goto(f"{address}/_search/?q={HOSTILE}&owner={HOSTILE}&kind=__proto__&lifecycle=constructor")
    assert count(page) == "0 definitions"
    assert page.locator("main img").count() == 0
    assert page.evaluate("window.hacked") is None
    assert page.locator(".facet a.selected").count() == 3


def test_the_key_can_be_switched_off(page: Page, address: str) -> None:
    page.goto(f"{address}/_search/")
    page.uncheck(".search-keys input")
    page.goto(f"{address}/process_definition/g/p3/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    page.goto(f"{address}/_search/")
    page.check(".search-keys input")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.tagName") == "INPUT"


def test_without_javascript_the_page_leads_to_the_lists(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto(f"{address}/process_definition/g/p3/")
    page.fill(".search input", "radar")
    page.press(".search input", "Enter")
    page.wait_for_url("**/_search/?q=radar")
    assert "needs JavaScript" in page.inner_text(".search-note")
    page.click(".search-note a >> nth=0")
    assert page.locator("table.list tbody tr").count() > 0
    context.close()


def test_from_disk_a_note_says_why_there_is_no_search(browser: Browser, folder: Path) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto((folder / "site/index.html").as_uri())
    assert page.locator(".search input").is_disabled()
    page.goto((folder / "site/_search/index.html").as_uri())
    assert "needs a web server" in page.inner_text(".search-note")
    assert not page.locator(".search-form").is_visible()
    page.close()
