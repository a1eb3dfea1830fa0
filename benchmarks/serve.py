#!/usr/bin/env python3
"""Measure `registry serve` against nginx on the same site: request rates, start time, and edit latency.

    benchmarks/serve.py [--definitions 10000] [--commits 50000] [--rounds 3] [--edits 50] [--where DIR]

Requires wrk, nginx and Chromium (Debian: `apt install wrk nginx chromium`). Both servers run at the same time
and receive requests in turns from one thread with one connection. A part of a list has no static address, so
nginx responds with a page. Edit latency is the time from just before the file is written until the open page
in a browser shows the change, as measured by a script in the page.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from run import repository_of

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.support.browser import chromium  # noqa: E402
from tests.support.nginx import free_port, nginx  # noqa: E402

# Paths that are requested from the live server and from nginx.
ADDRESSES = {
    "list": ("/api/process_definition/", "/api/process_definition/"),
    "part of a list": ("/api/process_definition/?limit=20&offset=40", "/api/process_definition/page/3/"),
    "detail": ("/api/process_definition/7/", "/api/process_definition/7/"),
}


def started(root, port):
    """Return a server, and the seconds until its first response."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "registry", "serve", "-C", str(root), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{port}/api/process_definition/1/", timeout=60
            ) as answer:
                answer.read()
            return process, time.monotonic() - begun
        except (OSError, urllib.error.URLError):
            if process.poll() is not None:
                raise SystemExit("the server ended") from None
            time.sleep(0.01)


def wrk(address):
    """Return the requests per second and the 99th percentile of the latency in milliseconds."""
    text = subprocess.run(
        ["wrk", "-t1", "-c8", "-d5s", "--latency", address], capture_output=True, text=True, check=True
    ).stdout
    value, unit = re.search(r"99%\s+([0-9.]+)(us|ms|s)", text).groups()
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1]), float(value) * {
        "us": 0.001,
        "ms": 1,
        "s": 1000,
    }[unit]


def edits(root, port, count):
    """Return the milliseconds of each edit."""
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
                        const look = () => { if (document.querySelector("h1").textContent === title) \
{ observer.disconnect(); done(Date.now()); } };
                        const observer = new MutationObserver(look);
                        observer.observe(document.body, {childList: true, subtree: true, \
characterData: true});
                    }); }""",
                    title,
                )
                begun = time.time()
                path.write_text(re.sub(r"(?m)^title: .*$", f"title: {title}", before))
                found.append(page.evaluate("window.seen") - begun * 1000)
                page.wait_for_timeout(700)  # the pace of a person
    finally:
        path.write_text(before)
    return found


def rates(root, ours, rounds):
    """Return the rows of the table.

    Each has requests per second and 99th percentile of both servers, and the median ratio.
    """
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        site, port = Path(scratch) / "site", free_port()
        registry = [sys.executable, "-m", "registry"]
        subprocess.run(
            [*registry, "build", "-C", str(root), "--out", str(site)], check=True, stdout=subprocess.DEVNULL
        )
        print_configuration = [
            *registry,
            "nginx",
            "-C",
            str(root),
            "--site",
            str(site),
            "--listen",
            f"127.0.0.1:{port}",
        ]
        block = subprocess.run(print_configuration, check=True, capture_output=True, text=True).stdout
        with nginx(block, port, Path(scratch) / "nginx") as peer:
            for what, (path, peer_path) in ADDRESSES.items():
                found = [
                    (wrk(f"http://127.0.0.1:{ours}{path}"), wrk(f"{peer}{peer_path}")) for _ in range(rounds)
                ]
                medians = [
                    statistics.median(one[side][column] for one in found)
                    for side in (0, 1)
                    for column in (0, 1)
                ]
                ratio = statistics.median(mine[0] / other[0] for mine, other in found)
                rows.append((what, *medians, ratio))
    return rows


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--definitions", type=int, default=10_000)
    parser.add_argument("--commits", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--where", type=Path, default=HERE / "data")
    given = parser.parse_args()
    root = repository_of(given.where.resolve(), given.definitions, given.commits)
    port = free_port()
    process, cold = started(root, port)
    process.terminate()
    process.wait()
    process, warm = started(root, port)
    try:
        print(f"{given.definitions:,} definitions, {given.commits:,} commits\n")
        print(f"start to first answer: {cold:.2f} s without a cache, {warm:.2f} s with one\n")
        if shutil.which("wrk"):
            print(
                "| answer | requests/s | p99 ms | nginx requests/s | p99 ms | ratio |\n"
                "|---|---|---|---|---|---|"
            )
            for what, rate, p99, peer_rate, peer_p99, ratio in rates(root, port, given.rounds):
                print(
                    f"| {what} | {rate:,.0f} | {p99:.1f} | {peer_rate:,.0f} | {peer_p99:.1f} | {ratio:.2f} |"
                )
        times = sorted(edits(root, port, given.edits))
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
        print(
            f"\nsaved file to page: median {statistics.median(times):.0f} ms, "
            f"p95 {p95:.0f} ms, of {len(times)} edits"
        )
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
