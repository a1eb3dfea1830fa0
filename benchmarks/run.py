#!/usr/bin/env python3
"""Measure `registry check` and `registry build` against their peers, in turns, and print a table of ratios.

    benchmarks/run.py [--definitions 10000] [--commits 50000] [--rounds 3] [--where DIR]

Peers: check-jsonschema with the same files and the same schema; `git log --raw -M` on the same repository; Hugo with a page
and a JSON file for each definition, given the same YAML, or JSON made of it before (Debian: `apt install hugo`; left out where
it is not there). All are taken in turns; seconds are the medians of the rounds. A ratio is the median of those of each round:
the peer of a long build is run right before and right after it, and counts with the mean of both, for machines change their
speed within a minute. Memory is the peak of the
proportional set size (PSS), summed over all processes of a command, read ten times a second in a round before the others:
reading it takes a tenth of what a build with both cores does.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from hugo_site import make_hugo_site

HERE = Path(__file__).parent
REGISTRY = [sys.executable, "-m", "registry"]


def seconds_of(command):
    """How long one command takes, whole process."""
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def megabytes_of(command):
    """The peak of memory of one command with all its children."""
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        time.sleep(0.1 if peak else 0.01)
        total = 0
        with suppress(psutil.Error):  # one of them has just ended
            for one in [process, *process.children(recursive=True)]:
                memory = one.memory_full_info()
                total += getattr(memory, "pss", memory.rss)
        peak = max(peak, total)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return peak / 1e6


def remove_site(site):
    """A cold build each time, and no site of before beside it: on a virtual machine memory that was never used costs whoever
    uses it first, some seconds of system time a build."""
    for path in (site, site.parent / f".{site.name}.generations"):
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)


def clones_with_a_change(repository, scratch, path):
    """A whole clone on a branch that changes one file, and one of depth 1 of the same two commits."""
    whole, shallow = scratch / "whole", scratch / "shallow"

    def git(where, *words):
        subprocess.run(
            ["git", "-C", str(where), "-c", "user.name=a", "-c", "user.email=a@example.org", *words], check=True, stdout=subprocess.DEVNULL
        )

    git(scratch, "clone", "-q", str(repository), str(whole))
    git(whole, "tag", "base")
    git(whole, "checkout", "-q", "-b", "change")
    file = whole / path
    file.write_text(file.read_text().replace("title: ", "title: Another ", 1))
    git(whole, "commit", "-q", "-a", "-m", "change")
    git(scratch, "init", "-q", str(shallow))
    git(shallow, "fetch", "-q", "--depth=1", whole.as_uri(), "change:change")
    git(shallow, "fetch", "-q", "--depth=1", whole.as_uri(), "tag", "base")
    git(shallow, "checkout", "-q", "change")
    return whole, shallow


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--definitions", type=int, default=10_000)
    parser.add_argument("--commits", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--where", type=Path, default=HERE / "data", help="where the repository is kept between runs")
    given = parser.parse_args()
    repository = given.where.resolve() / f"registry-{given.definitions}-{given.commits}"
    if not repository.exists():
        given.where.mkdir(parents=True, exist_ok=True)
        size = ["--definitions", str(given.definitions), "--commits", str(given.commits)]
        subprocess.run([sys.executable, str(HERE / "make_registry.py"), str(repository), *size], check=True)
    with tempfile.TemporaryDirectory(dir=given.where) as scratch:
        rows = table(repository, Path(scratch), given.rounds)
    print(f"\n{given.definitions:,} definitions, {given.commits:,} commits; Python {platform.python_version()}, "
          f"{os.cpu_count()} cores; medians of {given.rounds} rounds\n")  # fmt: skip
    print("| what | seconds | MB | peer | seconds | ratio | limit |\n|---|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def table(repository, scratch, rounds):
    """The rows of the table, as text."""
    schema = scratch / "schema.json"
    schema.write_text(
        subprocess.run([*REGISTRY, "schema", "process_definition", "-C", str(repository)], capture_output=True, check=True, text=True).stdout
    )
    files = [str(path) for path in sorted((repository / "definitions/process_definition").rglob("*.yaml"))]
    peer = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent)) or "check-jsonschema"
    site = scratch / "site"
    one = scratch / "one"
    (one / "definitions/process_definition").mkdir(parents=True)
    (one / "definitions/process_definition/a.yaml").write_text("title: T\nowners: [team]\ndefinition: {exec: /bin/true, argv: [-v]}\n")
    edited = Path(files[len(files) // 2])
    before = edited.read_bytes()
    whole, shallow = clones_with_a_change(repository, scratch, edited.relative_to(repository))
    again = scratch / "again"
    commands = {
        "check": [*REGISTRY, "check", "-C", str(repository)],
        "check-jsonschema": [peer, "--schemafile", str(schema), *files],
        "git log": ["git", "-C", str(repository), "log", "--raw", "-M"],
        "python": [sys.executable, "-c", "import json, subprocess, typing, dataclasses"],
        "one file": [*REGISTRY, "check", "-C", str(one)],
        "--changed": [*REGISTRY, "check", "--changed", "-C", str(repository)],
        "review, whole": [*REGISTRY, "review", "-C", str(whole), "--base", "base", "--head", "change"],
        "review, depth 1": [*REGISTRY, "review", "-C", str(shallow), "--base", "base", "--head", "change"],
        "build": [*REGISTRY, "build", "-C", str(repository), "--out", str(site), "--from-nothing"],
        "one edit": [*REGISTRY, "build", "-C", str(repository), "--out", str(again)],
        "nothing new": [*REGISTRY, "build", "-C", str(repository), "--out", str(again)],
    }
    # The first generations of a place are copies; from the third on they are built upon.
    for number in range(4):
        edited.write_bytes(before + b"# %d\n" % number)
        subprocess.run(commands["one edit"], check=True, stdout=subprocess.DEVNULL)
    with_hugo = shutil.which("hugo") is not None
    if with_hugo:
        commands["build, commits"] = [*REGISTRY, "build", "-C", str(repository), "--out", str(site), "--from-nothing", "--history", "commits"]
        for name, as_json in (("Hugo", False), ("Hugo, JSON", True)):
            make_hugo_site(repository, again, scratch / name, as_json=as_json)
            commands[name] = ["hugo", "--quiet", "--source", str(scratch / name), "--destination", str(scratch / "public")]
    edited.write_bytes(before)
    # A round, with the peers of long builds on both sides of them.
    builds = ["git log", "build", "git log", *(["Hugo", "Hugo, JSON", "build, commits", "Hugo", "Hugo, JSON"] if with_hugo else [])]
    turns = [*(name for name in commands if name not in builds), *builds]
    found, peaks = measured(commands, turns, rounds, edited, [site, scratch / "public"])
    (scratch / "raw.json").write_text(json.dumps(found))

    def row(name, ours, theirs, limit):
        # A peer that was run twice in a round counts with the mean; one that was run in the first round alone, with that.
        times = max(1, len(found[theirs]) // rounds)
        beside = [statistics.mean(found[theirs][start : start + times]) for start in range(0, len(found[theirs]), times)]
        ratio = statistics.median(one / other for one, other in zip(found[ours], beside, strict=False))
        seconds = {name: statistics.median(found[name]) for name in (ours, theirs)}
        return (name, f"{seconds[ours]:.2f}", f"{peaks[ours]:.0f}", theirs, f"{seconds[theirs]:.2f}", f"{ratio:.2f}", limit)

    return [
        row("`registry check`", "check", "check-jsonschema", "0.33"),
        row("`registry build --from-nothing`, all history and revisions", "build", "git log", "4"),
        *([row("`registry build --from-nothing --history commits`", "build, commits", "Hugo", "2")] if with_hugo else []),
        *([row("the same, Hugo given JSON", "build, commits", "Hugo, JSON", "")] if with_hugo else []),
        row("`registry build`, one file changed, whole process", "one edit", "python", "1.2 s"),
        row("`registry build`, nothing changed, whole process", "nothing new", "python", "0.7 s"),
        row("`registry review` of one changed file, whole clone, whole process", "review, whole", "python", "1.5 s"),
        row("`registry review` of one changed file, clone of depth 1, whole process", "review, depth 1", "python", "1.5 s"),
        row("`registry check`, one file, whole process", "one file", "python", "0.25 s"),
        row("`registry check --changed`, one edit, whole process", "--changed", "python", "0.5 s"),
    ]


def measured(commands, turns, rounds, edited, sites):
    """The seconds of each command, one round after the other, and its peak of memory, from a round before; `turns` are a round.

    `edited` is the file that is changed for those that build or check a change; `sites` are made from nothing each time.
    """
    before = edited.read_bytes()
    peers = ("check-jsonschema", "git log", "python", "Hugo", "Hugo, JSON")
    peaks = dict.fromkeys(commands, 0.0)
    found = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name in turns:
            command = commands[name]
            if name in peers and not number:
                continue  # nobody asks for their memory
            if name == "check-jsonschema" and number > 1:
                continue  # minutes each, and the ratio is far from its limit
            if name in ("build", "build, commits", "Hugo", "Hugo, JSON"):
                for site in sites:
                    remove_site(site)
            if name in ("--changed", "one edit"):
                edited.write_bytes(before + b"# edited %d\n" % number)
            if name in ("one edit", "nothing new"):
                time.sleep(0.2)  # what was written this moment could be written again without a sign of it
            os.sync()  # what was written or removed before is not for this one to wait for
            if number:
                found[name].append(seconds_of(command))
                told = f"{found[name][-1]:.2f} s"
            else:
                peaks[name] = megabytes_of(command)
                told = f"{peaks[name]:.0f} MB"
            if name != "one edit":
                edited.write_bytes(before)
            print(f"round {number}: {name}: {told}", file=sys.stderr, flush=True)
    return found, peaks


if __name__ == "__main__":
    main()
