"""The catalog in a real browser: readable on a phone, whole without JavaScript, nothing loaded from elsewhere."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from registry.cli import main
from registry.load.settings import Settings
from registry.load.source import open_source
from registry.pipeline import build
from registry.scaffold.webserver import webserver_config
from registry.site import Site
from tests.support.nginx import free_port, nginx
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S

LONG = "averylongwordwithoutanybreak" * 6


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small registry behind nginx."""
    folder = tmp_path_factory.mktemp("catalog")
    repo = RepoBuilder(folder / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\ntitle: Catalog\nlayout: full\n")
    repo.define(
        "tools",
        "title: Tools\nowners: [t]\ndefinition: {mappings: {hotel: {iaas_image: i, iaas_allocation: a}}, contextualization:"
        " {method: userdata, userdata: 'echo ${broker}'}}\n",
        "application",
    )
    repo.define(
        "audio/encode",
        f"title: Encode\ndescription: 'Very **good**. {LONG}'\nowners: [t]\ntags: [audio]\ndefinition:\n  exec: /bin/encode\n"
        f"  application: tools\n  argv: [-i, '{LONG}', <b>]\n  environment: {{LEVEL: info}}\n"
        "  input_adapter: {input_type: file, input_params: {file_type: stream, stream_name: STDIN}}\n",
    )
    repo.define(
        "audio/old",
        "title: Old\nowners: [t]\nlifecycle: deprecated\n"
        "deprecation: {since: '2026-01-01', replaced_by: audio/encode, reason: Slow}\ndefinition: {exec: /bin/old}\n",
    )
    repo.commit("Add everything")
    assert main(["index", "-C", str(repo.root)]) == 0
    path = repo.root / "definitions/process_definition/audio/encode.yaml"
    path.write_text(path.read_text().replace("info", "debug"))
    repo.commit("Log more")
    for number in range(60):
        repo.define(
            "audio/often",
            f"title: Often\nowners: [t]\ndefinition: {{exec: /bin/often, argv: ['{number}']}}\n",
        )
        repo.commit(f"Step {number}")
    assert build(open_source(repo.root), Site(folder / "site")).files
    port = free_port()
    with nginx(
        webserver_config("nginx", folder / "site", Settings(), f"127.0.0.1:{port}"), port, folder / "run"
    ) as found:
        yield found


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that fails the test when anything is blocked, missing or loaded from elsewhere."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_S * 1000)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda request: wrong.append(request.url) if not request.url.startswith(address) else None
    )
    page.on(
        "response",
        lambda response: (
            wrong.append(f"{response.status} {response.url}") if response.status >= 400 else None
        ),
    )
    yield page
    assert wrong == []
    context.close()


def test_a_definition_is_found_from_the_index_and_shows_everything(page: Page, address: str) -> None:
    page.goto(address)
    assert page.title() == "Catalog"
    page.click("text=Encode")
    assert page.url == f"{address}/process_definition/audio/encode/"
    text = page.inner_text("main")
    for expected in (
        "Encode",
        "/bin/encode",
        "LEVEL",
        "debug",
        "Input: file",
        "STDIN",
        "Log more",
        "/definition/environment/LEVEL",
        "Add everything",
        "owners: [t]",
        "/api/process_definition/1.json",
    ):
        assert expected in text
    assert page.inner_text("del") == "info"
    assert page.locator("strong", has_text="good").count() == 1


def test_applications_and_definitions_lead_to_each_other(page: Page, address: str) -> None:
    page.goto(f"{address}/process_definition/audio/encode/")
    page.click("aside >> text=tools")
    assert page.url == f"{address}/application/tools/"
    assert "broker" in page.inner_text("main")
    page.click("text=Encode")
    assert page.url == f"{address}/process_definition/audio/encode/"


def test_a_deprecated_one_says_what_to_use_instead(page: Page, address: str) -> None:
    page.goto(f"{address}/process_definition/audio/old/")
    assert page.inner_text(".banner") == "Deprecated since 2026-01-01. Use audio/encode instead. Slow."
    page.click(".banner a")
    assert page.url.endswith("/audio/encode/")


def test_the_json_address_is_copied_whole(page: Page, address: str) -> None:
    page.goto(f"{address}/process_definition/audio/encode/")
    page.click("aside button.copy")
    page.wait_for_selector("aside button:has-text('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == f"{address}/api/process_definition/1.json"


def test_everything_is_there_without_javascript(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.goto(address)
    page.click("text=Encode")
    assert "/bin/encode" in page.inner_text("main")
    assert page.locator("button:visible").count() == 0
    assert page.locator("#address").get_attribute("href") == "../../../api/process_definition/1.json"
    context.close()


def test_any_two_revisions_can_be_compared(page: Page, address: str) -> None:
    page.goto(f"{address}/process_definition/audio/encode/")
    page.click("text=Compare two revisions")
    page.wait_for_selector(".compare table")
    assert page.inner_text(".compare del") == "info"
    assert page.inner_text(".compare ins") == "debug"
    page.select_option("select[name=from]", "1")
    page.wait_for_selector(".compare >> text=/id")
    assert page.url.endswith("#compare=1..3")
    page.goto(f"{address}/process_definition/audio/encode/_revisions/2/")
    assert page.inner_text("main ins") == "1"
    page.click("text=Compare with another revision")
    page.wait_for_selector(".compare .none")
    assert (page.input_value("select[name=from]"), page.input_value("select[name=to]")) == ("1", "2")


def test_a_link_to_an_old_revision_of_a_long_history_finds_its_page(page: Page, address: str) -> None:
    page.goto(f"{address}/process_definition/audio/often/_history/#revision-3")
    page.wait_for_url("**/_history/1-50/#revision-3")
    entry = page.locator("#revision-3")
    assert entry.locator("pre").is_hidden()
    entry.locator("summary").click()
    assert "argv: ['2']" in entry.locator("pre").inner_text()
    page.click("nav.pages >> text=51-60")
    page.wait_for_url("**/_history/")
    assert page.locator("#revision-60").is_visible()


def test_a_revision_has_its_content_and_leads_to_its_neighbours(page: Page, address: str) -> None:
    page.goto(f"{address}/process_definition/audio/encode/_history/")
    page.click("text=Revision 1")
    assert "LEVEL: info" in page.inner_text("#source")
    page.click("text=Newer")
    page.click("text=Newer")
    assert page.url == f"{address}/process_definition/audio/encode/_revisions/3/"
    assert "LEVEL: debug" in page.inner_text("#source")


def test_what_a_kind_is_for_is_said_in_markdown(page: Page, address: str) -> None:
    page.goto(f"{address}/process_definition/")
    assert page.locator(".lead code").all_inner_texts() == ["definition"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/process_definition/audio/encode/",
        "/application/tools/",
        "/process_definition/",
        "/process_definition/audio/encode/_history/",
        "/process_definition/audio/encode/_revisions/3/",
    ],
)
def test_no_page_is_wider_than_a_phone_and_text_can_be_read(
    browser: Browser, address: str, path: str
) -> None:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (
            page.evaluate(
                "parseFloat(getComputedStyle(document.querySelector('main p, main td, main dd')).fontSize)"
            )
            >= 12
        )
    context.close()


@pytest.mark.parametrize("path", ["/", "/process_definition/audio/encode/"])
def test_pages_have_one_heading_landmarks_labels_and_names(page: Page, address: str, path: str) -> None:
    page.goto(address + path)
    assert page.locator("h1").count() == 1
    assert page.locator("html[lang]").count() == 1
    for landmark in ("header", "main", "footer", "nav"):
        assert page.locator(landmark).count() >= 1
    assert page.evaluate("[...document.querySelectorAll('input')].every((input) => input.labels.length)")
    assert page.evaluate("[...document.querySelectorAll('a, button')].every((one) => one.textContent.trim())")
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map((heading) => Number(heading.tagName[1]))"
    )
    assert all(after - before <= 1 for before, after in pairwise(levels))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"


def test_the_security_policy_really_stops_a_script_from_elsewhere(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.goto(address)
    page.evaluate("""() => {
        const inline = document.createElement("script"); inline.textContent = "window.ran = true"; document.body.append(inline);
        document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.ran = true'>");
    }""")
    page.wait_for_timeout(300)
    assert page.evaluate("window.ran") is None
    context.close()
