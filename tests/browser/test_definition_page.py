"""The page of a definition in a real browser: its command runs, it fits a phone and paper, and it is small."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Response

from registry.cli import main
from registry.load.source import open_source
from registry.pipeline import build
from registry.site import Site
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S

LONG = "averylongwordwithoutanybreak" * 8
ARGUMENTS = ["it's", "$HOME `id`", "two\nlines", "\x1b[201~\r", "שלום", "<b>&amp;", "", LONG]
PATH = "process_definition/audio/encode/"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("definition")
    report = folder / "re port"
    report.write_text(
        f"#!{sys.executable} -I\nimport json, os, sys\nprint(json.dumps([sys.argv[1:], os.getcwd()]))\n"
    )
    report.chmod(0o755)
    repo = RepoBuilder(folder / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\nexports: [slurm]\n")
    deep = {"a": {"b": {"c": {"d": {"e": {"f": {"g": LONG}}}}}}}
    definition = {
        "exec": str(report),
        "argv": ARGUMENTS,
        "cwd": str(folder),
        "environment": {"NAME": LONG},
        "input_adapter": {"input_type": f"org/{LONG}", "input_params": {"x-deep": deep}},
    }
    repo.define(
        "audio/encode",
        f"title: {LONG[:120]}\nowners: [{LONG[:100]}]\nlinks: [{{href: 'https://example.org/', title: {LONG[:100]}}}]\n"
        f"definition: {json.dumps(definition)}\n",
    )
    plain = [one for one in ARGUMENTS if "\r" not in one]
    repo.define("audio/plain", f"title: P\ndefinition: {json.dumps({'exec': str(report), 'argv': plain})}\n")
    repo.commit("Add it")
    assert main(["index", "-C", str(repo.root)]) == 0
    assert build(open_source(repo.root), Site(folder / "site")).files
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder / "site"))
    )
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{PATH}"
    server.shutdown()
    server.server_close()


def test_the_copied_command_runs_with_the_same_arguments(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_S * 1000)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(address)
    page.click("#command-lines + button")
    page.wait_for_selector("#command-lines + button:has-text('Copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(
        ["sh", "-c", copied], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    argv, folder = json.loads(done.stdout)
    assert argv == ARGUMENTS
    assert folder != str(tmp_path)
    context.close()


def test_an_export_is_copied_as_it_is_in_its_file(browser: Browser, address: str) -> None:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_S * 1000)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(address.replace("encode", "plain"))
    page.click("text=Slurm")
    page.click("#export-slurm + button")
    page.wait_for_selector("#export-slurm + button:has-text('Copied')")
    file = context.request.get(f"{page.url}_exports/slurm/audio-plain.sbatch")
    assert page.evaluate("navigator.clipboard.readText()") == file.text() != ""
    context.close()


def test_an_export_is_read_without_scripts(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.goto(address)
    page.click("text=Slurm")
    assert "exec env" in page.inner_text("#export-slurm")
    # Its control characters would be missing in a copy.
    assert page.locator("#export-slurm + button").count() == 0
    assert page.is_visible("text=use the file")
    context.close()


def test_the_first_load_is_small(browser: Browser, address: str) -> None:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    loaded: list[Response] = []
    page.on("response", lambda response: loaded.append(response))  # noqa: PLW0108
    page.goto(address, wait_until="networkidle")
    assert 1 < len(loaded) <= 6
    assert sum(len(gzip.compress(one.body())) for one in loaded) < 30_000
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_can_be_scrolled_by_keyboard(browser: Browser, address: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    # Deep parameters keep a width in which words can be read.
    assert page.locator(".card code").last.evaluate("one => one.parentElement.clientWidth") > 120
    scrolled = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
            .filter((one) => one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX === "auto")
            .map((one) => [
                one.tagName, one.tabIndex, one.getAttribute("role"),
                one.hasAttribute("aria-label") || one.hasAttribute("aria-labelledby"),
            ])"""
    )
    assert ["PRE", 0, "region", True] in scrolled
    assert all(focus == 0 and role and label for _, focus, role, label in scrolled), scrolled
    context.close()


def test_the_command_is_dark_on_paper(browser: Browser, address: str) -> None:
    context = browser.new_context(color_scheme="dark")
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(address)
    color, background = page.locator("#command-lines").evaluate(
        "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
    )
    assert (color, background) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")
    context.close()
