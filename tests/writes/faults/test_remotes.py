"""Remotes that are gone, slow, refuse, die or are pushed to by others: what was acknowledged is there once."""

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_S, eventually
from tests.support.writing import LIST, commit_files, new_bare_registry, new_users
from tests.writes.faults.journal import Crowd, Journal, compare
from tests.writes.faults.machine import Machine, git

CLIENTS = 4
RUN = {"definition": {"exec": "/bin/x"}}
AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ana Autor"), ("EMAIL", "ana@example.org"))
}
COUNT = "n=$(cat count 2>/dev/null || echo 0); n=$((n + 1)); echo $n > count\n"


class Remote:
    """A repository, and a server of a clone that writes to it."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Make both; the server is not started."""
        self.bare = new_bare_registry(folder)
        clone = folder / "clone.git"
        subprocess.run(
            ["git", "clone", "-q", "--no-local", "--bare", str(self.bare), str(clone)],
            check=True,
            timeout=PATIENCE_S,
        )
        self.machine = Machine(clone, new_users(folder), "--remote", "origin", "--poll", "0.2", *options)

    def hook(self, name: str, script: str) -> Path:
        """Install a hook; returns its file."""
        path = self.bare / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def head(self) -> str:
        """The commit of its main branch."""
        return git(self.bare, "rev-parse", "refs/heads/main").strip()

    def compare(self, journal: Journal) -> None:
        """Fail unless remote and clone have what was acknowledged."""
        accepted = journal.accepted
        eventually(lambda: _accepts(self.machine, journal), "a write after all")
        assert journal.accepted > accepted
        for bare in (self.bare, self.machine.bare):
            compare(bare, journal.exchanges)


def _accepts(machine: Machine, journal: Journal) -> bool:
    answer = journal.send(machine.client(), "POST", LIST, RUN)
    return answer is not None and answer.status == 201


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    found = Remote(tmp_path)
    yield found
    found.machine.kill_all()


def crowd(remote: Remote, journal: Journal, accepted: int, refused: int = 0) -> None:
    """Let clients write until so many requests were accepted, and so many refused."""
    with Crowd([remote.machine], journal, CLIENTS) as clients:
        eventually(lambda: journal.accepted >= accepted, "enough writes")
        eventually(lambda: journal.count(503) >= refused, "enough refusals")
    assert clients.bugs == []


def test_a_remote_that_refuses_every_third_push(remote: Remote) -> None:
    remote.hook("pre-receive", f"{COUNT}[ $((n % 3)) != 0 ]")
    journal = Journal()
    remote.machine.start()
    crowd(remote, journal, accepted=15, refused=2)
    remote.compare(journal)


@pytest.mark.parametrize("name", ["pre-receive", "reference-transaction"])
def test_a_remote_that_dies_before_or_after_it_accepts(name: str, remote: Remote) -> None:
    accepted = '[ "$1" = committed ] || exit 0\n' if name == "reference-transaction" else ""
    remote.hook(name, f"{accepted}{COUNT}[ $((n % 2)) != 0 ] || kill -9 $PPID")
    journal = Journal()
    remote.machine.start()
    crowd(remote, journal, accepted=10)
    remote.compare(journal)


def test_a_push_that_arrives_after_its_time_is_not_sent_twice(remote: Remote) -> None:
    # The first push takes longer than its limit, and goes on after it; those after it come after it.
    script = remote.bare.parent / "receive"
    script.write_text('#!/bin/sh\nexec setsid git-receive-pack "$@"\n')
    script.chmod(0o755)
    git(remote.machine.bare, "config", "remote.origin.receivepack", str(script))
    base = remote.head()
    remote.hook(
        "pre-receive",
        f"{COUNT}if [ $n = 1 ]; then sleep 4; exit; fi\n"
        f"while [ $(cat refs/heads/main) = {base} ]; do sleep 0.05; done",
    )
    journal = Journal()
    remote.machine.start("limit:1.5")
    client = remote.machine.client()
    answer = journal.send(client, "POST", LIST, {**RUN, "name": "sent/once"})
    assert answer is not None
    assert answer.status in (201, 503), answer.body
    eventually(lambda: remote.head() != base, "the late push")
    (remote.bare / "hooks/pre-receive").unlink()
    remote.compare(journal)
    assert client.get(f"{LIST}?limit=0").json["meta"]["total_count"] == journal.count(201) + (
        answer.status == 503
    )


def test_a_remote_that_is_gone_for_a_while(remote: Remote) -> None:
    journal, away = Journal(), remote.bare.with_name("away.git")
    remote.machine.start()
    with Crowd([remote.machine], journal, CLIENTS) as clients:
        eventually(lambda: journal.accepted > 5, "some writes")
        remote.bare.rename(away)
        eventually(lambda: journal.count(503) > 5, "refusals")
        client = remote.machine.client()
        eventually(lambda: client.get("/_live/ready").status == 503, "the reason")
        assert client.get("/_live/ready").json["error"] == "the remote cannot be reached"
        assert client.get(LIST).status == 200
        # A restart meanwhile: readers get what is here.
        remote.machine.kill_all()
        remote.machine.start()
        assert client.get(LIST).status == 200
        refused = client.post(RUN)
        assert (refused.status, refused.json["error"]) == (
            503,
            "nothing was written: the remote cannot be reached",
        )
        away.rename(remote.bare)
        before = journal.accepted
        eventually(lambda: journal.accepted > before + 3, "writes")
    assert clients.bugs == []
    remote.compare(journal)


def test_a_remote_that_takes_too_long(remote: Remote) -> None:
    journal = Journal()
    remote.machine.start("limit:1")
    assert _accepts(remote.machine, journal)
    hook = remote.hook("pre-receive", "sleep 0.4")
    assert _accepts(remote.machine, journal)
    remote.hook("pre-receive", "exec sleep 30")
    client = remote.machine.client()
    refused = journal.send(client, "POST", LIST, RUN)
    assert refused is not None
    assert refused.status == 503
    assert "look for its Request-Id" in refused.json["error"]
    assert client.get(LIST).status == 200
    hook.unlink()
    remote.compare(journal)


def test_a_branch_of_the_remote_that_was_rewritten_stops_writes(remote: Remote) -> None:
    journal = Journal()
    remote.machine.start()
    client = remote.machine.client()
    for _ in range(3):
        journal.send(client, "POST", LIST, RUN)
    for wrong in ("another commit", "an older one"):
        head = remote.head()
        older = git(remote.bare, "rev-parse", f"{head}~2").strip()
        git(remote.bare, "update-ref", "refs/heads/main", older)
        if wrong == "another commit":
            commit_files(remote.bare, {"README.md": lambda _: b"rewritten\n"})
        eventually(lambda: client.get("/_live/ready").status == 503, "the reason")
        refused = journal.send(client, "POST", LIST, RUN)
        assert refused is not None
        assert refused.status == 503
        assert "rewritten" in refused.json["error"]
        assert client.get(LIST).json["meta"]["total_count"] == journal.count(201)
        # A restart accepts only a branch with all ids that were published.
        remote.machine.kill_all()
        remote.machine.start()
        assert journal.send(client, "POST", LIST, RUN).status == 503  # type: ignore[union-attr]
        assert client.get(LIST).json["meta"]["total_count"] == journal.count(201)
        git(remote.bare, "update-ref", "refs/heads/main", head)
        eventually(lambda: _accepts(remote.machine, journal), "a write")
    remote.compare(journal)


def test_a_rewritten_branch_with_all_ids_is_accepted_at_a_start(remote: Remote) -> None:
    remote.machine.start()
    client = remote.machine.client()
    number = client.post(RUN).id
    before = git(remote.bare, "rev-parse", "refs/heads/main^").strip()
    tree = git(remote.bare, "rev-parse", "refs/heads/main^{tree}").strip()
    user = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    other = git(remote.bare, *user, "commit-tree", tree, "-p", before, "-m", "Reworded").strip()
    git(remote.bare, "update-ref", "refs/heads/main", other)
    eventually(lambda: client.post(RUN).status == 503, "a refusal")
    remote.machine.end()
    remote.machine.start()
    assert client.get(number).status == 200
    assert client.post(RUN).id == number + 1
    assert git(remote.bare, "rev-parse", "refs/heads/main^").strip() == other


def test_another_clone_that_pushes_all_the_time(remote: Remote, tmp_path: Path) -> None:
    work, journal, ended = tmp_path / "work", Journal(), threading.Event()
    subprocess.run(
        ["git", "clone", "-q", "--no-local", str(remote.bare), str(work)], check=True, timeout=PATIENCE_S
    )
    pushed: list[str] = []

    def push() -> None:
        while not ended.wait(0.5):
            made = "$(git commit-tree origin/main^{tree} -p origin/main -m 'By hand')"
            script = f'git fetch -q && made={made} && git push -q origin "$made:main" && echo "$made"'
            environment = {"PATH": os.environ["PATH"], **AUTHOR}
            done = subprocess.run(
                ["sh", "-c", script],
                cwd=work,
                env=environment,
                check=False,
                capture_output=True,
                timeout=PATIENCE_S,
            )
            pushed.extend(done.stdout.decode().split())

    remote.machine.start()
    thread = threading.Thread(target=push)
    thread.start()
    try:
        while len(pushed) < 4 or journal.accepted < 8:
            _accepts(remote.machine, journal)
            # Pushes of the clone come in between.
            seen = len(pushed)
            eventually(lambda seen=seen: len(pushed) > seen, "a push")  # type: ignore[misc]
    finally:
        ended.set()
        thread.join()
    assert journal.statuses().keys() <= {201, 503}
    remote.compare(journal)
    assert set(pushed) <= set(git(remote.bare, "rev-list", "refs/heads/main").split())
