"""The queue of requests, and the thread that commits them in order of arrival."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

from registry.errors import ProblemsError, RefusedError, RegistryError, UsageError, system_message
from registry.git import GitWriteError
from registry.load import yaml
from registry.render.json_api import detail_answer_at, detail_bytes
from registry.writes.batch import Batch, WriteStep
from registry.writes.conditions import EntityTag, tag_of
from registry.writes.idempotency import (
    IDEMPOTENCY_KEY,
    MOST_KEYS_KEPT,
    CarriedOut,
    CarriedOutRequests,
    carried_out_by,
)
from registry.writes.main_branch import (
    PushRefusedError,
    RacedError,
    RemoteGoneError,
    RewrittenError,
    UnconfirmedError,
)
from registry.writes.plan import Unchanged, plan_write
from registry.writes.rejection import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.writes.main_branch import MainBranch
    from registry.writes.requests import Operation, WriteRequest
    from registry.writes.state import RegistryState

_REWRITTEN = (
    "the main branch was rewritten; run `registry index --recover`, or restart the server to accept it"
)
_REMOTE_GONE = "the remote cannot be reached"
# Limits of a batch: a larger one gains little, because the cost of the refs and the push is shared by then,
# and all of its clients wait for the slowest.
_MOST_AT_ONCE = 64
_MOST_BYTES = 4 * 1024 * 1024
# With a longer queue the last clients would have given up before their turn.
_MOST_WAITING = 1_000
# A busy remote can win each race. After these tries the client gets an answer and decides itself.
_MOST_TRIES = 8
_LONGEST_TRY_S = 10.0
RETRY_AFTER_S = 2


class CompletedWrite(NamedTuple):
    """A request that was carried out: what it did to which definition, and its entity tag after that.

    `tag` is None for a deleted definition. `commit` is that of the state in which the result is visible.
    """

    operation: Operation
    kind: str
    id: int
    tag: EntityTag | None
    commit: str


class _Waiting(NamedTuple):
    request: WriteRequest
    answer: Future[CompletedWrite]


Outcome = WriteStep | Unchanged | CarriedOut | RejectedError


class _Planned(NamedTuple):
    """The outcome of one request of a batch, before the batch is committed."""

    waiting: _Waiting
    outcome: Outcome


class _Sent(NamedTuple):
    """A batch that did not become part of the branch, unless its push arrives later."""

    tip: str
    planned: Sequence[_Planned]
    is_unclear: bool


class Committer:
    """Carries out requests in order of arrival; those that wait at the same time become one batch."""

    def __init__(
        self,
        branch: MainBranch,
        state: RegistryState,
        show: Callable[[RegistryState], None],
        report: Callable[[RegistryError], object],
        report_bug: Callable[[Exception], object],
    ) -> None:
        """`show` makes a new state visible to readers; it is called before requests are answered.

        `report` receives errors for the operator, `report_bug` unexpected ones of the thread.
        """
        self._report = report
        self._report_bug = report_bug
        self._branch = branch
        self.state = state
        self._show = show
        self._carried_out = CarriedOutRequests()
        self._remember_carried_out(state.commit)
        self._waiting: deque[_Waiting] = deque()
        # Guards the queue and the flags only, never git: `submit` runs in the event loop of the server and
        # must not wait.
        self._changed = threading.Condition()
        self._must_look = False
        self._must_follow = True
        self._is_ending = False
        self.blocked = ""
        """Why nothing can be written; "" when everything is fine."""
        self.count_batch: Callable[[int, float], None] = lambda _commits, _seconds: None
        """Called after every published batch with the number of its commits and its time in seconds."""
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def _remember_carried_out(self, commit: str, after: str | None = None) -> None:
        """Keep the requests with an `Idempotency-Key` in the history of a commit; not those in `after`.

        Whether one is too old is decided when its key is used: the clock may be wrong now.
        """
        line = f"{IDEMPOTENCY_KEY}: "
        self._carried_out.add_messages(
            self._branch.messages_with(line, commit, after, at_most=MOST_KEYS_KEPT)
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, request: WriteRequest) -> Future[CompletedWrite]:
        """Put a request in the queue. The result raises RejectedError when it is not carried out."""
        answer: Future[CompletedWrite] = Future()
        with self._changed:
            if self._is_ending or len(self._waiting) >= _MOST_WAITING:
                why = "the server is stopping" if self._is_ending else "too many requests are waiting"
                answer.set_exception(unavailable(why))
            else:
                self._waiting.append(_Waiting(request, answer))
                self._changed.notify()
        return answer

    def look(self) -> None:
        """Look for commits of others, as soon as the current batch is done."""
        with self._changed:
            self._must_look = True
            self._changed.notify()

    def waiting(self) -> int:
        """Return the number of requests in the queue."""
        return len(self._waiting)

    def why_not_ready(self) -> str:
        """Return why nothing can be written now; "" when writes are possible."""
        if self._is_ending or not self._thread.is_alive():
            return "the server is stopping"
        return self.blocked

    def contains(self, commit: str) -> bool:
        """True when the current state contains a commit. Safe to call from any thread."""
        return self._branch.contains(commit, self.state.commit)

    def stop(self, limit_s: float) -> None:
        """Finish the requests that wait, then end the thread; gives up after `limit_s` seconds."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        self._thread.join(limit_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._must_look or self._is_ending):
                    self._changed.wait()
                # Requests that were accepted are carried out first: their clients wait for an answer.
                if self._is_ending and not self._waiting:
                    return
                some = self._take()
                must_look, self._must_look = self._must_look, False
            # Commits of others come first, so that the batch below is planned on top of them.
            if must_look:
                self._catch_up_quietly()
            if some:
                self._carry_out(some)

    def _take(self) -> list[_Waiting]:
        found: list[_Waiting] = []
        size = 0
        while self._waiting and len(found) < _MOST_AT_ONCE:
            size += self._waiting[0].request.size
            # A single request always fits: otherwise it would stay at the head of the queue for good.
            if found and size > _MOST_BYTES:
                break
            found.append(self._waiting.popleft())
        return found

    def _carry_out(self, some: Sequence[_Waiting]) -> None:
        """Answer every request of a batch."""
        try:
            self._commit(some)
        except RejectedError as error:
            _reject(some, error)
        except UnconfirmedError as error:
            self._report(error)
            _reject(some, _unconfirmed("the server's disk failed after the write"))
        except PushRefusedError as error:
            # A remote refuses a push as a whole. Without the retry one by one, a client could make the
            # requests of others fail.
            if len(some) == 1:
                _reject(some, unavailable(self._reason(error)))
            for one in some if len(some) > 1 else ():
                self._carry_out([one])  # the remote may accept the others
        except (RegistryError, OSError) as error:
            _reject(some, unavailable(self._reason(error)))
        except Exception as error:  # noqa: BLE001 - the edge: a bug must not end the thread
            for one in some:
                if not one.answer.done():
                    one.answer.set_exception(error)

    def _reason(self, error: RegistryError | OSError) -> str:
        """Return the reason for clients, without paths of this machine; the operator gets all of it."""
        if isinstance(error, GitWriteError):
            self._report(error)
            return f"the repository cannot be written ({error.failure.value})"
        if isinstance(error, OSError):
            self._report(UsageError(system_message(error)))
            return f"the server's system refused ({error.strerror or type(error).__name__})"
        self._report(error)
        if isinstance(error, PushRefusedError):
            return "the remote refused the push"
        if isinstance(error, RemoteGoneError):
            return _REMOTE_GONE
        return "the repository cannot be read or written now"

    def _commit(self, some: Sequence[_Waiting]) -> None:
        """Commit and answer the requests of a batch that can be carried out.

        Raises RejectedError, RegistryError or OSError for all of them.
        """
        sent: list[_Sent] = []
        try:
            self._try_to_commit(some, sent)
        except (RejectedError, RegistryError, OSError) as error:
            # Only an unclear push may have succeeded after all. All others are known to be on no branch.
            if not any(one.is_unclear for one in sent):
                raise
            if isinstance(error, RegistryError):
                self._report(error)
            raise _unconfirmed("the remote did not answer") from error

    def _try_to_commit(self, some: Sequence[_Waiting], sent: list[_Sent]) -> None:
        """Commit and answer; add to `sent` each batch that another client was faster than."""
        deadline = time.monotonic() + _LONGEST_TRY_S
        for _ in range(_MOST_TRIES):
            with self._branch.lock():
                self._catch_up()
                # A push without an answer may have arrived meanwhile. Planning it again would carry out its
                # requests twice.
                planned = next((one.planned for one in sent if self._branch.has(one.tip)), None)
                if planned is None:  # no push arrived after all
                    batch = Batch(self.state)
                    planned = self._plan(batch, some)
                    if batch.steps:
                        started = time.monotonic()
                        try:
                            self._use(self._branch.add(batch))
                            self.count_batch(len(batch.steps), time.monotonic() - started)
                        except RacedError as error:
                            sent.append(_Sent(error.tip, planned, error.is_unclear))
                            self._must_follow = True
                            if time.monotonic() > deadline:
                                break
                            continue
            self._answer(planned)
            return
        raise unavailable("other clients keep changing the branch")

    def _plan(self, batch: Batch, some: Sequence[_Waiting]) -> Sequence[_Planned]:
        return [_Planned(one, self._outcome(batch, one.request)) for one in some]

    def _outcome(self, batch: Batch, request: WriteRequest) -> Outcome:
        try:
            known = self._repeated(batch, request) if request.idempotency_key else None
            if known is not None:
                return known
            outcome = plan_write(batch, request)
        except RejectedError as error:
            return error
        if isinstance(outcome, WriteStep):
            # Added at once, because the next request of the batch must see this change.
            batch.add(outcome)
        return outcome

    def _repeated(self, batch: Batch, request: WriteRequest) -> CarriedOut | None:
        """Return what an earlier request with the same key did, or None if there was none.

        Raises RejectedError if that was another request.
        """
        key = (request.user, request.idempotency_key)
        # The same request can be twice in one batch, where the first is not yet among those that were carried
        # out.
        same_batch = (
            carried_out_by(one)
            for one in batch.steps
            if (one.request.user, one.request.idempotency_key) == key
        )
        found = next(same_batch, None) or self._carried_out.get(key, time.time())
        if found is not None and found.digest != request.digest:
            raise RejectedError(422, "the Idempotency-Key was used for another request")
        return found

    def _use(self, state: RegistryState) -> None:
        """Make a new state visible."""
        self.state = state
        # Before the clients get their answers: a client that reads next must see its own write.
        self._show(state)

    def _answer(self, planned: Sequence[_Planned]) -> None:
        """Answer requests, whose results are visible in the state now."""
        for one in planned:
            request, outcome = one.waiting.request, one.outcome
            if isinstance(outcome, WriteStep) and request.idempotency_key:
                key = (request.user, request.idempotency_key)
                self._carried_out.add(key, carried_out_by(outcome), time.time())
            if isinstance(outcome, RejectedError):
                # The tag of the state that is shown now, so that the client can try again without another
                # request.
                if outcome.status == 412 and request.id is not None:
                    tag = tag_in(self.state, request.kind, request.id)
                    outcome.headers |= {"etag": str(tag)} if tag is not None else {}
                _reject([one.waiting], outcome)
            elif not one.waiting.answer.done():
                one.waiting.answer.set_result(self._written(request, outcome))

    def _written(self, request: WriteRequest, outcome: WriteStep | Unchanged | CarriedOut) -> CompletedWrite:
        if isinstance(outcome, CarriedOut):
            tag = tag_at(self.state, outcome)
            return CompletedWrite(outcome.operation, outcome.kind, outcome.id, tag, self.state.commit)
        tag = tag_in(self.state, request.kind, outcome.id)
        return CompletedWrite(request.operation, request.kind, outcome.id, tag, self.state.commit)

    def _catch_up(self) -> None:
        """Read the branch again if it has moved. Call it inside the lock of the branch.

        Raises RejectedError while the branch is without commits that were acknowledged.
        """
        try:
            if self._must_follow:
                self._branch.follow_remote()
                self._must_follow = False
            head = self._branch.head()
            if head == self.state.commit:
                self.blocked = ""
                return
            after = self._branch.follow(self.state)
            self._remember_carried_out(after.commit, self.state.commit)
        except RemoteGoneError:
            self.blocked = _REMOTE_GONE
            raise
        except RewrittenError:
            self.blocked = _REWRITTEN
            raise unavailable(self.blocked) from None
        except (RefusedError, ProblemsError) as error:
            self.blocked = error.message
            raise unavailable(self.blocked) from error
        self.blocked = ""
        self._use(after)

    def _catch_up_quietly(self) -> None:
        self._must_follow = True
        try:
            with self._branch.lock():
                self._catch_up()
        except (RejectedError, RegistryError, OSError):
            return  # the next write reports it
        except Exception as error:  # noqa: BLE001 - the edge: a bug must not end the thread
            self._report_bug(error)


def tag_in(state: RegistryState, kind: str, number: int) -> EntityTag | None:
    """Return the entity tag of a definition, or None if it does not exist."""
    definition = state.definition(kind, number)
    if definition is None:
        return None
    newest = state.snapshot.revisions_of(definition).newest
    # The tag covers the bytes as they are sent, and answers end with a line end.
    answer = detail_bytes(state.snapshot, definition) + b"\n"
    return tag_of(newest.number if newest is not None else 0, answer)


def tag_at(state: RegistryState, request: CarriedOut) -> EntityTag | None:
    """Return the entity tag that a definition had after a request; None for a deletion."""
    snapshot, kind, number = state.snapshot, request.kind, request.id
    there = snapshot.definition(kind, number) or snapshot.tombstone(kind, number)
    revisions = snapshot.revisions_of_any(there) if there is not None else ()
    # A rewritten branch can have fewer revisions than a remembered request.
    if request.revision > len(revisions):
        return None
    revision = revisions[request.revision - 1]
    data = yaml.read_data(state.read_blob(revision.blob)) if revision.blob is not None else None
    if not isinstance(data, dict):
        return None
    return tag_of(request.revision, detail_answer_at(snapshot, kind, number, revision, revision.name, data))


def unavailable(reason: str) -> RejectedError:
    """Return the answer for a request that may succeed later: status 503."""
    return RejectedError(503, f"nothing was written: {reason}", headers={"retry-after": str(RETRY_AFTER_S)})


def _unconfirmed(reason: str) -> RejectedError:
    """Return the answer for a request that may be on the branch: status 503."""
    return RejectedError(
        503,
        f"{reason}; look for its Request-Id in the history before it is sent again",
        headers={"retry-after": str(RETRY_AFTER_S)},
    )


def _reject(some: Sequence[_Waiting], error: RejectedError) -> None:
    for one in some:
        if not one.answer.done():
            one.answer.set_exception(error)
