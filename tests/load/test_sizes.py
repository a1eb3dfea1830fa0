"""Files far larger than anything here can be are refused by their size: no command reads one, in a commit or in the work tree.

Each command runs in a child process whose memory is limited (the limit holds for its git, too) to less than the file.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.git import GitError, Oversize, open_repository
from registry.load.source import FileTooLargeError, open_source
from tests.conftest import Outcome
from tests.support.repo import RepoBuilder

HUGE = 400 * 1024 * 1024
ROOM = 360 * 1024 * 1024
PROCESS = "title: T\nowners: [team]\ndefinition:\n  exec: /bin/a\n  application: app\n  timeout: 60\n"
Limited = Callable[..., Outcome]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> RepoBuilder:
    """A registry with ids on main; `huge` is a blob of 400 MB in it that no commit holds yet."""
    repo = RepoBuilder(tmp_path_factory.mktemp("sizes") / "repo")
    repo.git("config", "core.compression", "1")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("app", kind="application")
    repo.define("a", PROCESS)
    repo.define("b", PROCESS.replace("/bin/a", "/bin/b"))
    repo.commit("start")
    with (repo.root.parent / "huge").open("wb") as file:
        file.truncate(HUGE)
    repo.git("tag", "huge-blob", repo.git("hash-object", "-w", str(repo.root.parent / "huge")))
    return repo


@pytest.fixture
def limited(registry: RepoBuilder) -> Limited:
    """Run one command with little memory."""

    def run(
        *words: str,
        stdin: str = "",
        cwd: Path = registry.root,
        program: tuple[str, ...] = (sys.executable, "-m", "registry"),
    ) -> Outcome:
        done = subprocess.run(
            [*program, *words],
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), "MALLOC_ARENA_MAX": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM)),
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


def branch_with(repo: RepoBuilder, path: str, change: str = "") -> str:
    """A branch off main on which the blob is at `path`, and the definition `b` is edited; nothing is checked out."""
    name = "huge-" + path.replace("/", "-")
    repo.git("checkout", "-q", "-f", "-B", name, "main")
    repo.define("b", PROCESS.replace("60", "30") + change)
    repo.git("add", "-A")
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{repo.git('rev-parse', 'huge-blob')},{path}")
    repo.git("commit", "-q", "-m", f"add {path}")
    repo.git("checkout", "-q", "-f", "main")
    return name


def test_the_limit_would_stop_a_command_that_reads_the_file(limited: Limited) -> None:
    read = "import subprocess; print(len(subprocess.run(['git', 'cat-file', 'blob', 'huge-blob'], capture_output=True).stdout))"
    outcome = limited("-c", read, program=(sys.executable,))
    assert outcome.out.strip() != str(HUGE)


@pytest.mark.parametrize("command", ["check", "list", "review", "diff", "build", "log"])
def test_a_definition_is_refused_by_its_size(registry: RepoBuilder, limited: Limited, command: str) -> None:
    branch = branch_with(registry, "definitions/process_definition/huge.yaml")
    words = {
        "check": ["check", "--source", branch],
        "list": ["list", "--source", branch],
        "review": ["review", "--base", "main", "--head", branch],
        "diff": ["diff", f"main..{branch}"],
        "build": ["build", "--source", branch, "--out", str(registry.root.parent / "site")],
        "log": ["log", "huge", "--source", branch],
    }[command]
    outcome = limited(*words)
    said = outcome.out + outcome.err
    if command == "list":
        assert outcome.code == 0 and "cannot be read: 1" in said, said
        return
    assert "the file has 419,430,400 bytes; the maximum is 262,144" in said, said
    assert outcome.code == (2 if command == "diff" else 1), said


def test_a_hook_refuses_a_push_with_it(registry: RepoBuilder, limited: Limited) -> None:
    branch = branch_with(registry, "definitions/process_definition/huge.yaml")
    hub = registry.root.parent / "hub.git"
    if not hub.exists():
        registry.git("clone", "-q", "--bare", str(registry.root), str(hub))
    old, new = registry.git("rev-parse", "main"), registry.git("rev-parse", branch)
    outcome = limited("hook", "pre-receive", stdin=f"{old} {new} refs/heads/main\n", cwd=hub)
    assert outcome.code == 1 and "the file has 419,430,400 bytes" in outcome.err + outcome.out, outcome


@pytest.mark.parametrize(
    ("path", "said", "code"),
    [
        ("schema/sensor.schema.json", "K010: the file has 419,430,400 bytes; the maximum is 1,048,576", 1),
        (
            "schema/adapters/mqtt.schema.json",
            "K010: the file has 419,430,400 bytes; the maximum is 1,048,576",
            1,
        ),
        ("registry.yaml", "registry.yaml has 419,430,400 bytes; the maximum is 262,144", 2),
        ("samples/huge", "larger than 1 MiB: samples/huge", 1),
        (
            "definitions/ledger.jsonl",
            "definitions/ledger.jsonl has 419,430,400 bytes; the maximum is 67,108,864",
            2,
        ),
        (
            "site_templates/assets/huge.css",
            "site_templates/assets/huge.css has 419,430,400 bytes; the maximum is 8,388,608",
            2,
        ),
    ],
)
def test_every_other_file_of_a_registry_is_refused_by_its_size(
    registry: RepoBuilder, limited: Limited, path: str, said: str, code: int
) -> None:
    change = "examples: [{title: t, input_file: samples/huge}]\n" if path.startswith("samples") else ""
    branch = branch_with(registry, path, change)
    outcome = limited("build", "--source", branch, "--out", str(registry.root.parent / "site"))
    assert said in outcome.out + outcome.err and outcome.code == code, outcome
    outcome = limited("review", "--base", "main", "--head", branch)
    if "templates" in path:
        assert outcome.code == 0, outcome  # a review renders nothing
    elif "ledger" in path:
        assert outcome.code == 1 and "error I034" in outcome.out, outcome
    else:
        assert outcome.code == code and said in outcome.out + outcome.err, outcome


def test_a_history_that_held_it_once_is_still_shown(registry: RepoBuilder, limited: Limited) -> None:
    branch = branch_with(registry, "definitions/process_definition/b.yaml")
    registry.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")  # main's files stay in the work tree
    registry.define("b", PROCESS.replace("60", "20"))
    registry.commit("small again")
    registry.git("branch", "-f", "repaired", branch)
    registry.git("checkout", "-q", "main")
    out = registry.root.parent / "history-site"
    outcome = limited("build", "--source", "repaired", "--out", str(out))
    assert outcome.code == 0, outcome
    outcome = limited("log", "b", "--source", "repaired")
    assert outcome.code == 0 and "small again" in outcome.out, outcome


def test_a_file_in_the_work_tree_is_refused_by_its_size(registry: RepoBuilder, limited: Limited) -> None:
    huge = registry.root / "definitions/process_definition/huge.yaml"
    edited = registry.root / "definitions/process_definition/b.yaml"
    before = edited.read_text()
    try:
        with huge.open("wb") as file:
            file.truncate(HUGE)
        edited.write_text(before.replace("60", "30"))
        for words in (["check"], ["check", "--changed"], ["review", "--base", "main"], ["build"]):
            outcome = limited(*words)
            said = outcome.out + outcome.err
            assert outcome.code == 1 and "the file has 419,430,400 bytes; the maximum is 262,144" in said, (
                words,
                outcome,
            )
    finally:
        huge.unlink()
        edited.write_text(before)


def test_contents_are_given_in_order_around_the_one_that_is_too_large(registry: RepoBuilder) -> None:
    opened = open_repository(registry.root)
    assert opened is not None
    huge, small = registry.git("rev-parse", "huge-blob"), registry.git("rev-parse", "main:registry.yaml")
    tree = registry.git("rev-parse", "main^{tree}")
    wanted = [small, huge, small, huge, huge, small] * 100
    found = list(opened.read_blobs(wanted, at_most=1000))
    assert [blob for blob, _ in found] == wanted
    assert dict(found) == {huge: Oversize(HUGE), small: b"registry_id: registry-1\n"}
    with opened.begin_blobs(at_most=1000) as blobs:
        blobs.ask(wanted[:250])
        first = list(blobs.answers(200))
        blobs.ask([])
        blobs.ask(wanted[250:])
        assert [*first, *blobs.answers()] == found
    with pytest.raises(GitError, match="does not have the blob"):
        list(opened.read_blobs([small, tree], at_most=1_000_000))


def test_exactly_as_large_as_allowed_is_read(repo: RepoBuilder) -> None:
    repo.write("registry.yaml", b"#" * 100)
    repo.write("definitions/ledger.jsonl", b"")
    repo.commit()
    for source in (open_source(repo.root), open_source(repo.root, "HEAD")):
        assert source.read("registry.yaml", at_most=100) == b"#" * 100
        with pytest.raises(FileTooLargeError, match=r"registry\.yaml has 100 bytes; the maximum is 99"):
            source.read("registry.yaml", at_most=99)
        assert source.read("definitions/ledger.jsonl") == b""
        assert source.read("none") is None
