"""Login with tokens and passwords: who gets in, what it costs, and how guessing is slowed down."""

import asyncio
import base64
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import argon2
import pytest

from registry.writes.failed_logins import FREE_PER_USER, LONGEST_WAIT_S, FailedLogins
from registry.writes.login import MOST_WAITING, VERIFIED_FOR_S, Authenticator, Failure
from registry.writes.passwords import CannotVerifyError, Passwords
from registry.writes.users import (
    Principal,
    Token,
    User,
    document_of_token,
    document_of_user,
    new_token,
    sha256_of,
)
from registry.writes.users_file import Changes, UsersFile, edit_users_file
from tests.support.waiting import PATIENCE_S

ADDRESS = "192.0.2.1"
PASSWORD = "correct horse: battery é"


class CheapPasswords(Passwords):
    """Passwords with the lowest cost, and a count of the verifications."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_kib=8, parallelism=1)
        self.verified = 0

    def matches(self, stored: str | None, password: str) -> bool:
        self.verified += 1
        return super().matches(stored, password)


CHEAP = CheapPasswords()
ALICE = User("alice", "alice@example.org", "Alice", CHEAP.hash(PASSWORD), {"read": ("/",)})
TOKEN = new_token()


@dataclass
class Setup:
    """An authenticator with a users file, a clock and a time that a test moves."""

    path: Path
    passwords: CheapPasswords
    seconds: float = 1000.0
    now: datetime = datetime(2027, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        file = UsersFile(self.path, lambda error: pytest.fail(error.message))
        failed = FailedLogins(lambda: self.seconds)
        self.authenticator = Authenticator(
            file, self.passwords, failed, lambda: self.seconds, lambda: self.now
        )

    async def ask(self, header: str | None, address: str = ADDRESS) -> Principal | Failure:
        return await self.authenticator.authenticate(header, address)

    def login(self, header: str | None, address: str = ADDRESS) -> Principal | Failure:
        return asyncio.run(self.ask(header, address))

    def change(self, **entries: dict[str, Any]) -> None:
        edit_users_file(self.path, lambda _: {("users", name): entry for name, entry in entries.items()})


def basic(name: str, password: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode(encoding)).decode()


def user_of(found: Principal | Failure) -> str:
    assert isinstance(found, Principal), found
    return found.user.name


def status_of(found: Principal | Failure) -> int:
    assert isinstance(found, Failure), found
    return found.status


def write_users(path: Path, expires: datetime | None = None) -> None:
    token = Token("ci", "alice", sha256_of(TOKEN), expires, None)
    entries: Changes = {
        ("users", "alice"): document_of_user(ALICE),
        ("users", "bob"): document_of_user(replace(ALICE, name="bob", password=None)),
        ("tokens", "ci"): document_of_token(token),
    }
    edit_users_file(path, lambda _: entries, creates=True)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    write_users(tmp_path / "users.yaml")
    return Setup(tmp_path / "users.yaml", CheapPasswords())


class TestPasswords:
    def test_the_right_password(self, setup: Setup) -> None:
        found = setup.login(basic("alice", PASSWORD))
        assert user_of(found) == "alice"
        assert isinstance(found, Principal)
        assert found.token is None

    @pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic "])
    def test_the_scheme_is_in_any_case(self, setup: Setup, scheme: str) -> None:
        assert user_of(setup.login(basic("alice", PASSWORD).replace("Basic", scheme))) == "alice"

    @pytest.mark.parametrize(
        "header",
        [
            basic("alice", PASSWORD, "latin-1"),
            basic("alice", PASSWORD.replace("é", "e\u0301")),
        ],
        ids=["latin-1", "decomposed"],
    )
    def test_the_encodings_that_clients_send(self, setup: Setup, header: str) -> None:
        assert user_of(setup.login(header)) == "alice"

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic é",
            "Basic YWxpY2U",
            "Basic " + base64.b64encode(b"alice").decode(),
            basic("alice", ""),
            basic("alice", "wrong"),
            basic("alice", f"{PASSWORD} "),
            basic("alice", "x" * 5000),
            basic("Alice", PASSWORD),
            basic("", PASSWORD),
            basic("nosuch", PASSWORD),
            basic("bob", PASSWORD),
            basic("bob", "None"),
            basic("alice", ALICE.password or ""),
            basic("x" * 5000, PASSWORD),
            basic("alice\0", PASSWORD),
            "Digest username=alice",
            "Bearer",
            "Bearer ",
            f"Bearer {PASSWORD}",
            f"Bearer {new_token()}",
            f"Bearer {sha256_of(TOKEN)}",
            basic("alice", new_token()),
            f"Token {TOKEN}",
            TOKEN,
        ],
        ids=lambda _: "header",
    )  # fmt: skip
    def test_anything_else_is_401_with_a_challenge(self, setup: Setup, header: str | None) -> None:
        found = setup.login(header)
        assert isinstance(found, Failure)
        assert (found.status, dict(found.headers)) == (401, {"www-authenticate": 'Basic realm="registry"'})
        assert found.message
        assert "\n" not in found.message

    def test_a_known_and_an_unknown_user_get_the_same_answer_at_the_same_cost(
        self, setup: Setup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        costs = []
        verify = argon2.PasswordHasher.verify

        def recording(self: argon2.PasswordHasher, stored: Any, password: Any) -> Any:
            costs.append((argon2.extract_parameters(stored), len(stored)))
            return verify(self, stored, password)

        monkeypatch.setattr(argon2.PasswordHasher, "verify", recording)
        answers = [
            setup.login(basic(name, "wrong"), f"192.0.2.{i}") for i, name in enumerate(["alice", "bob", "x"])
        ]
        assert answers[0] == answers[1] == answers[2]
        assert len(costs) == 3
        assert costs[0] == costs[1] == costs[2]

    def test_the_default_cost(self) -> None:
        found = argon2.extract_parameters(Passwords().hash(PASSWORD))
        assert (found.type, found.time_cost, found.memory_cost, found.parallelism) == (
            argon2.Type.ID,
            2,
            19 * 1024,
            1,
        )

    def test_each_hash_has_a_salt_of_its_own(self) -> None:
        assert CHEAP.hash(PASSWORD) != CHEAP.hash(PASSWORD)

    def test_a_password_that_cannot_be_verified_is_503_and_no_failure(
        self, setup: Setup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(stored: str | None, password: str) -> bool:
            raise CannotVerifyError

        with monkeypatch.context() as patched:
            patched.setattr(setup.passwords, "matches", fails)
            for _ in range(FREE_PER_USER + 2):
                found = setup.login(basic("alice", PASSWORD))
                assert (status_of(found), "retry-after" in found.headers) == (503, True)  # type: ignore[union-attr]
        assert user_of(setup.login(basic("alice", PASSWORD))) == "alice"


class TestMemory:
    """Verified headers are remembered."""

    def test_for_five_minutes(self, setup: Setup) -> None:
        for _ in range(3):
            assert user_of(setup.login(basic("alice", PASSWORD))) == "alice"
        assert setup.passwords.verified == 1
        setup.seconds += VERIFIED_FOR_S - 1
        setup.login(basic("alice", PASSWORD))
        assert setup.passwords.verified == 1
        setup.seconds += 2
        setup.login(basic("alice", PASSWORD))
        assert (setup.passwords.verified, VERIFIED_FOR_S) == (2, 300)

    def test_until_the_password_changes(self, setup: Setup) -> None:
        setup.login(basic("alice", PASSWORD))
        setup.change(alice=document_of_user(replace(ALICE, password=CHEAP.hash("new password"))))
        assert status_of(setup.login(basic("alice", PASSWORD))) == 401
        assert user_of(setup.login(basic("alice", "new password"))) == "alice"

    def test_until_the_user_is_removed(self, setup: Setup) -> None:
        setup.login(basic("alice", PASSWORD))
        edit_users_file(setup.path, lambda _: {("users", "alice"): None, ("tokens", "ci"): None})
        assert status_of(setup.login(basic("alice", PASSWORD))) == 401
        assert status_of(setup.login(f"Bearer {TOKEN}")) == 401

    def test_new_rights_count_at_once(self, setup: Setup) -> None:
        setup.login(basic("alice", PASSWORD))
        setup.change(alice=document_of_user(replace(ALICE, rights={"write": ("/",)})))
        found = setup.login(basic("alice", PASSWORD))
        assert isinstance(found, Principal)
        assert dict(found.user.rights) == {"write": ("/",)}

    def test_a_wrong_password_is_not_remembered(self, setup: Setup) -> None:
        setup.login(basic("alice", "wrong"))
        setup.login(basic("alice", "wrong"))
        assert setup.passwords.verified == 2

    def test_a_change_during_a_verification_counts(self, setup: Setup) -> None:
        matches = setup.passwords.matches

        def slow(stored: str | None, password: str) -> bool:
            found = matches(stored, password)
            setup.change(alice=document_of_user(replace(ALICE, password=CHEAP.hash("new password"))))
            return found

        setup.passwords.matches = slow  # type: ignore[method-assign]
        assert status_of(setup.login(basic("alice", PASSWORD))) == 401
        setup.passwords.matches = matches  # type: ignore[method-assign]
        assert status_of(setup.login(basic("alice", PASSWORD))) == 401


class TestTokens:
    @pytest.mark.parametrize(
        "header",
        [
            f"Bearer {TOKEN}",
            f"bearer  {TOKEN} ",
            basic("alice", TOKEN),
            basic("anything", TOKEN),
            basic("", TOKEN),
        ],
        ids=["Bearer", "bearer", "own name", "other name", "no name"],
    )
    def test_a_token_is_sent_as_bearer_or_as_the_password(self, setup: Setup, header: str) -> None:
        found = setup.login(header)
        assert user_of(found) == "alice"
        assert isinstance(found, Principal)
        assert found.token is not None
        assert found.token.name == "ci"
        assert setup.passwords.verified == 0

    def test_a_token_expires(self, tmp_path: Path) -> None:
        end = datetime(2027, 2, 28, 12, tzinfo=UTC)
        write_users(tmp_path / "users.yaml", end)
        setup = Setup(tmp_path / "users.yaml", CheapPasswords(), now=end - timedelta(seconds=1))
        assert user_of(setup.login(f"Bearer {TOKEN}")) == "alice"
        setup.now = end
        found = setup.login(f"Bearer {TOKEN}")
        assert isinstance(found, Failure)
        assert (found.status, found.message) == (401, "the token ci expired at 2027-02-28T12:00:00Z")

    def test_a_removed_token_is_refused_at_once(self, setup: Setup) -> None:
        assert user_of(setup.login(f"Bearer {TOKEN}")) == "alice"
        edit_users_file(setup.path, lambda _: {("tokens", "ci"): None})
        assert status_of(setup.login(f"Bearer {TOKEN}")) == 401

    def test_tokens_are_never_slowed_down(self, setup: Setup) -> None:
        for _ in range(FREE_PER_USER + 30):
            setup.login(basic("alice", "wrong"))
            setup.login(f"Bearer {new_token()}")
        assert status_of(setup.login(basic("alice", PASSWORD))) == 429
        assert user_of(setup.login(f"Bearer {TOKEN}")) == "alice"


class TestSlowingDown:
    def test_after_a_few_failures_the_answer_is_429_without_a_verification(self, setup: Setup) -> None:
        for _ in range(FREE_PER_USER + 1):
            assert status_of(setup.login(basic("alice", "wrong"))) == 401
        before = setup.passwords.verified
        for password in ("wrong", PASSWORD):
            found = setup.login(basic("alice", password))
            assert isinstance(found, Failure)
            assert (found.status, dict(found.headers)) == (429, {"retry-after": "1"})
        assert setup.passwords.verified == before

    def test_a_user_who_waits_gets_in(self, setup: Setup) -> None:
        for _ in range(50):
            setup.login(basic("alice", "wrong"))
            setup.seconds += LONGEST_WAIT_S
        assert user_of(setup.login(basic("alice", PASSWORD))) == "alice"
        assert user_of(setup.login(basic("alice", PASSWORD))) == "alice"

    def test_a_remembered_login_goes_on_during_an_attack(self, setup: Setup) -> None:
        setup.login(basic("alice", PASSWORD))
        for _ in range(FREE_PER_USER + 1):
            setup.login(basic("alice", "wrong"))
        assert user_of(setup.login(basic("alice", PASSWORD))) == "alice"

    def test_failures_from_elsewhere_do_not_stop_a_known_address(self, setup: Setup) -> None:
        setup.login(basic("alice", PASSWORD), "198.51.100.7")
        setup.seconds += VERIFIED_FOR_S + 1
        for number in range(FREE_PER_USER + 1):
            setup.login(basic("alice", "wrong"), f"192.0.2.{number}")
        assert status_of(setup.login(basic("alice", PASSWORD), "203.0.113.1")) == 429
        assert user_of(setup.login(basic("alice", PASSWORD), "198.51.100.7")) == "alice"

    def test_parallel_guesses_are_slowed_down_like_others(self, setup: Setup) -> None:
        async def guess_all() -> list[int]:
            guesses = [setup.ask(basic("alice", f"guess {number}")) for number in range(100)]
            return [status_of(one) for one in await asyncio.gather(*guesses)]

        statuses = asyncio.run(guess_all())
        assert set(statuses) == {401, 429}
        assert statuses.count(401) <= FREE_PER_USER + 2  # two are verified at the same time
        assert setup.passwords.verified == statuses.count(401)


class Gate:
    """Verifications that wait until the test opens the gate."""

    def __init__(self, passwords: CheapPasswords) -> None:
        self.is_open = threading.Event()
        self.now, self.most = 0, 0
        self._lock = threading.Lock()
        self._matches = passwords.matches
        passwords.matches = self.matches  # type: ignore[method-assign]

    def matches(self, stored: str | None, password: str) -> bool:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.is_open.wait(PATIENCE_S)
        with self._lock:
            self.now -= 1
        return self._matches(stored, password)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.005)


class TestParallelLogins:
    def test_at_most_two_verifications_run_and_tokens_do_not_wait_for_them(self, setup: Setup) -> None:
        gate = Gate(setup.passwords)

        async def attack() -> list[Principal | Failure]:
            tasks = [
                asyncio.create_task(setup.ask(basic(f"u{number}", "wrong"), f"10.0.0.{number}"))
                for number in range(20)
            ]
            await until(lambda: gate.now == 2)
            assert user_of(await setup.ask(f"Bearer {TOKEN}")) == "alice"
            assert not any(task.done() for task in tasks)
            gate.is_open.set()
            return await asyncio.gather(*tasks)

        assert {status_of(one) for one in asyncio.run(attack())} == {401}
        assert gate.most == 2

    def test_equal_requests_share_one_verification(self, setup: Setup) -> None:
        async def ask_all() -> list[Principal | Failure]:
            return await asyncio.gather(*(setup.ask(basic("alice", PASSWORD)) for _ in range(64)))

        assert {user_of(one) for one in asyncio.run(ask_all())} == {"alice"}
        assert setup.passwords.verified == 1

    def test_equal_guesses_of_several_addresses_are_counted_each(self, setup: Setup) -> None:
        async def guess_all() -> list[Principal | Failure]:
            guesses = [setup.ask(basic("alice", "guess"), f"10.0.0.{n}") for n in range(FREE_PER_USER + 1)]
            return await asyncio.gather(*guesses)

        assert {status_of(one) for one in asyncio.run(guess_all())} == {401}
        assert status_of(setup.login(basic("alice", PASSWORD))) == 429

    def test_a_client_that_disconnects_does_not_cancel_the_login_of_another(self, setup: Setup) -> None:
        gate = Gate(setup.passwords)

        async def ask_twice() -> Principal | Failure:
            first = asyncio.create_task(setup.ask(basic("alice", PASSWORD)))
            second = asyncio.create_task(setup.ask(basic("alice", PASSWORD)))
            await until(lambda: gate.now == 1)
            first.cancel()
            gate.is_open.set()
            return await second

        assert user_of(asyncio.run(ask_twice())) == "alice"

    def test_too_many_waiting_logins_are_503(self, setup: Setup) -> None:
        gate = Gate(setup.passwords)

        async def ask_all() -> list[Principal | Failure]:
            tasks = [
                asyncio.create_task(setup.ask(basic(f"u{number}", "wrong"), f"10.0.0.{number}"))
                for number in range(MOST_WAITING + 3)
            ]
            await until(lambda: sum(task.done() for task in tasks) == 3)
            gate.is_open.set()
            return await asyncio.gather(*tasks)

        found = asyncio.run(ask_all())
        refused = [one for one in found if isinstance(one, Failure) and one.status == 503]
        assert [dict(one.headers) for one in refused] == [{"retry-after": "1"}] * 3
        assert status_of(setup.login(basic("u", "wrong"))) == 401  # the others are no longer waiting

    @pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory from /proc")
    def test_100_parallel_bad_logins_at_the_full_cost_take_less_than_100_mb(self, setup: Setup) -> None:
        done = subprocess.run(
            [sys.executable, "-c", ATTACK, str(setup.path), TOKEN],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        statuses, before_kib, peak_kib = done.stdout.split()
        assert statuses == "401" * 100
        assert int(peak_kib) - int(before_kib) < 100 * 1024


ATTACK = """
import asyncio, base64, sys
from pathlib import Path
from registry.writes.login import Authenticator
from registry.writes.passwords import Passwords
from registry.writes.users import Principal
from registry.writes.users_file import UsersFile

def memory(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])

async def main():
    authenticator = Authenticator(UsersFile(Path(sys.argv[1]), print), Passwords())
    before = memory("VmRSS")
    tasks = []
    for number in range(100):
        header = "Basic " + base64.b64encode(f"u{number}:wrong".encode()).decode()
        tasks.append(asyncio.create_task(authenticator.authenticate(header, f"10.0.0.{number}")))
    await asyncio.sleep(0)
    assert isinstance(await authenticator.authenticate(f"Bearer {sys.argv[2]}", "10.0.0.1"), Principal)
    assert not all(task.done() for task in tasks)
    found = await asyncio.gather(*tasks)
    print("".join(str(one.status) for one in found), before, memory("VmHWM"))

asyncio.run(main())
"""


class TestProxies:
    def test_a_user_named_by_a_proxy(self, setup: Setup) -> None:
        assert user_of(setup.authenticator.principal_of("bob")) == "bob"

    @pytest.mark.parametrize("name", ["nosuch", "", "Alice", "alice\u00e9"])
    def test_an_unknown_user_is_403(self, setup: Setup, name: str) -> None:
        assert status_of(setup.authenticator.principal_of(name)) == 403
