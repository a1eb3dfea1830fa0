"""Text of strangers in the output of every command: it can neither act on a terminal, nor start a line, nor command a CI system."""

import json
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from registry.model.characters import visible
from tests.conftest import Run
from tests.support.repo import RepoBuilder

# What a terminal acts upon, what changes the order of text, and half of a pair of surrogates.
_ACTIVE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_COMMAND = re.compile(r"^\s*::(?!(?:error|warning|notice) )|##\[|##vso\[|##teamcity\[", re.MULTILINE)
ATTACK = "x\n::add-path::/tmp/x\r\n##[add-path]/tmp/y\x1b[2J\u202egnirts\u200b\u2066::stop-commands::z"
KEY = json.dumps(ATTACK)
LINE = json.dumps("::error::x##[error]y\u202e##vso[x]")
DEFINITION = f"""title: {KEY}
owners: [{KEY}]
description: {KEY}
{KEY}: 1
definition:
  exec: {KEY}
  argv: [{KEY}, "::add-mask::a"]
  application: {KEY}
  process_type: {KEY}
  environment: {{{KEY}: {KEY}}}
  {KEY}: {KEY}
"""
READABLE = f"""title: {KEY}
owners: [{KEY}]
x-key: {{{KEY}: {KEY}}}
definition:
  exec: /bin/a
  x-note: {KEY}
  x-list: [{KEY}, "::add-mask::a"]
"""


def assert_harmless(text: str) -> None:
    assert not (found := _ACTIVE.search(text)), repr(text[max(0, found.start() - 40) : found.start() + 40])
    assert not (found := _COMMAND.search(text)), repr(text[max(0, found.start() - 40) : found.start() + 40])


@pytest.fixture
def hostile(repo: RepoBuilder) -> RepoBuilder:
    """A base, and a change whose every text is an attack; all files can be read."""
    repo.write("registry.yaml", f"registry_id: registry-1\ntitle: {LINE}\n")
    repo.define("a", READABLE)
    repo.define("b")
    repo.git("config", "user.name", "x")
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", ATTACK, "--author", "\x1b[31m::error::x\u202e <a@example.org>")
    repo.git("branch", "base")
    repo.define(
        "a",
        READABLE.replace("/bin/a", "/bin/b")
        .replace("x-note", "x-other")
        .replace("x-list: [", "x-list: [new, "),
    )
    repo.define("::warning::x", READABLE)
    repo.define("new\n::error::line\x1b[2J", READABLE)
    repo.git("rm", "-q", "definitions/process_definition/b.yaml")
    repo.git("add", "-A")
    repo.git(
        "commit", "-q", "-m", f"##[error]{ATTACK}", "--author", f"##[x] {visible(ATTACK)} <a@example.org>"
    )
    return repo


TEXT = [
    ["check"],
    ["list"],
    ["list", "--source", "HEAD"],
    ["show", "a"],
    ["show", "a", "--source", "base"],
    ["show", "a@1"],
    ["log", "a"],
    ["blame", "a"],
    ["diff", "base..HEAD"],
    ["diff", "base..HEAD", "--format", "markdown"],
    ["diff", "base..HEAD", "--format", "json"],
    ["diff", "base"],
    ["changelog", "--since", "base"],
    ["changelog", "--since", "base", "--format", "markdown"],
    ["review", "--base", "base"],
    ["review", "--base", "base", "--format", "markdown"],
    ["review", "--base", "base", "--format", "github"],
    ["review", "--base", "base", "--format", "gitlab"],
    ["build"],
    ["ids"],
    ["index"],
    ["schema"],
    ["check", "--fix"],
    ["check", "--source", "no\n::error::such\x1b[2J"],
    ["show", "no\n::error::such\x1b[2J"],
    ["list", "no\n::error::such\x1b[2J"],
    ["new", "process_definition", "no\n::error::such\x1b[2J", "--exec", "/bin/x"],
]


@pytest.mark.parametrize("words", TEXT, ids=lambda words: visible(" ".join(words)))
def test_readable_files(
    hostile: RepoBuilder, run: Run, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in ("80", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        outcome = run(*words, "-C", str(hostile.root))
        assert outcome.code in (0, 1, 2), outcome
        assert_harmless(outcome.out)
        assert_harmless(outcome.err)
        assert outcome.out or outcome.err


FORMATS = ["text", "github", "gitlab", "rdjson", "junit", "sarif", "json"]


@pytest.mark.parametrize("format_", FORMATS)
def test_findings_about_files(hostile: RepoBuilder, run: Run, format_: str) -> None:
    hostile.define("bad", DEFINITION)
    hostile.define("broken\x1b[2J", f"title: [{KEY}\n::error::x: &a b\n")
    outcome = run("check", "-C", str(hostile.root), "--format", format_)
    assert outcome.code == 1 and "add-path" in outcome.out
    assert_harmless(outcome.out)
    assert_harmless(outcome.err)
    if format_ == "junit":
        texts = [one.get("message") or "" for one in ElementTree.fromstring(outcome.out).iter("failure")]
        assert any("add-path" in text for text in texts)
        for text in texts:
            assert_harmless(text)
    if format_ in ("gitlab", "rdjson", "sarif"):
        body = json.loads(outcome.out)
        if format_ == "gitlab":
            texts = [one["description"] for one in body]
        elif format_ == "rdjson":
            texts = [one["message"] for one in body["diagnostics"]]
        else:
            texts = [one["message"]["text"] for one in body["runs"][0]["results"]]
        for text in texts:
            assert "\nhint" in text or "\n" not in text
            for line in text.split("\n"):
                assert_harmless(line)


def test_a_schema_and_settings(hostile: RepoBuilder, run: Run) -> None:
    hostile.write("schema/::error::x.schema.json", "{}")
    hostile.write("schema/adapters/\x1b[2J.schema.json", json.dumps({"x-registry": {"directions": [ATTACK]}}))
    hostile.write(
        "schema/sensor.schema.json",
        json.dumps({"title": ATTACK, "x-registry": {"references": [{"pointer": "/x", "kind": ATTACK}]}}),
    )
    hostile.write("registry.yaml", f"{KEY}: {KEY}\nrules: {{{KEY}: {KEY}}}\n")
    for words in (["check"], ["list"], ["build"], ["review", "--base", "base"], ["diff", "base"]):
        outcome = run(*words, "-C", str(hostile.root))
        assert outcome.code in (0, 1, 2)
        assert_harmless(outcome.out)
        assert_harmless(outcome.err)


def test_a_hook_and_git(hostile: RepoBuilder, run: Run, tmp_path: Path) -> None:
    hub = tmp_path / "hub.git"
    hostile.git("checkout", "-q", "-B", "main", "base")
    hostile.git("clone", "-q", "--bare", str(hostile.root), str(hub))
    assert run("hook", "install", str(hub)).code == 0
    hostile.define("a", DEFINITION)
    hostile.define("::error::y", READABLE)
    hostile.git("commit", "-aqm", "x")
    pushed = subprocess.run(
        ["git", "push", str(hub), "HEAD:refs/heads/main"], cwd=hostile.root, capture_output=True, check=False
    )
    said = pushed.stderr.decode()
    assert pushed.returncode and "add-path" in said
    # Git's own erasing of the line after each one of ours.
    assert_harmless(
        re.sub(r"^remote: ", "", said.replace("\x1b[K", "").replace("\t", " "), flags=re.MULTILINE)
    )
