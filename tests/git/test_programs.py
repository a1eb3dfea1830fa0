"""Nothing that configuration or attributes name is run by a command that reads, and none of it changes what is read."""

import os
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.repo import RepoBuilder

READING = (
    ["check"],
    ["check", "--changed"],
    ["check", "--base", "main"],
    ["check", "--source", "HEAD"],
    ["review", "--base", "main"],
    ["review", "--base", "main", "--head", "HEAD"],
    ["diff", "main"],
    ["build"],
    ["list"],
    ["show", "a"],
    ["log", "a"],
    ["blame", "a"],
    ["changelog"],
)
TEXT = "title: A\nowners: [team]\nlifecycle: production\n# 1\n# 2\n# 3\n# 4\n# 5\ndefinition:\n  exec: /bin/a\n  timeout: 10\n"
SETTINGS = (
    "core.fsmonitor",
    "core.pager",
    "core.editor",
    "core.sshCommand",
    "core.askPass",
    "core.gitProxy",
    "core.alternateRefsCommand",
    "sequence.editor",
    "gpg.program",
    "gpg.ssh.program",
    "credential.helper",
    "diff.external",
    "diff.evil.textconv",
    "diff.evil.command",
    "filter.evil.clean",
    "filter.evil.smudge",
    "filter.evil.process",
    "filter.a=b.clean",
    "merge.evil.driver",
    "merge.tool",
    "mergetool.evil.cmd",
    "interactive.diffFilter",
    "alias.status",
    "alias.merge-tree",
    "pager.status",
    "pager.log",
    "uploadpack.packObjectsHook",
    "trailer.evil.command",
    "browser.evil.cmd",
    "hook.evil.command",
    "submodule.sub.update",
    "remote.origin.uploadpack",
    "core.hooksPath",
    "init.templateDir",
)


class Marked:
    """A program that leaves a mark where it is run."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "ran"
        self.path = folder / "evil"
        self.path.write_text(f'#!/bin/sh\necho "$0 $*" >>{self.mark}\ncat\n')
        self.path.chmod(0o755)

    def must_not_have_run(self, words: object) -> None:
        assert not self.mark.exists(), (words, self.mark.read_text())


@pytest.fixture
def evil(tmp_path: Path) -> Marked:
    return Marked(tmp_path)


def diverge(repo: RepoBuilder) -> None:
    """Let `main` and HEAD change the same file in places that fit together: a merge of contents is needed."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a", TEXT)
    repo.commit()
    repo.git("checkout", "-q", "-b", "change")
    repo.define("a", TEXT.replace("timeout: 10", "timeout: 20"))
    repo.commit()
    repo.git("checkout", "-q", "main")
    repo.define("a", TEXT.replace("title: A", "title: New"))
    repo.commit()
    repo.git("checkout", "-q", "change")


def name_programs(repo: RepoBuilder, evil: Marked, *where: str) -> None:
    for name in SETTINGS:
        value = str(evil.path.parent) if name in ("core.hooksPath", "init.templateDir") else str(evil.path)
        repo.git("config", *where, name, value)
    for name, value in {
        "filter.evil.required": "true",
        "hook.evil.event": "reference-transaction",
        "merge.default": "evil",
        "merge.renormalize": "true",
        "log.showSignature": "true",
        "merge.verifySignatures": "true",
        "status.submoduleSummary": "true",
        "submodule.recurse": "true",
        "diff.submodule": "log",
    }.items():
        repo.git("config", *where, name, value)
    (repo.root / ".git/info/attributes").write_text("* filter=evil diff=evil merge=evil ident\n")


def touch_all(repo: RepoBuilder) -> None:
    """Let git look at the contents of every file."""
    for path in repo.root.rglob("*.yaml"):
        os.utime(path, (1, 1))


@pytest.mark.parametrize("where", ["local", "worktree", "included", "conditional"])
def test_no_program_is_run_by_a_command_that_reads(
    where: str, repo: RepoBuilder, run: Run, evil: Marked
) -> None:
    repo.write(".gitattributes", "*.yaml filter=evil diff=evil merge=evil text\n")
    diverge(repo)
    if where == "local":
        name_programs(repo, evil)
    elif where == "worktree":
        repo.git("config", "extensions.worktreeConfig", "true")
        name_programs(repo, evil, "--worktree")
    else:
        name_programs(repo, evil, "--file", ".git/more")
        repo.git(
            "config", "include.path" if where == "included" else "includeIf.onbranch:change.path", "more"
        )
    for words in READING:
        touch_all(repo)
        outcome = run(*words, "-C", str(repo.root))
        assert outcome.code == 0, (words, outcome.err)
        evil.must_not_have_run(words)


@pytest.mark.parametrize(
    "attributes", ["* merge=evil\n", "* -merge\n", "* merge=union\n", "* merge=binary -diff -text\n"]
)
def test_a_merge_is_that_of_the_texts_whatever_attributes_say(
    attributes: str, repo: RepoBuilder, run: Run, evil: Marked
) -> None:
    repo.write(".gitattributes", attributes)
    diverge(repo)
    repo.git("config", "merge.evil.driver", f"{evil.path} %A; true")
    outcome = run("review", "--base", "main", "--format", "json", "-C", str(repo.root))
    assert (outcome.code, "timeout" in outcome.out) == (0, True), outcome.out
    repo.define("a", TEXT.replace("timeout: 10", "timeout: 20").replace("title: A", "title: Other"))
    repo.commit()
    conflict = run("review", "--base", "main", "-C", str(repo.root))
    assert (conflict.code, "I036" in conflict.out) == (1, True), conflict.out
    evil.must_not_have_run(attributes)


def test_a_review_writes_nothing_into_the_repository(repo: RepoBuilder, run: Run) -> None:
    diverge(repo)
    before = sorted(str(path) for path in (repo.root / ".git").rglob("*"))
    for words in (["check", "--base", "main"], ["review", "--base", "main"], ["changelog"]):
        assert run(*words, "-C", str(repo.root)).code == 0
    assert sorted(str(path) for path in (repo.root / ".git").rglob("*")) == before


def test_submodules_are_not_entered(repo: RepoBuilder, run: Run, evil: Marked, tmp_path: Path) -> None:
    library = RepoBuilder(tmp_path / "library")
    library.write(".gitattributes", "* filter=evil\n")
    library.write("x.txt", "x\n")
    library.commit()
    diverge(repo)
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), "sub")
    repo.commit()
    inner = RepoBuilder.at(repo.root / "sub", 0)
    for name in ("filter.evil.clean", "filter.evil.process", "core.fsmonitor", "diff.external"):
        inner.git("config", name, str(evil.path))
    os.utime(inner.root / "x.txt", (1, 1))
    for words in READING:
        outcome = run(*words, "-C", str(repo.root))
        assert outcome.code == 0, (words, outcome.err)
        evil.must_not_have_run(words)


def test_a_missing_object_is_not_fetched_by_a_program(repo: RepoBuilder, run: Run, evil: Marked) -> None:
    diverge(repo)
    for name, value in {
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{evil.path}",
        "protocol.ext.allow": "always",
        "protocol.allow": "always",
        "core.repositoryFormatVersion": "1",
    }.items():
        repo.git("config", name, value)
    blob = repo.git("rev-parse", "main:definitions/process_definition/a.yaml")
    (repo.root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    for words in (
        ["review", "--base", "main"],
        ["build"],
        ["diff", "main"],
        ["check", "--source", "main"],
        ["check", "--base", "main"],
    ):
        outcome = run(*words, "-C", str(repo.root))
        assert outcome.code in (0, 2), (words, outcome.err)
        evil.must_not_have_run(words)


@pytest.mark.parametrize("attributes", ["*.yaml -diff\n", "*.yaml binary\n", "*.yaml diff=evil\n"])
def test_attributes_hide_no_user_of_a_definition(attributes: str, repo: RepoBuilder, run: Run) -> None:
    repo.write(".gitattributes", attributes)
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("app", kind="application")
    repo.define("a", "title: A\nowners: [team]\ndefinition:\n  exec: /bin/a\n  application: app\n")
    repo.commit()
    (repo.root / "definitions/application/app.yaml").unlink()
    outcome = run("check", "--changed", "-C", str(repo.root))
    assert (outcome.code, "R001" in outcome.out) == (1, True), outcome.out


def test_the_isolated_git_directory_comes_with_the_program() -> None:
    import registry.git

    for name in ("sha1", "sha256"):
        folder = Path(registry.git.__file__).parent / "isolated" / name
        assert {path.name for path in folder.iterdir()} == {"HEAD", "config", "refs"}


def test_a_repository_of_sha256_ids_is_read(tmp_path: Path, run: Run) -> None:
    (tmp_path / "repo").mkdir()
    repo = RepoBuilder.at(tmp_path / "repo", 1_700_000_000)
    repo.git("init", "-q", "-b", "main", "--object-format=sha256")
    diverge(repo)
    for words in READING:
        outcome = run(*words, "-C", str(repo.root))
        assert outcome.code == 0, (words, outcome.err)
