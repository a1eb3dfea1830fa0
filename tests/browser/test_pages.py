"""Rules that every type of page keeps, in a real browser: accessible in both themes, valid, narrow, usable from a
keyboard, printable, small."""

import gzip
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.demonstration import (
    PAGE_TYPES,
    SIZES,
    THEMES,
    Demonstration,
    PageType,
    demonstration,
)
from tests.support.served import get
from tests.support.waiting import PATIENCE_S

NODE = Path(__file__).parents[1] / "support/node"
AXE = NODE / "node_modules/axe-core/axe.min.js"
REPORTED = ("moderate", "serious", "critical")
MOST_BYTES = 30_000
MOST_REQUESTS = 6
NARROW = 320

# Pages that differ most in template and values; `make test-engines` has the time for the other types.
IN_EVERY_RUN = {
    *("home", "list", "definition-with-hostile-text", "definition-from-right-to-left"),
    *("search", "history-long", "changes", "live-problems"),
}
# Values change nothing that has the focus: one page of each template is enough.
SAME_TEMPLATE = {
    *("list-of-applications", "list-by-id", "moved", "owners", "owner", "tags", "tag", "adapters", "adapter"),
    *("lifecycles", "lifecycle", "deleted", "history-older", "preview"),
}


def _page_types(among: Iterable[PageType], in_every_run: set[str]) -> pytest.MarkDecorator:
    marked = [
        one if one.name in in_every_run else pytest.param(one, marks=pytest.mark.engine) for one in among
    ]
    return pytest.mark.parametrize("kind", marked, ids=lambda kind: kind.name)


every_page = _page_types(PAGE_TYPES, IN_EVERY_RUN)
each_template = _page_types(
    [one for one in PAGE_TYPES if one.name not in SAME_TEMPLATE and not one.name.startswith("definition-")],
    {"home", "definition", "search", "history-long", "live-problems"},
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with demonstration(tmp_path_factory.mktemp("pages")) as found:
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
    answer = page.goto(shown.address(kind))
    assert answer is not None
    assert (answer.status == 404) == (kind.name == "not-found")
    page.wait_for_selector(kind.waits_for)
    page.evaluate("document.querySelectorAll('details.export').forEach((one) => { one.open = true; })")


@every_page
def test_axe_finds_nothing_in_both_themes_and_sizes(page: Page, shown: Demonstration, kind: PageType) -> None:
    open_page(page, shown, kind)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = []
    for theme in THEMES:
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        # Another theme changes nothing but colors.
        rules = {} if theme == "light" else {"runOnly": ["color-contrast", "link-in-text-block"]}
        for width, height in SIZES.values():
            page.set_viewport_size({"width": width, "height": height})
            result: dict[str, Any] = page.evaluate(
                "rules => axe.run(document, {resultTypes: ['violations'], ...rules})", rules
            )
            found += [
                (theme, width, one["id"], node["html"][:200], node["failureSummary"])
                for one in result["violations"]
                if one["impact"] in REPORTED
                for node in one["nodes"]
            ]
    assert found == []


@every_page
def test_no_page_is_wider_than_320_pixels(page: Page, shown: Demonstration, kind: PageType) -> None:
    page.set_viewport_size({"width": NARROW, "height": 640})
    open_page(page, shown, kind)
    wide = page.evaluate(WIDE, NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW, wide


@every_page
def test_text_of_the_other_direction_is_isolated(page: Page, shown: Demonstration, kind: PageType) -> None:
    open_page(page, shown, kind)
    assert page.evaluate(NOT_ISOLATED) == []


@each_template
def test_the_keyboard_reaches_everything_and_leaves_again(
    page: Page, shown: Demonstration, kind: PageType
) -> None:
    open_page(page, shown, kind)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    # The last step leaves the page for the browser's own controls.
    left = page.evaluate(FOCUSABLE)
    wrong = []
    for _ in range(left + 50):
        state = page.evaluate(FOCUSED)
        if state is None:
            break
        if not state["seen"]:
            wrong.append(state["html"])
        page.keyboard.press("Tab")
    else:
        pytest.fail("the focus never left the page")
    assert wrong == []
    page.reload()
    page.wait_for_selector(kind.waits_for)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate(
        "document.querySelector('#main').contains(document.activeElement)"
        " || !document.querySelector('#main').querySelector('a[href], button, input, select, [tabindex]')"
    )


@every_page
def test_printed_text_is_dark_on_white(page: Page, shown: Demonstration, kind: PageType) -> None:
    open_page(page, shown, kind)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert page.evaluate(PALE_IN_PRINT) == []


def test_every_page_is_valid_html(shown: Demonstration, tmp_path: Path) -> None:
    files = []
    for kind in PAGE_TYPES:
        file = tmp_path / f"{kind.name}.html"
        if kind.name == "not-found":
            file.write_bytes((shown.folders["site"] / "404.html").read_bytes())
        else:
            file.write_bytes(get(shown.address(kind)))
        files.append(str(file))
    settings = tmp_path / ".htmlvalidate.json"
    settings.write_text(json.dumps(HTML_RULES))
    command = [
        str(NODE / "node_modules/.bin/html-validate"),
        "--config",
        str(settings),
        "--formatter",
        "text",
        *files,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


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


HTML_RULES = {
    "extends": ["html-validate:recommended"],
    "root": True,
    "rules": {
        "doctype-style": ["error", {"style": "lowercase"}],
        # Titles are those of the definitions.
        "long-title": "off",
        # Enter sends the search; a comparison follows its lists at once.
        "wcag/h32": "off",
        # A `pre` that scrolls is a region, so that it can have the focus and a name.
        "prefer-native-element": ["error", {"exclude": ["region", "group"]}],
    },
}

# What reaches beyond a width, for the message of a failed test.
WIDE = """(width) => [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > width + 1 && !one.closest(".scroll, pre"))
  .slice(0, 5).map((one) => one.outerHTML.slice(0, 200))"""

# Text with letters from right to left beside other text of the same block, without an element that isolates it.
NOT_ISOLATED = """() => {
  const rtl = /[\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufeff]/;
  const isolates = (one) => /isolate|plaintext/.test(getComputedStyle(one).unicodeBidi) || one.dir === "auto";
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!rtl.test(node.data) || node.parentElement.closest("script, style, svg title")) continue;
    let one = node.parentElement;
    while (getComputedStyle(one).display.startsWith("inline") && !isolates(one) && one.tagName !== "text") one = one.parentElement;
    if (!isolates(one) && one.textContent.trim() !== node.data.trim()) found.push(one.outerHTML.slice(0, 300));
  }
  return found;
}"""

FOCUSABLE = "document.querySelectorAll('a[href], button, input, select, summary, [tabindex]').length"

# What has the focus, and whether its outline is drawn; null for the page itself.
FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return {
    html: one.outerHTML.slice(0, 200),
    seen: outlined && box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""

# Elements with text whose contrast on white paper, which has no backgrounds, is under 4.5.
PALE_IN_PRINT = """() => {
  const luminance = (color) => {
    const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
    const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const found = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const one = node.parentElement;
    if (!node.data.trim() || !one.checkVisibility()) continue;
    if (1.05 / (luminance(getComputedStyle(one).color) + 0.05) < 4.5) found.add(one.outerHTML.slice(0, 200));
  }
  return [...found];
}"""
