#!/usr/bin/env python3
"""Measure `registry serve`: requests per second with wrk, the start, and the way from a saved file to the page in a browser.

    benchmarks/serve.py [--definitions 10000] [--commits 50000] [--edits 50] [--where DIR]

Needs wrk and Chromium (Debian: `apt install wrk chromium`). The time of an edit is from just before the file is written to the
moment when the open page shows it, as the page's own script sees it.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.support.browser import chromium  # noqa: E402
from tests.support.nginx import free_port  # noqa: E402


def started(root, port):
    """A server, and the seconds until its first answer."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "registry", "serve", "-C", str(root), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/process_definition/1/", timeout=60) as answer:
                answer.read()
            return process, time.monotonic() - begun
        except (OSError, urllib.error.URLError):
            if process.poll() is not None:
                raise SystemExit("the server ended") from None
            time.sleep(0.01)


def wrk(address):
    """Requests per second and the 99th percentile in milliseconds."""
    text = subprocess.run(["wrk", "-t1", "-c8", "-d5s", "--latency", address], capture_output=True, text=True, check=True).stdout
    value, unit = re.search(r"99%\s+([0-9.]+)(us|ms|s)", text).groups()
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1]), float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def edits(root, port, count):
    """Milliseconds of each edit."""
    path = sorted((root / "definitions/process_definition").rglob("*.yaml"))[3]
    before = path.read_text()
    name = path.relative_to(root / "definitions/process_definition").with_suffix("").as_posix()
    found = []
    try:
        with chromium() as browser:
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/process_definition/{name}/")
            page.wait_for_timeout(1000)
            for number in range(count):
                title = f"Edit {number}"
                page.evaluate(
                    """(title) => { window.seen = new Promise((done) => {
                        const look = () => { if (document.querySelector("h1").textContent === title) { observer.disconnect(); done(Date.now()); } };
                        const observer = new MutationObserver(look);
                        observer.observe(document.body, {childList: true, subtree: true, characterData: true});
                    }); }""",
                    title,
                )
                begun = time.time()
                path.write_text(re.sub(r"(?m)^title: .*$", f"title: {title}", before))
                found.append(page.evaluate("window.seen") - begun * 1000)
                page.wait_for_timeout(700)  # as a person would
    finally:
        path.write_text(before)
    return found


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--definitions", type=int, default=10_000)
    parser.add_argument("--commits", type=int, default=50_000)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--where", type=Path, default=HERE / "data")
    given = parser.parse_args()
    root = given.where.resolve() / f"registry-{given.definitions}-{given.commits}"
    if not root.exists():
        given.where.mkdir(parents=True, exist_ok=True)
        size = ["--definitions", str(given.definitions), "--commits", str(given.commits)]
        subprocess.run([sys.executable, str(HERE / "make_registry.py"), str(root), *size], check=True)
    port = free_port()
    process, cold = started(root, port)
    process.terminate()
    process.wait()
    process, warm = started(root, port)
    try:
        print(f"{given.definitions:,} definitions, {given.commits:,} commits\n")
        print(f"start to first answer: {cold:.2f} s at first, {warm:.2f} s with a cache")
        if shutil.which("wrk"):
            for what, path in (("list", "/api/process_definition/"), ("part of a list", "/api/process_definition/?limit=20&offset=40"),
                               ("detail", "/api/process_definition/7/")):  # fmt: skip
                rate, p99 = wrk(f"http://127.0.0.1:{port}{path}")
                print(f"{what}: {rate:,.0f} requests a second, 99 % within {p99:.1f} ms")
        times = sorted(edits(root, port, given.edits))
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
        print(f"saved file to page: median {statistics.median(times):.0f} ms, 95 % within {p95:.0f} ms, of {len(times)} edits")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
