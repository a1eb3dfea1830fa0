#!/usr/bin/env python3
"""Create a git repository with many definitions, ids and a long history, for benchmarks.

    benchmarks/make_registry.py OUT --definitions 10000 --commits 50000 --seed 1

The same arguments give the same commits, byte for byte. Requires only the standard library and git. The
history contains additions, edits, renames, deletions and merges by several authors over years. The last
commit adds the ledger, as if a registry with ids had been moved here.
"""

import argparse
import hashlib
import json
import random
import subprocess
from pathlib import Path

AUTHORS = [
    ("Ida Holm", "ida@example.org"),
    ("Bruno Díaz", "bruno@example.org"),
    ("Mei Tanaka", "mei@example.org"),
    ("Åse Lund", "ase@example.org"),
    ("Femi Okafor", "femi@example.org"),
]
TEAMS = ["climate", "imaging", "audio", "ledger", "marine", "routing", "survey", "archive"]
VERBS = ["align", "check", "clip", "count", "crop", "decode", "index", "join", "rank", "sort"]
THINGS = ["batch", "chart", "clip", "frame", "grid", "invoice", "page", "sample", "signal", "track"]
# Above this number of definitions, teams use more than one folder, and git would take hours for the history.
FLAT = 20_000
FIRST_COMMIT_S = 1_400_000_000
SYLLABLES = [first + vowel for first in "bdfghklmnprstvz" for vowel in ("a", "e", "i", "o", "u", "ai", "ou")]
APPLICATIONS = 40
REGISTRY_ID = "00000000-0000-4000-8000-000000000000"


def words(rng, count):
    """Return made-up words that hardly ever repeat: real descriptions have a large vocabulary."""
    return [
        "".join(SYLLABLES[int(rng.random() * len(SYLLABLES))] for _ in range(2 + int(rng.random() * 3)))
        for _ in range(count)
    ]


def process(rng, name, number, version):
    """Return the text of one process definition."""
    service = rng.random() < 0.4
    title, does, more = words(rng, 4), words(rng, 6), words(rng, 8)
    lines = [
        f"# {name}, as of change {version}",
        f"id: {number}",
        f"title: {' '.join(title).capitalize()}",
        "description: >",
        f"  Reads {' '.join(does)} and {rng.choice(VERBS)}s it;",
        f"  {' '.join(more)} is left for a person to review.",
        f"owners: [{rng.choice(TEAMS)}-team]",
        f"tags: [{', '.join(sorted(rng.sample(THINGS, 2)))}]",
        "definition:",
        f"  exec: /opt/{name.split('-')[1]}/bin/{name}",
        f"  application: app-{rng.randrange(APPLICATIONS):02d}",
        f"  process_type: {'service' if service else 'single'}",
        f"  cwd: /srv/{name}",
        "  environment:",
        f"    LEVEL: {rng.choice(['debug', 'info', 'warning'])}   # log level",
        f"    STATION: {words(rng, 1)[0]}",
        f'    REGION: "{rng.randrange(100):02d}"',
    ]
    if service:
        lines += [
            f'  argv: [--strict, --name, {words(rng, 1)[0]}, --port, "{rng.randrange(2000, 60000)}"]',
            "  input_adapter:",
            "    input_type: port",
            f"    input_params: {{tcp_port: {rng.randrange(2000, 60000)}, framing: lines, chunk_size: 10KB}}",
            "  output_adapter:",
            "    output_type: append",
            f"    output_params: {{file_path: /srv/{name}/out-{rng.randrange(100)}.log, framing: lines}}",
        ]
    else:
        lines += [
            f"  timeout: {rng.randrange(5, 4000)}  # seconds",
            f'  argv: [--strict, --name, {words(rng, 1)[0]}, --size, "{rng.randrange(9999)}"]',
            "  input_adapter:",
            "    input_type: file",
            "    input_params: {file_type: stream, stream_name: STDIN}",
            "  output_adapter:",
            "    output_type: file",
            f"    output_params: {{file_path: /srv/{name}/out-{rng.randrange(100)}.json}}",
        ]
    return "\n".join(lines) + "\n"


def application(number):
    """Return the text of one application."""
    return (f"id: {number}\ntitle: Application {number}\nowners: [platform-team]\ndefinition:\n  mappings:\n"
            f"    north: {{iaas_image: app-{number:02d}.img, iaas_allocation: small}}\n"
            f"    south: {{iaas_image: ami-{number:08x}, iaas_allocation: t1.micro}}\n")  # fmt: skip


class History:
    """Writes commits to `git fast-import`."""

    def __init__(self, out, commits, seed):
        """Create the repository `out` and start the import."""
        subprocess.run(["git", "init", "-q", "-b", "main", out], check=True)
        self.git = subprocess.Popen(["git", "-C", out, "fast-import", "--quiet"], stdin=subprocess.PIPE)
        self.random = random.Random(seed)
        self.step = max(60, 300_000_000 // commits)
        self.count = 0
        self.when = FIRST_COMMIT_S

    def commit(self, message, changes, also_merges=None):
        """Write one commit. Changes are ("M", path, text), ("R", old, new) or ("D", path)."""
        self.count += 1
        self.when += self.random.randrange(1, 2 * self.step)
        name, mail = self.random.choice(AUTHORS)
        text = message.encode()
        put = self.git.stdin.write
        put(
            f"commit refs/heads/main\nmark :{self.count}\ncommitter {name} <{mail}> {self.when} +0100\n"
            f"data {len(text)}\n".encode()
            + text
            + b"\n"
        )
        if self.count > 1:
            put(f"from :{self.count - 1}\n".encode())
        if also_merges:
            put(f"merge :{also_merges}\n".encode())
        for change in changes:
            if change[0] == "M":
                data = change[2].encode()
                put(f"M 100644 inline {change[1]}\ndata {len(data)}\n".encode() + data + b"\n")
            else:
                put((" ".join(change) + "\n").encode())

    def finish(self, out):
        """End the import and check out the files."""
        self.git.stdin.close()
        if self.git.wait():
            raise SystemExit("git fast-import failed")
        subprocess.run(["git", "-C", out, "reset", "-q", "--hard", "main"], check=True)


def ledger(lives, gone):
    """Return the ledger for applications, existing definitions (id to name) and deleted ones."""
    facts = [("application", number + 1, f"app-{number:02d}", "live") for number in range(APPLICATIONS)]
    facts += [
        ("process_definition", number, name, "live") for number, name in sorted({**lives, **gone}.items())
    ]
    facts += [("process_definition", number, name, "gone") for number, name in sorted(gone.items())]
    prev, lines = REGISTRY_ID, []
    for kind, number, name, state in facts:
        entry = {"kind": kind, "id": number, "name": name, "state": state, "commit": None, "prev": prev}
        lines.append(json.dumps(entry, separators=(",", ":")))
        prev = hashlib.sha256(lines[-1].encode()).hexdigest()
    return "\n".join(lines) + "\n"


def path_of(name):
    """Return the path of a process definition."""
    return f"definitions/process_definition/{name}.yaml"


def new_name(number, *, is_deep):
    """Return a name in the folder of a team; with `is_deep`, in one of a hundred subfolders of the team."""
    team, verb, thing = TEAMS[number % 8], VERBS[number // 8 % 10], THINGS[number // 80 % 10]
    return f"{team}/{thing}/{verb}/{verb}-{thing}-{number}" if is_deep else f"{team}/{verb}-{thing}-{number}"


def make(out, definitions, commits, seed):
    """Generate the whole history."""
    history = History(out, commits, seed)
    rng = history.random
    history.commit(
        "Describe the applications",
        [("M", f"definitions/application/app-{n:02d}.yaml", application(n + 1)) for n in range(APPLICATIONS)],
    )
    live, names, gone, made = [], {}, {}, 0
    batch = max(1, definitions // max(1, commits // 3))
    while history.count < commits - 1 or len(live) < definitions:
        dice = rng.random()
        out_of_commits = history.count >= commits - 1
        if len(live) < definitions and (dice < 0.34 or out_of_commits or not live):
            fresh = []
            for _ in range(min(100 if out_of_commits else batch, definitions - len(live))):
                made += 1
                names[made] = new_name(made, is_deep=definitions > FLAT)
                fresh.append(made)
            live += fresh
            history.commit(
                f"Add {names[fresh[0]]}",
                [("M", path_of(names[n]), process(rng, names[n].rpartition("/")[2], n, 0)) for n in fresh],
            )
            continue
        place = rng.randrange(len(live))
        number = live[place]
        name = names[number]
        text = process(rng, name.rpartition("/")[2], number, history.count)
        if dice < 0.37:
            names[number] = name.removesuffix("-next") if name.endswith("-next") else f"{name}-next"
            history.commit(f"Rename {name}", [("R", path_of(name), path_of(names[number]))])
        elif dice < 0.39 and len(live) > 10:
            live[place] = live[-1]
            live.pop()
            gone[number] = name
            history.commit(f"Remove {name}", [("D", path_of(name))])
        elif dice < 0.42 and history.count > 3:
            history.commit(
                f"Merge the work on {name}", [("M", path_of(name), text)], also_merges=history.count - 1
            )
        else:
            history.commit(f"Adjust {name}\n\nMeasured on last week's data.", [("M", path_of(name), text)])
    lives = {number: names[number] for number in live}
    history.commit(
        "Move the registry here",
        [
            ("M", "definitions/ledger.jsonl", ledger(lives, gone)),
            ("M", "registry.yaml", f"title: Benchmark\nregistry_id: {REGISTRY_ID}\n"),
        ],
    )
    history.finish(out)
    print(f"{len(live):,} definitions, {history.count:,} commits in {out}")


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out")
    parser.add_argument("--definitions", type=int, default=10_000)
    parser.add_argument("--commits", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if Path(given.out).exists():
        raise SystemExit(f"{given.out} is there already")
    make(given.out, given.definitions, given.commits, given.seed)


if __name__ == "__main__":
    main()
