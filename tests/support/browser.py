"""The system's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.waiting import PATIENCE_S

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MAC = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
# Nothing may leave the machine: Chromium's own look-ups are switched off.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser with a fresh profile."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None) or next(
        (str(path) for path in _MAC if path.exists()), None
    )
    assert found, "Chromium is not installed: scripts/install-test-tools"
    with sync_playwright() as playwright:
        # The limit for each action and expectation of the pages below: nothing is a measure of speed.
        expect.set_options(timeout=PATIENCE_S * 1000)
        browser = playwright.chromium.launch(
            executable_path=found, args=_ARGUMENTS, timeout=PATIENCE_S * 1000
        )
        try:
            yield browser
        finally:
            browser.close()
