"""Values on the pages, in a real browser: none turns the text around it, and characters that are not seen are marked."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page

from registry.cli import main
from registry.load.source import open_source
from registry.pipeline import build
from registry.site import Site
from tests.support.browser import chromium
from tests.support.repo import RepoBuilder

TEXT = """title: "Tit\\u202ele \\u05e9\\u05dc\\u05d5\\u05dd"
description: "A word\\u200bwith *more*\\u2066 here"
owners: ["te\\u202eam"]
definition:
  exec: /bin/x
  argv: ["a\\u00a0b", "{first}", "👨\\u200d👩", "e\\x1bsc"]
  environment: {{HEBREW: "\\u05e9\\u05dc\\u05d5\\u05dd 12"}}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("invisible")
    repo = RepoBuilder(folder / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a", TEXT.format(first="x\\u200by"))
    repo.commit("Add \u202eit\u200b")
    assert main(["index", "-C", str(repo.root)]) == 0
    path = repo.root / "definitions/process_definition/a.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("x\\u200by", "x\\u2060y"), encoding="utf-8")
    repo.commit("Change it")
    assert build(open_source(repo.root), Site(folder / "site")).files
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder / "site"))
    )
    Thread(target=server.serve_forever, daemon=True).start()
    with chromium() as browser:
        found = browser.new_context(
            base_url=f"http://127.0.0.1:{server.server_port}", viewport={"width": 1200, "height": 1600}
        ).new_page()
        found.set_default_timeout(60_000)
        yield found
    server.shutdown()
    server.server_close()


def codes(page: Page, selector: str) -> list[str | None]:
    return [one.get_attribute("data-code") for one in page.locator(f"{selector} bdi.unseen").all()]


def test_each_is_marked_where_it_stands(page: Page, tmp_path: Path) -> None:
    page.goto("/process_definition/a/")
    page.screenshot(path=str(tmp_path / "page.png"), full_page=True)
    assert codes(page, "h1") == ["U+202E"]
    assert codes(page, ".lead") == ["U+200B", "U+2066"]
    assert codes(page, "dl.facts") == ["U+202E"]
    # A command to copy has no control characters: a terminal would interpret them.
    assert codes(page, "#command-lines") == ["U+00A0", "U+2060"]
    assert codes(page, ".fields") == ["U+00A0", "U+2060", "U+001B"]
    assert codes(page, ".history .what") == ["U+202E", "U+200B"]
    assert {"U+200B", "U+2060"} <= set(codes(page, ".history .changes"))
    mark = page.locator("h1 bdi.unseen")
    assert mark.evaluate("one => getComputedStyle(one, '::before').content") == '"U+202E"'
    assert mark.get_attribute("title") == "U+202E RIGHT-TO-LEFT OVERRIDE"
    # An emoji is whole, and its joiner is no finding.
    assert "👨\u200d👩" in page.locator(".fields").first.inner_text()


def test_no_value_turns_the_text_around_it(page: Page) -> None:
    page.goto("/process_definition/a/")
    # After the override in a title its letters still go from left to right, and what follows stays behind it.
    assert page.locator("h1").evaluate(LEFTS_OF, "le ") == "rising"
    value = page.locator(".fields code bdi", has_text="12").first
    assert value.evaluate("one => getComputedStyle(one).unicodeBidi") == "isolate"
    assert page.title().startswith("Tit")


def test_copying_gives_the_value_itself(page: Page) -> None:
    page.goto("/process_definition/a/")
    copied = page.locator("#command-lines").evaluate("one => one.textContent")
    assert copied == ("""HEBREW='שלום 12' /bin/x 'a\u00a0b' 'x\u2060y' '👨\u200d👩' e"$(printf '\\033')"sc""")


def test_a_comparison_marks_them_and_the_part_that_differs(page: Page) -> None:
    page.goto("/process_definition/a/_history/#compare=1..3")
    page.locator(".compare table").wait_for()
    assert codes(page, ".compare table .part del") == ["U+200B"]
    assert codes(page, ".compare table .part ins") == ["U+2060"]
    before, after = page.locator(".compare table .part").all_inner_texts()
    assert before.startswith('["a\u00a0b","x')
    assert before.replace("\u200b", "\u2060") == after


# Where each character of some text is drawn: "rising" when each is to the right of the one before.
LEFTS_OF = """(element, text) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const start = node.data.indexOf(text);
    if (start < 0) continue;
    const lefts = [...text].map((_, place) => {
      const range = document.createRange();
      range.setStart(node, start + place);
      range.setEnd(node, start + place + 1);
      return range.getBoundingClientRect().left;
    });
    return lefts.every((left, place) => !place || left > lefts[place - 1]) ? "rising" : `not rising: ${lefts}`;
  }
  return "no such text";
}"""
