"""From a saved file to the page, in a real browser: edits come, mistakes lie over the page, branches change."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from registry.load.source import open_source
from registry.pipeline import build
from registry.site import Site
from tests.support.repo import RepoBuilder
from tests.support.served import eventually, get, served
from tests.support.waiting import PATIENCE_S

TEXT = "title: T{0}\nowners: [t]\ndescription: {1}\ndefinition:\n  exec: /bin/x\n  application: app\n"
LONG = "word " * 1900


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which no script fails."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    page.close()
    assert wrong == []


@pytest.fixture
def registry(repo: RepoBuilder) -> RepoBuilder:
    """Thirty definitions; the first has a long page."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("app", kind="application")
    for number in range(30):
        repo.define(f"g/p{number}", TEXT.format(number, LONG if number == 0 else "short"))
    repo.commit("start")
    return repo


def test_an_edit_changes_the_open_page_in_place(registry: RepoBuilder, page: Page) -> None:
    with served(registry.root) as (address, _):
        page.goto(f"{address}/process_definition/g/p0/")
        page.evaluate("window.mark = 1; scrollTo(0, 700)")
        registry.define("g/p0", TEXT.format("new", LONG))
        page.wait_for_selector("h1 bdi:text-is('Tnew')")
        assert page.evaluate("[window.mark, Math.round(scrollY)]") == [
            1,
            700,
        ]  # no load: the same document, at the same place
        assert page.title().startswith("Tnew")
        assert page.locator(".badge", has_text="uncommitted").count() == 1
        page.click("#source + button.copy")  # what was replaced still works


def test_a_search_that_was_typed_stays_and_finds_the_edit(registry: RepoBuilder, page: Page) -> None:
    with served(registry.root) as (address, _):
        page.goto(f"{address}/_search/")
        page.fill("#q", "tseven")
        expect(page.locator(".search-count")).to_have_text("0 definitions")
        registry.define("g/p7", TEXT.format("seven", "short"))
        page.wait_for_selector(".results a.title bdi:text-is('Tseven')")
        assert page.input_value("#q") == "tseven"


def test_a_mistake_lies_over_the_page_with_its_place_until_it_is_mended(
    registry: RepoBuilder, page: Page
) -> None:
    with served(registry.root) as (address, _):
        page.goto(f"{address}/process_definition/g/p3/")
        registry.define("g/p3", TEXT.format(3, "short").replace("exec:", "exce:"))
        page.wait_for_selector("#registry-problems")
        text = page.inner_text("#registry-problems")
        for expected in (
            "definitions/process_definition/g/p3.yaml:5:3",
            "unknown key `exce`",
            "  exce: /bin/x",
            "did you mean `exec`?",
        ):
            assert expected in text
        assert "/bin/x" in page.inner_text("main")  # the last good state is still there
        registry.define("g/p3", TEXT.format("mended", "short"))
        page.wait_for_selector("h1 bdi:text-is('Tmended')")
        page.wait_for_selector("#registry-problems", state="detached")


def test_a_mistake_is_shown_to_a_page_that_is_opened_later_and_shows_no_credential(
    registry: RepoBuilder, page: Page
) -> None:
    secret = "Zx81kLq9" + "3vbnTT42pq"
    with served(registry.root) as (address, _):
        registry.define("g/p3", TEXT.format(3, "short") + f"  environment: {{DB_PASSWORD: {secret}}}\n")
        page.goto(f"{address}/process_definition/g/p4/")
        page.wait_for_selector("#registry-problems")
        assert "X001" in page.inner_text("#registry-problems")
        assert secret not in page.content()
        size = page.evaluate("document.querySelector('#registry-problems').offsetHeight / innerHeight")
        assert size < 0.4
        page.focus("#registry-problems")
        page.keyboard.press("Escape")
        page.wait_for_selector("#registry-problems", state="detached")


def served_files(address: str, site: Path) -> dict[str, bytes]:
    """What the server answers at the JSON addresses of a build."""
    root = site.resolve()
    return {
        path: get(f"{address}/{path}")
        for file in root.rglob("*.json")
        if (path := file.relative_to(root).as_posix())
    }


def test_another_branch_ends_in_exactly_what_a_fresh_build_gives(
    registry: RepoBuilder, page: Page, tmp_path: Path
) -> None:
    registry.git("checkout", "-q", "-b", "other")
    for number in range(25):
        registry.define(f"g/p{number}", TEXT.format(f"other{number}", "changed"))
    for number in range(25, 30):
        registry.git(
            "mv",
            f"definitions/process_definition/g/p{number}.yaml",
            f"definitions/process_definition/g/q{number}.yaml",
        )
    registry.commit("all of them")
    registry.git("checkout", "-q", "main")
    with served(registry.root) as (address, _):
        page.goto(f"{address}/process_definition/g/p1/")
        for branch in ("other", "main", "other"):
            registry.git("checkout", "-q", branch)
            page.wait_for_selector(
                "h1 bdi:text-is('Tother1')" if branch == "other" else "h1 bdi:text-is('T1')"
            )
            expected = registry.git("rev-parse", "HEAD")
            eventually(
                lambda commit=expected: json.loads(get(f"{address}/api/snapshot.json"))["commit"] == commit  # type: ignore[misc]
            )
            site = Site(tmp_path / f"{branch}-{len(list(tmp_path.iterdir()))}")
            build(open_source(registry.root), site)
            root = site.out.resolve()
            assert served_files(address, site.out) == {
                file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*.json")
            }


def test_ctrl_c_ends_it_though_pages_are_open(registry: RepoBuilder, page: Page) -> None:
    with served(registry.root) as (address, process):
        page.goto(address)
        page.wait_for_timeout(300)
        process.send_signal(2)
        assert process.wait(PATIENCE_S) in (0, 130, -2)
    log = (registry.root.parent / "serve.log").read_text()
    assert "Traceback" not in log
    assert (
        subprocess.run(
            ["git", "status", "--porcelain"], cwd=registry.root, capture_output=True, check=True
        ).stdout
        == b""
    )
