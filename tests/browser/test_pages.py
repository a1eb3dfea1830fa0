"""Rules that every type of page keeps, in a real browser."""

import gzip
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import chromium
from tests.support.demonstration import (
    PAGE_TYPES,
    Demonstration,
    PageType,
    demonstration,
)
from tests.support.served import get
from tests.support.waiting import PATIENCE_S

MOST_BYTES = 30_000
MOST_REQUESTS = 6


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with demonstration(tmp_path_factory.mktemp("pages")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh profile on which no script fails and the security policy blocks nothing."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda message: wrong.append(message.text) if "status of 404" not in message.text else None
    )
    yield page
    page.close()
    assert wrong == []


def open_page(page: Page, shown: Demonstration, kind: PageType) -> None:
    page.goto(shown.address(kind))
    page.wait_for_selector(kind.waits_for)


def test_the_first_load_of_a_definition_is_small(page: Page, shown: Demonstration) -> None:
    kind = next(one for one in PAGE_TYPES if one.name == "definition")
    bodies: dict[str, bytes] = {}
    with page.expect_response("**/snapshot.json"):
        page.on("response", lambda response: bodies.update({response.url: b""}))
        open_page(page, shown, kind)
    page.wait_for_load_state("networkidle")
    # A browser without a window loads no icon.
    bodies[page.evaluate("document.querySelector('link[rel=icon]').href")] = b""
    sizes = {url: len(gzip.compress(get(url), 6)) for url in bodies}
    assert len(sizes) <= MOST_REQUESTS, sizes
    assert sum(sizes.values()) <= MOST_BYTES, sizes


def test_the_chosen_theme_stays_and_automatic_follows_the_system(page: Page, shown: Demonstration) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(shown.addresses["site"])
    light = background(page)
    page.click("text=Dark")
    assert background(page) != light
    assert pressed(page) == ["Dark"]
    # Set before the first paint: it is there when the parser reaches the body.
    page.add_init_script(
        "new MutationObserver((_, one) => { if (!document.body) return;"
        " window.early = document.documentElement.dataset.theme; one.disconnect(); })"
        ".observe(document, {childList: true, subtree: true})"
    )
    page.goto(shown.addresses["site"] + "process_definition/odd/empty/")
    assert page.evaluate("window.early") == "dark"
    assert background(page) != light
    assert pressed(page) == ["Dark"]
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    page.click("button:text-is('Light')")
    assert background(page) == light
    page.click("text=Automatic")
    assert (background(page), pressed(page)) == (dark, ["Automatic"])
    page.emulate_media(color_scheme="light")
    assert background(page) == light


def background(page: Page) -> str:
    color: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return color


def pressed(page: Page) -> list[str]:
    return page.locator("[aria-pressed=true]").all_inner_texts()
