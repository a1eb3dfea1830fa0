"""Whatever lies in a file or a tree: an answer, in bounds of time and memory, and nothing run, fetched or changed."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from registry.cli import COMMANDS
from registry.load import yaml
from registry.reports import FORMATS
from tests.conftest import Run
from tests.support.repo import PROCESS, RepoBuilder
from tests.support.waiting import PATIENCE_S

GOOD = b"title: T\nowners: [t]\ndefinition:\n  exec: /bin/a\n"
BOMB = "\n".join(
    [f"a0: &a0 [{'x, ' * 9}x]", *(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}*a{n - 1}]" for n in range(1, 12))]
).encode()
KILLERS = {
    "100,000 brackets": b"[" * 100_000,
    "100,000 braces": b"{a: " * 60_000,
    "a deep list": b"- " * 90_000,
    "aliases that grow": BOMB,
    "merge keys that grow": BOMB.replace(b"[", b"{<<: [").replace(b"]", b"]}"),
    "0x_": b"a: 0x_\n",
    "an empty integer": b'a: !!int ""\n',
    "a date that is none": b"a: 9999-99-99\n",
    "5,000 digits": b"a: " + b"9" * 5000 + b"\n",
    "a quoted number of 200,000 digits": b'a: "' + b"9" * 200_000 + b'"\n',
    "a lone surrogate": b'a: "\\ud800"\n',
    "a surrogate in bytes": b"a: \xed\xa0\x80\n",
    "NUL": b"a: \x00\n",
    "control characters": b"a: \x1b]0;pwned\x07\n",
    "U+2028": "a: x\u2028y\n".encode(),
    "BOMs in the middle": "a: \ufeff1\n\ufeffb: 2\n".encode(),
    "UTF-16": "a: 1\n".encode("utf-16"),
    "UTF-32": "a: 1\n".encode("utf-32"),
    "10 MB": b"a: b\n" * 2_000_000,
    "one line of 200 kB": b'title: "' + b"x" * 200_000 + b'"\n',
    "200 kB of comments": b"#" * 200_000,
    "10,000 keys": b"".join(b"k%d: v\n" % number for number in range(10_000)),
    "a pattern's worst case": b'title: T\nowners: ["' + b"a" * 100_000 + b'!"]\n',
    "python objects": b"a: !!python/object/apply:os.system ['touch pwned']\n",
    "a key of 100 kB": b"? " + b"k" * 100_000 + b"\n: v\n",
    "a value that is its name": b"? *a\n: &a b\n",
    "an open quote to the end": b"a: '" + b"x\n" * 60_000,
    "tags without an end": b"a: !<" + b"x" * 100_000 + b"\n",
    "a thousand documents": b"---\na: 1\n" * 1000,
    "folded text without an end": b"a: >" + b"9" * 1000 + b"\n" + b" x\n" * 50_000,
}

# Runs a command and says its peak of memory. From a process as large as this one it would start with our own.
PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


# Files that are large keep a process each, whose peak of memory is theirs.
SMALL = [
    name
    for name, data in KILLERS.items()
    if len(data) < 10_000 and "aliases" not in name and "merge" not in name
]
LARGE = [[name] for name in KILLERS if name not in SMALL]


@pytest.mark.parametrize("names", [SMALL, *LARGE], ids=lambda names: names[0])
def test_a_killer_gets_an_answer_in_bounds(names: list[str], repo: RepoBuilder) -> None:
    paths = {f"definitions/process_definition/a{number}.yaml": name for number, name in enumerate(names)}
    for path, name in paths.items():
        repo.write(path, KILLERS[name])
    repo.define("good")
    command = [sys.executable, "-m", "registry", "check", "-C", str(repo.root), "--format", "json"]
    with (repo.root / "out").open("wb") as out, (repo.root / "err").open("wb") as err:
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *command], stdout=out, stderr=err, timeout=PATIENCE_S, check=False
        )
    assert done.returncode in (0, 1), (repo.root / "err").read_text()[-500:]
    peak = int((repo.root / "err").read_text().splitlines()[-1])
    assert peak < 500_000 * (1024 if sys.platform == "darwin" else 1)
    problems = json.loads((repo.root / "out").read_text())["problems"]
    assert {one["path"] for one in problems} == set(paths)
    assert not list(Path().glob("pwned"))


def test_ten_thousand_mutations_of_good_files_are_read_or_refused_and_text_comes_back_exactly() -> None:
    import random

    chance = random.Random(4)
    corpus = [
        path.read_bytes() for path in sorted((Path(__file__).parent.parent / "corpus/good").glob("*.yaml"))
    ]
    corpus.append(PROCESS.format(title="T", name="a").encode())
    read = 0
    for _ in range(10_000):
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(data) + 1)
            what = chance.randrange(4)
            if what == 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            elif what == 1:
                data[place:place] = chance.choice(
                    [
                        b":",
                        b"-",
                        b"\n",
                        b"'",
                        b'"',
                        b"{",
                        b"]",
                        b"#",
                        b"&a",
                        b"*a",
                        b"!",
                        b"|",
                        b">",
                        b"\t",
                        b"\xc3",
                        b"\x00",
                    ]
                )
            elif what == 2:
                del data[place : place + chance.randrange(1, 8)]
            else:
                other = chance.choice(corpus)
                start = chance.randrange(len(other))
                data[place:place] = other[start : start + chance.randrange(1, 30)]
        document, problems = yaml.read(bytes(data), "f.yaml")
        assert document is not None or problems
        if document is not None and not problems:
            read += 1
            from registry.load.yaml.writer import to_yaml

            again = (
                yaml.read(to_yaml(document.data).encode(), "f.yaml")
                if isinstance(document.data, dict)
                else None
            )
            assert again is None or (again.document is not None and again.document.data == document.data)
    assert 1000 < read < 9000


def test_what_is_no_plain_file_is_told_and_never_opened(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_bytes(GOOD)
    folder = repo.root / "definitions/process_definition"
    repo.define("good")
    (folder / "link.yaml").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.yaml")
    (folder / "folder.yaml").mkdir()
    (folder / "folder.yaml/x.yaml").write_bytes(GOOD)
    outcome = run("check", "-C", str(repo.root), "--format", "json")
    found = {(one["rule"], one["path"].rpartition("/")[2]) for one in json.loads(outcome.out)["problems"]}
    assert {("Y022", "link.yaml"), ("Y022", "loop"), ("Y022", "pipe.yaml")} <= found


def test_names_with_odd_bytes_are_told_as_escapes(repo: RepoBuilder, run: Run) -> None:
    folder = os.fsencode(repo.root / "definitions/process_definition")
    repo.define("good")
    odd = (
        [b"not-utf8-\xff.yaml"] if sys.platform != "darwin" else [b"space .yaml"]
    )  # macOS takes names in UTF-8 only
    for name in (
        *odd,
        b"new\nline.yaml",
        b"esc\x1b[31m.yaml",
        "bidi\u202e.yaml".encode(),
        b"quote'\".yaml",
        b"-option.yaml",
    ):
        with Path(os.fsdecode(folder + b"/" + name)).open("wb") as file:
            file.write(GOOD)
    for source in ("worktree", "HEAD"):
        if source == "HEAD":
            repo.commit()
        outcome = run("check", "-C", str(repo.root), "--source", source)
        assert outcome.code == 1
        assert outcome.out.count("error I001") == 6
        assert not {"\x1b", "\u202e", "\udcff"} & set(outcome.out)
        for report in FORMATS:
            assert run("check", "-C", str(repo.root), "--source", source, "--format", report).code == 1


def tree_of(repo: RepoBuilder, *entries: tuple[str, str, bytes]) -> str:
    """A tree object of exactly these entries, which git itself might refuse to write; gives a commit's id."""

    def make(kind: str, data: bytes) -> str:
        command = ["git", "hash-object", "-t", kind, "-w", "--stdin", "--literally"]
        return (
            subprocess.run(command, cwd=repo.root, input=data, capture_output=True, check=True)
            .stdout.decode()
            .strip()
        )

    def tree(rows: list[tuple[str, str, str]]) -> str:
        return make(
            "tree",
            b"".join(
                f"{mode} {name}".encode() + b"\0" + bytes.fromhex(number) for mode, name, number in rows
            ),
        )

    inner = tree(
        [(mode, name, make("blob", data) if mode != "160000" else "1" * 40) for mode, name, data in entries]
    )
    kinds = tree([("40000", "process_definition", inner)])
    top = tree([("40000", "definitions", kinds)])
    return repo.git("commit-tree", top, "-m", "hostile")


@pytest.mark.parametrize(
    ("entries", "rule"),
    [
        ([("120000", "link.yaml", b"/etc/passwd")], "Y022"),
        ([("160000", "module.yaml", b"")], "Y022"),
        ([("100644", "a.yaml", GOOD), ("100644", "a.yaml", GOOD + b"# other\n")], ""),
        ([("100644", "..", GOOD)], ""),
        ([("100644", ".git", GOOD)], ""),
        ([("100644", ".GIT", GOOD)], ""),
        ([("100644", "git~1", GOOD)], ""),
        ([("100644", ".g\u200cit", GOOD)], ""),
        ([("100644", "a/b.yaml", GOOD)], ""),
        ([("100644", "", GOOD)], ""),
        ([("177777", "odd.yaml", GOOD)], ""),
    ],
)
def test_trees_that_no_checkout_could_hold_are_read_from_objects_without_harm(
    entries: list[tuple[str, str, bytes]], rule: str, repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    commit = tree_of(repo, ("100644", "good.yaml", GOOD), *entries)
    outcome = run("check", "-C", str(repo.root), "--source", commit)
    assert outcome.code in (0, 1, 2)
    assert outcome.code != 0 or not rule
    assert rule in outcome.out
    built = run("build", "-C", str(repo.root), "--source", commit, "-o", str(tmp_path / "out/site"))
    assert built.code in (0, 1, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) in (
        ["home0", "out", "repo"],
        ["out", "repo"],
        ["repo"],
    )


def test_nothing_that_a_checkout_brings_along_is_run(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    marker = tmp_path / "pwned"
    script = repo.write("evil.sh", f"#!/bin/sh\ntouch {marker}\ncat\n")
    script.chmod(0o755)
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.write(".gitattributes", "*.yaml filter=evil diff=evil merge=evil text\n")
    repo.define("a")
    repo.commit()
    for hook in (
        "pre-commit",
        "post-commit",
        "post-checkout",
        "post-merge",
        "reference-transaction",
        "fsmonitor-watchman",
        "pre-auto-gc",
        "post-index-change",
    ):
        file = repo.write(f".git/hooks/{hook}", script.read_text())
        file.chmod(0o755)
    for name in (
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.askPass",
        "gpg.program",
        "diff.external",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "merge.evil.driver",
        "alias.status",
        "core.alternateRefsCommand",
    ):
        repo.git("config", name, str(script))
    repo.git("config", "filter.evil.required", "true")
    path = repo.define("a")
    os.utime(path, (1, 1))  # git must look at the contents
    site = tmp_path / "site"
    for words in (
        ["check"],
        ["check", "--source", "HEAD"],
        ["check", "--base", "HEAD"],
        ["list"],
        ["show", "a"],
        ["log", "a"],
        ["index"],
        ["build", "-o", str(site)],
    ):
        assert run(*words, "-C", str(repo.root)).code == 0, words
        assert not marker.exists(), words
    assert {"check", "list", "show", "log", "index", "build"} <= set(COMMANDS)


def test_a_work_tree_that_the_configuration_puts_elsewhere_is_not_touched(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    repo.define("a")
    repo.commit()
    (tmp_path / "elsewhere").mkdir()
    repo.git("config", "core.worktree", str(tmp_path / "elsewhere"))
    for command in ("check", "index", "build"):
        assert run(command, "-C", str(repo.root)).code == 0
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert "id: 1" in (repo.root / "definitions/process_definition/a.yaml").read_text()


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:{port}/x.json",
        "https://127.0.0.1:{port}/x.json",
        "file:///etc/hostname",
        "../../../etc/x.json",
        "//127.0.0.1:{port}/x",
    ],
)
def test_a_schema_is_never_fetched_from_anywhere(reference: str, repo: RepoBuilder, run: Run) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        repo.define("a")
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"x": {"$ref": reference.format(port=server.server_port)}},
        }
        repo.write("schema/station.schema.json", json.dumps(schema))
        repo.write("definitions/station/s.yaml", "title: S\nx: 1\n")
        outcome = run("check", "-C", str(repo.root))
        server.shutdown()
    assert outcome.code == 1
    assert "error K010" in outcome.out
    assert asked == []


def test_a_slow_pattern_in_a_schema_of_ones_own_is_not_slow(repo: RepoBuilder) -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "patternProperties": {"^(b+)+$": {"type": "string"}},
        "properties": {"title": {"type": "string", "pattern": "^(a+)+$"}},
        "additionalProperties": False,
    }
    repo.write("schema/station.schema.json", json.dumps(schema))
    repo.write("definitions/station/s.yaml", f"title: {'a' * 60}!\n{'b' * 60}c: x\n")
    command = [sys.executable, "-m", "registry", "check", "-C", str(repo.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "error S005" in done.stdout
    assert "error S002" in done.stdout
