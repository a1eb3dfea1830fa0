#!/usr/bin/env python3
"""Measure `registry check` and `registry build` against comparable programs and print a table of ratios.

    benchmarks/run.py [--sizes 1000,4000,10000] [--rounds 5] [--where DIR]

Each size has five commits per definition. A full build is compared with a lower bound on the same data: `git
log --raw`, `git cat-file --batch` of the contents that the site shows, and `cp -r` of the finished site. The
largest size is also compared with check-jsonschema on the same files and schema, and with Hugo with one page
and one JSON file per definition (Debian: `apt install hugo`; skipped if not installed).

Commands alternate. Seconds are medians of the rounds. A ratio is the median of the ratios of the rounds. A
long build is compared with the mean of the runs of its peer directly before and after it, because the speed
of a machine changes within a minute. Memory is the peak of the proportional set size, summed over all
processes of a command and sampled ten times per second in a separate round. Use `--where /dev/shm` to measure
in memory.
"""

import argparse
import os
import platform
import shlex
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
COMMITS_PER_DEFINITION = 5
# Full runs; their peers run directly before and after them.
FROM_NOTHING = ("build", "build, full", "build, commits", "Hugo", "Hugo, JSON", "floor")
PEERS = ("check-jsonschema", "floor", "python", "Hugo", "Hugo, JSON")


def seconds_of(command):
    """Return the wall time of one whole process, in seconds."""
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def megabytes_of(command):
    """Return the peak memory of one command and all its children, in megabytes."""
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


def remove(path):
    """Remove a site with its generations, or a copied folder, so that the next build is a full build."""
    for one in (path, path.parent / f".{path.name}.generations"):
        if one.is_symlink():
            one.unlink()
        elif one.exists():
            shutil.rmtree(one)


def shown_contents(repository):
    """Return the ids of all file contents below `definitions/` in the history, one per line."""
    log = subprocess.run(
        ["git", "-C", str(repository), "log", "--raw", "--no-abbrev", "--format=", "--", "definitions"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    found = {line.split(" ", 4)[3] for line in log.splitlines() if line.endswith(".yaml")}
    return "".join(f"{blob}\n" for blob in sorted(found) if blob.strip("0"))


def floor_command(repository, site, scratch):
    """Return the minimum work of every full build: read the history, read the contents, write the files."""
    wanted = scratch / "contents"
    wanted.write_text(shown_contents(repository))
    git = f"git -C {shlex.quote(str(repository))}"
    # -H follows the link of the site, which each build moves to another generation.
    copy = f"cp -RH {shlex.quote(str(site))} {shlex.quote(str(scratch / 'copy'))}"
    return [
        "sh",
        "-ec",
        f"{git} log --raw >/dev/null; {git} cat-file --batch <{shlex.quote(str(wanted))} >/dev/null; {copy}",
    ]


def clones_with_a_change(repository, scratch, path):
    """Return a full clone on a branch that changes one file, and a clone of depth 1 of the same commits."""
    whole, shallow = scratch / "whole", scratch / "shallow"

    def git(where, *words):
        subprocess.run(
            ["git", "-C", str(where), "-c", "user.name=a", "-c", "user.email=a@example.org", *words],
            check=True,
            stdout=subprocess.DEVNULL,
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


class Case:
    """One repository with the commands that are measured on it."""

    def __init__(self, where, scratch, definitions, *, everything):
        """Create the repository if it is missing.

        `everything` adds the peers and commands of the largest size.
        """
        self.definitions = definitions
        self.repository = repository_of(where, definitions, definitions * COMMITS_PER_DEFINITION)
        self.scratch = scratch
        scratch.mkdir()
        self.site, self.again = scratch / "site", scratch / "again"
        self.files = [
            str(path) for path in sorted((self.repository / "definitions/process_definition").rglob("*.yaml"))
        ]
        self.edited = Path(self.files[len(self.files) // 2])
        self.before = self.edited.read_bytes()
        self.commands = self._builds()
        turns = [name for name in self.commands if name not in FROM_NOTHING]
        self._fill_generations()
        self.commands["floor"] = floor_command(self.repository, self.again, scratch)
        turns += ["floor", "build", "floor", "build, full"]
        if everything:
            turns = self._add_checks() + turns + self._add_hugo()
        self.turns = turns

    def _builds(self):
        source = ["-C", str(self.repository)]
        return {
            "build": [*REGISTRY, "build", *source, "--out", str(self.site), "--from-nothing"],
            "build, full": [
                *(*REGISTRY, "build", *source, "--out", str(self.site)),
                *("--from-nothing", "--layout", "full"),
            ],
            "one edit": [*REGISTRY, "build", *source, "--out", str(self.again)],
            "nothing new": [*REGISTRY, "build", *source, "--out", str(self.again)],
            "python": [sys.executable, "-c", "import json, subprocess, typing, dataclasses"],
        }

    def _fill_generations(self):
        """Build the first generations, which are copies. From the third on, builds reuse a generation."""
        for number in range(4):
            self.edited.write_bytes(self.before + b"# %d\n" % number)
            subprocess.run(self.commands["one edit"], check=True, stdout=subprocess.DEVNULL)
        self.edited.write_bytes(self.before)

    def _add_checks(self):
        schema = self.scratch / "schema.json"
        printed = [*REGISTRY, "schema", "process_definition", "-C", str(self.repository)]
        schema.write_text(subprocess.run(printed, capture_output=True, check=True, text=True).stdout)
        one = self.scratch / "one"
        (one / "definitions/process_definition").mkdir(parents=True)
        text = "title: T\nowners: [team]\ndefinition: {exec: /bin/true, argv: [-v]}\n"
        (one / "definitions/process_definition/a.yaml").write_text(text)
        whole, shallow = clones_with_a_change(
            self.repository, self.scratch, self.edited.relative_to(self.repository)
        )
        peer = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent)) or "check-jsonschema"
        review = [*REGISTRY, "review", "--base", "base", "--head", "change", "-C"]
        added = {
            "check": [*REGISTRY, "check", "-C", str(self.repository)],
            "check-jsonschema": [peer, "--schemafile", str(schema), *self.files],
            "one file": [*REGISTRY, "check", "-C", str(one)],
            "--changed": [*REGISTRY, "check", "--changed", "-C", str(self.repository)],
            "review, whole": [*review, str(whole)],
            "review, depth 1": [*review, str(shallow)],
        }
        self.commands.update(added)
        return list(added)

    def _add_hugo(self):
        if shutil.which("hugo") is None:
            return []
        self.commands["build, commits"] = [*self.commands["build"], "--history", "commits"]
        for name, as_json in (("Hugo", False), ("Hugo, JSON", True)):
            make_hugo_site(self.repository, self.again, self.scratch / name, as_json=as_json)
            self.commands[name] = [
                "hugo",
                "--quiet",
                "--source",
                str(self.scratch / name),
                "--destination",
                str(self.scratch / "public"),
            ]
        return ["Hugo", "Hugo, JSON", "build, commits", "Hugo", "Hugo, JSON"]

    def measure(self, rounds):
        """Return the seconds of each command in each round, and its peak memory in megabytes.

        Memory is measured in a separate round.
        """
        peaks = dict.fromkeys(self.commands, 0.0)
        found = {name: [] for name in self.commands}
        for number in range(rounds + 1):
            for name in self.turns:
                if name in PEERS and not number:
                    continue  # the memory of peers is not reported
                if name == "check-jsonschema" and number > 1:
                    continue  # takes minutes each, and the ratio is far from its limit
                self._prepare(name, number)
                if number:
                    found[name].append(seconds_of(self.commands[name]))
                    result = f"{found[name][-1]:.2f} s"
                else:
                    peaks[name] = megabytes_of(self.commands[name])
                    result = f"{peaks[name]:.0f} MB"
                if name != "one edit":
                    self.edited.write_bytes(self.before)
                print(
                    f"{self.definitions:,} definitions, round {number}: {name}: {result}",
                    file=sys.stderr,
                    flush=True,
                )
        return found, peaks

    def _prepare(self, name, number):
        if name in FROM_NOTHING:
            for site in (self.site, self.scratch / "public", self.scratch / "copy"):
                remove(site)
        if name in ("--changed", "one edit"):
            self.edited.write_bytes(self.before + b"# edited %d\n" % number)
        if name in ("one edit", "nothing new"):
            time.sleep(0.2)  # another write at this moment might leave the time stamp unchanged
        os.sync()  # pending writes of the previous command must not count for this one


def repository_of(where, definitions, commits):
    """Return the benchmark repository of this size below `where`. It is created if missing."""
    repository = where / f"registry-{definitions}-{commits}"
    if not repository.exists():
        where.mkdir(parents=True, exist_ok=True)
        size = ["--definitions", str(definitions), "--commits", str(commits)]
        subprocess.run([sys.executable, str(HERE / "make_registry.py"), str(repository), *size], check=True)
    return repository


def rows_of(case, rounds):
    """Return the rows of the table for one case, as text."""
    found, peaks = case.measure(rounds)

    def row(what, ours, theirs, limit=""):
        # A peer that ran twice in a round counts with the mean; a peer of the first round only, with that
        # value.
        times = max(1, len(found[theirs]) // rounds)
        beside = [
            statistics.mean(found[theirs][start : start + times])
            for start in range(0, len(found[theirs]), times)
        ]
        ratio = statistics.median(one / other for one, other in zip(found[ours], beside, strict=False))
        seconds = {name: statistics.median(found[name]) for name in (ours, theirs)}
        cells = (f"{case.definitions:,}", what, f"{seconds[ours]:.2f}", f"{peaks[ours]:.0f}", theirs)
        return (*cells, f"{seconds[theirs]:.2f}", f"{ratio:.2f}", limit)

    rows = [
        row("`build --from-nothing`", "build", "floor", "1.6"),
        row("`build --from-nothing`, beside `layout: full`", "build", "build, full", "0.7"),
        row("`build`, one file changed", "one edit", "python"),
        row("`build`, nothing changed", "nothing new", "python"),
    ]
    if "check" in case.commands:
        rows += [
            row("`check`", "check", "check-jsonschema", "0.33"),
            row("`check`, one file", "one file", "python", "0.25 s"),
            row("`check --changed`, one edit", "--changed", "python", "0.5 s"),
            row("`review` of one changed file, whole clone", "review, whole", "python", "1.5 s"),
            row("`review` of one changed file, clone of depth 1", "review, depth 1", "python", "1.5 s"),
        ]
    if "Hugo" in case.commands:
        rows += [
            row("`build --from-nothing --history commits`", "build, commits", "Hugo", "2"),
            row("the same, Hugo given JSON", "build, commits", "Hugo, JSON"),
        ]
    return rows


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,4000,10000", help="numbers of definitions, smallest first")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--where", type=Path, default=HERE / "data", help="where repositories are kept between runs"
    )
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    where = given.where.resolve()
    where.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory(dir=where) as scratch:
        for size in sizes:
            case = Case(where, Path(scratch) / str(size), size, everything=size == sizes[-1])
            rows += rows_of(case, given.rounds)
            shutil.rmtree(case.scratch)
    print(
        f"\nPython {platform.python_version()}, {os.cpu_count()} cores; "
        f"whole processes; medians of {given.rounds} rounds\n"
    )
    print(
        "| definitions | command | seconds | MB | peer | seconds | ratio | limit |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
