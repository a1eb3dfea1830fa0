"""Batches of requests that wait at the same time, races, and remotes, with real git and the committer's thread."""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from registry.cache.build_cache import BuildCache
from registry.errors import RefusedError
from registry.ids import parse_ledger
from registry.writes.batch import Batch
from registry.writes.committer import Committer, CompletedWrite
from registry.writes.conditions import EntityTag
from registry.writes.main_branch import MainBranch, RacedError
from registry.writes.rejection import RejectedError
from registry.writes.requests import Operation, Person, WriteRequest
from registry.writes.state import RegistryState
from tests.support.waiting import PATIENCE_S
from tests.support.writing import new_bare_registry

KIND = "process_definition"
MAIN, HIGH_WATER = "refs/heads/main", "refs/registry/high-water"
RUN = {"definition": {"exec": "/bin/x"}}


def _request(operation: Operation, number: int | None = None, **facts: Any) -> WriteRequest:
    """A request of a user with all rights; `facts` are fields of `WriteRequest`."""
    body = facts.pop("body", RUN if operation in (Operation.ADD, Operation.REPLACE) else {})
    user = facts.pop("user", "alice")
    person = Person(user, f"{user}@example.org")
    return WriteRequest(
        operation, KIND, number, body, user, person, "request", lambda _right, _name: "", **facts
    )


def _add(name: str = "", **facts: Any) -> WriteRequest:
    return _request(Operation.ADD, body={**RUN, **({"name": name} if name else {})}, **facts)


def _git(repository: Path, *arguments: str) -> str:
    found = subprocess.run(
        ["git", *arguments], cwd=repository, check=True, capture_output=True, timeout=PATIENCE_S
    )
    return found.stdout.decode().strip()


def _subjects(repository: Path) -> list[str]:
    """Subjects of the commits of the main branch that the server made, oldest first."""
    return _git(repository, "log", "--reverse", "--grep=Request-Id", "--format=%s", MAIN).splitlines()


def _results(answers: list[Future[CompletedWrite]]) -> list[CompletedWrite | int]:
    """The result of each request, or the status of its rejection."""
    found: list[CompletedWrite | int] = []
    for answer in answers:
        error = answer.exception(PATIENCE_S)
        if isinstance(error, RejectedError):
            found.append(error.status)
        else:
            found.append(answer.result())
    return found


def _ids(found: list[CompletedWrite | int]) -> list[int]:
    return [one if isinstance(one, int) else one.id for one in found]


class Running:
    """A committer of a bare repository; what it reports fails the test that does not expect it."""

    def __init__(self, branch: MainBranch) -> None:
        self.branch = branch
        self.reported: list[Exception] = []
        self.bugs: list[Exception] = []
        self.shown: list[RegistryState] = []
        self.committer = Committer(
            branch, branch.read(), self.shown.append, self.reported.append, self.bugs.append
        )
        self._is_started = False

    def together(self, *requests: WriteRequest) -> list[CompletedWrite | int]:
        """Send requests that wait at the same time: the first ones of a committer are one batch."""
        assert not self._is_started
        answers = [self.committer.submit(one) for one in requests]
        self.start()
        return _results(answers)

    def one_by_one(self, *requests: WriteRequest) -> list[CompletedWrite | int]:
        """Send each request after the answer of the one before it."""
        self.start()
        return [_results([self.committer.submit(one)])[0] for one in requests]

    def start(self) -> None:
        if not self._is_started:
            self.committer.start()
            self._is_started = True

    def stop(self) -> None:
        if self._is_started:
            self.committer.stop(PATIENCE_S)
        self.branch.close()
        assert self.bugs == []


Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts committers: `start(folder)`, with the arguments and the class of the branch."""
    running: list[Running] = []

    def new(folder: Path, kind: type[MainBranch] = MainBranch, remote: str | None = None) -> Running:
        running.append(Running(kind(folder, BuildCache(), f"server{len(running)}", remote)))
        return running[-1]

    yield new
    for one in running:
        one.stop()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return new_bare_registry(tmp_path)


# Batches


def test_a_repeated_request_that_waits_beside_the_first_one_is_carried_out_once(
    bare: Path, start: Start
) -> None:
    once: dict[str, Any] = {"idempotency_key": "key", "digest": "a"}
    first, again, other, of_another_user = start(bare).together(
        _add("a/one", **once),
        _add("a/one", **once),
        _add("a/two", idempotency_key="key", digest="b"),
        _add("a/three", idempotency_key="key", digest="c", user="bob"),
    )
    assert isinstance(first, CompletedWrite)
    assert isinstance(of_another_user, CompletedWrite)
    assert again == first
    assert other == 422
    assert _subjects(bare) == ["Add a/one", "Add a/three"]


def test_requests_of_a_batch_see_the_ones_before_them(bare: Path, start: Start) -> None:
    found = start(bare).together(
        _add("a/one"),
        _add("A/One"),
        _add("a/two"),
        _request(Operation.DELETE, 1),
        _request(Operation.UPDATE, 1, body={"title": "T"}),
        _add("a/one"),
        _request(Operation.UPDATE, 2, body={"name": "a/moved"}),
        _add("a/two"),
    )
    assert _ids(found) == [1, 409, 2, 1, 410, 3, 2, 4]
    lines = _git(bare, "show", f"{MAIN}:definitions/ledger.jsonl").encode() + b"\n"
    ledger, problems = parse_ledger(lines, "")
    events = [(one.id, one.name, one.state) for one in ledger.entries]
    assert events == [
        (1, "a/one", "live"),
        (2, "a/two", "live"),
        (1, "a/one", "gone"),
        (3, "a/one", "live"),
        (2, "a/moved", "moved"),
        (4, "a/two", "live"),
    ]
    assert [one.message for one in problems] == []


def test_a_restored_definition_does_not_set_back_the_ids(bare: Path, start: Start) -> None:
    start(bare).together(_add(), _add(), _request(Operation.DELETE, 1))
    found = start(bare).together(_request(Operation.RESTORE, 1), _add(), _add())
    assert _ids(found) == [1, 3, 4]


def test_of_two_edits_of_one_field_in_a_batch_the_second_is_rejected_with_the_new_tag(
    bare: Path, start: Start
) -> None:
    (added,) = start(bare).together(_add("a/one"))
    assert isinstance(added, CompletedWrite)
    assert added.tag is not None
    seen = (added.tag,)
    later = start(bare)
    answers = [
        later.committer.submit(_request(Operation.UPDATE, 1, body=body, tags=seen, is_conditional=True))
        for body in ({"title": "A"}, {"title": "A"}, {"tags": ["t"]})
    ]
    later.start()
    first, second, third = _results(answers)
    assert isinstance(first, CompletedWrite)
    assert second == 412
    rejection = answers[1].exception()
    assert isinstance(rejection, RejectedError)
    assert isinstance(third, CompletedWrite)
    assert rejection.headers == {"etag": str(third.tag)}
    assert _subjects(bare) == ["Add a/one", "Change a/one", "Change a/one"]


def test_a_tag_with_another_digest_is_not_that_of_its_revision(bare: Path, start: Start) -> None:
    server = start(bare)
    added, changed = server.one_by_one(_add("a/one"), _request(Operation.UPDATE, 1, body={"title": "T"}))
    assert isinstance(added, CompletedWrite)
    assert isinstance(changed, CompletedWrite)
    assert added.tag is not None
    edit: dict[str, Any] = {"body": {"tags": ["t"]}, "is_conditional": True}
    forged = EntityTag(added.tag.revision, "0" * 24)
    found = server.one_by_one(
        _request(Operation.UPDATE, 1, tags=(forged,), **edit),
        _request(Operation.UPDATE, 1, tags=(forged, added.tag), **edit),
    )
    assert found[0] == 412
    assert isinstance(found[1], CompletedWrite)


# Idempotency


def test_the_key_of_a_user_with_an_unusual_name_survives_a_restart(bare: Path, start: Start) -> None:
    request = _add("a/one", idempotency_key="key", digest="a", user="jo smith/é%41")
    (first,) = start(bare).together(request)
    (again,) = start(bare).together(request)
    assert again == first
    assert _subjects(bare) == ["Add a/one"]


# Races and remotes


class LateBranch(MainBranch):
    """A branch to which the first batch comes, although its publication was reported as lost."""

    is_late = True

    def add(self, batch: Batch) -> RegistryState:
        after = super().add(batch)
        if self.is_late:
            self.is_late = False
            raise RacedError(after.commit)
        return after


def test_a_batch_that_arrives_after_all_is_not_carried_out_again(bare: Path, start: Start) -> None:
    late = start(bare, LateBranch)
    found = late.together(_add(), _add(), _request(Operation.UPDATE, 1, body={"title": "T"}))
    assert _ids(found) == [1, 2, 1]
    assert len(_subjects(bare)) == 3
    head = _git(bare, "rev-parse", MAIN)
    assert {one.commit for one in found if isinstance(one, CompletedWrite)} == {head}


def test_a_branch_that_lost_a_change_stops_writes_although_no_id_is_lost(bare: Path, start: Start) -> None:
    server = start(bare)
    added, changed = server.one_by_one(_add("a/one"), _request(Operation.UPDATE, 1, body={"title": "T"}))
    assert isinstance(added, CompletedWrite)
    assert isinstance(changed, CompletedWrite)
    _git(bare, "update-ref", MAIN, added.commit)
    assert server.one_by_one(_add("a/two")) == [503]
    assert "was rewritten" in server.committer.why_not_ready()
    assert _git(bare, "rev-parse", MAIN) == added.commit
    _git(bare, "update-ref", MAIN, changed.commit)
    assert _ids(server.one_by_one(_add("a/two"))) == [2]
    assert server.committer.why_not_ready() == ""


def test_a_branch_that_lacks_published_ids_is_not_read(bare: Path, start: Start) -> None:
    first, second = start(bare).one_by_one(_add("a/one"), _add("a/two"))
    assert isinstance(first, CompletedWrite)
    assert isinstance(second, CompletedWrite)
    _git(bare, "update-ref", MAIN, first.commit)
    branch = MainBranch(bare, BuildCache(), "next")
    with pytest.raises(RefusedError, match="the branch was reset"):
        branch.read()
    _git(bare, "update-ref", MAIN, second.commit)
    assert branch.read().next_id(KIND) == 3
    branch.close()


@pytest.fixture
def copy(tmp_path: Path, bare: Path) -> Path:
    """A bare clone that a server with `--remote origin` writes to; `origin` is `bare`."""
    path = tmp_path / "copy.git"
    _git(tmp_path, "clone", "-q", "--no-local", "--bare", str(bare), str(path))
    return path


def test_nothing_is_acknowledged_where_a_push_breaks_off(bare: Path, copy: Path, start: Start) -> None:
    before = _git(bare, "rev-parse", MAIN)
    _git(copy, "config", "remote.origin.receivepack", "false")
    server = start(copy, remote="origin")
    assert server.one_by_one(_add("a/one")) == [503]
    assert [_git(one, "rev-parse", MAIN) for one in (bare, copy)] == [before, before]
    _git(copy, "config", "--unset", "remote.origin.receivepack")
    assert _ids(server.one_by_one(_add("a/one"))) == [1]
    assert [_subjects(one) for one in (bare, copy)] == [["Add a/one"]] * 2


def test_a_remote_that_was_restored_from_a_backup_gets_back_what_it_lacks(
    bare: Path, copy: Path, start: Start
) -> None:
    backup = _git(bare, "rev-parse", MAIN)
    start(copy, remote="origin").one_by_one(_add("a/one"), _add("a/two"))
    _git(bare, "update-ref", MAIN, backup)
    _git(bare, "update-ref", "-d", HIGH_WATER)
    assert _ids(start(copy, remote="origin").one_by_one(_add("a/three"))) == [3]
    assert _subjects(bare) == ["Add a/one", "Add a/two", "Add a/three"]
    assert _git(bare, "rev-parse", HIGH_WATER) == _git(bare, "rev-parse", MAIN)


def test_a_remote_branch_that_was_set_back_but_not_its_mark_gets_nothing_back(
    bare: Path, copy: Path, start: Start
) -> None:
    backup = _git(bare, "rev-parse", MAIN)
    start(copy, remote="origin").one_by_one(_add("a/one"))
    _git(bare, "update-ref", MAIN, backup)
    assert start(copy, remote="origin").one_by_one(_add("a/two")) == [503]
    assert _git(bare, "rev-parse", MAIN) == backup
