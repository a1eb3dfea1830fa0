"""How failed logins are slowed down: who waits how long, and what is kept in memory."""

import tracemalloc

import pytest

from registry.writes.failed_logins import (
    FORGOTTEN_AFTER_S,
    FREE_PER_ADDRESS,
    FREE_PER_USER,
    LONGEST_WAIT_S,
    FailedLogins,
)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failed(clock: Clock) -> FailedLogins:
    return FailedLogins(clock)


def fail(failed: FailedLogins, times: int, user: str = "alice", address: str = "192.0.2.1") -> None:
    for _ in range(times):
        failed.failed(user, address)


def test_the_first_failures_cause_no_wait(failed: FailedLogins) -> None:
    fail(failed, FREE_PER_USER)
    assert failed.wait_s("alice", "192.0.2.1") == 0


def test_each_further_failure_doubles_the_wait_up_to_a_minute(failed: FailedLogins, clock: Clock) -> None:
    fail(failed, FREE_PER_USER)
    waits = []
    for _ in range(9):
        fail(failed, 1)
        waits.append(failed.wait_s("alice", "192.0.2.2"))
        clock.now += waits[-1]
        assert failed.wait_s("alice", "192.0.2.2") == 0
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_WAIT_S, LONGEST_WAIT_S, LONGEST_WAIT_S]


def test_no_number_of_failures_locks_a_user_out(failed: FailedLogins, clock: Clock) -> None:
    fail(failed, 5000)
    assert failed.wait_s("alice", "192.0.2.1") == LONGEST_WAIT_S
    clock.now += LONGEST_WAIT_S
    assert failed.wait_s("alice", "192.0.2.1") == 0


def test_a_user_is_slowed_down_on_all_addresses_but_not_where_he_has_logged_in(failed: FailedLogins) -> None:
    failed.succeeded("alice", "198.51.100.7")
    for number in range(FREE_PER_USER + 1):
        fail(failed, 1, address=f"192.0.2.{number}")
    assert failed.wait_s("alice", "203.0.113.9") > 0
    assert failed.wait_s("alice", "198.51.100.7") == 0
    assert failed.wait_s("bob", "203.0.113.9") == 0


def test_users_who_share_an_address_have_more_free_failures_together(failed: FailedLogins) -> None:
    for number in range(FREE_PER_ADDRESS):
        fail(failed, 1, user=f"u{number}")
    assert failed.wait_s("other", "192.0.2.1") == 0


def test_an_address_is_slowed_down_for_all_users(failed: FailedLogins) -> None:
    for number in range(FREE_PER_ADDRESS + 1):
        fail(failed, 1, user=f"u{number}")
    assert failed.wait_s("other", "192.0.2.1") > 0
    assert failed.wait_s("other", "192.0.2.2") == 0


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("2001:db8:0:1::2", True),
        ("2001:db8:0:1:ffff::", True),
        ("2001:db8:0:2::1", False),
        ("192.0.2.1", False),
    ],
)
def test_an_ipv6_network_of_one_client_counts_as_one_address(
    failed: FailedLogins, other: str, is_same: bool
) -> None:
    for number in range(FREE_PER_ADDRESS + 1):
        fail(failed, 1, f"u{number}", f"2001:db8:0:1::{number:x}")
    assert (failed.wait_s("other", other) > 0) is is_same


def test_an_ipv4_address_in_ipv6_form_is_the_same_address(failed: FailedLogins) -> None:
    for number in range(FREE_PER_ADDRESS + 1):
        fail(failed, 1, f"u{number}", "::ffff:192.0.2.1")
    assert failed.wait_s("other", "192.0.2.1") > 0


def test_a_success_ends_the_wait_of_the_user_and_not_that_of_the_address(failed: FailedLogins) -> None:
    fail(failed, FREE_PER_ADDRESS + 1)
    failed.succeeded("alice", "192.0.2.2")
    assert failed.wait_s("alice", "192.0.2.3") == 0
    assert failed.wait_s("bob", "192.0.2.1") > 0


def test_failures_are_forgotten(failed: FailedLogins, clock: Clock) -> None:
    fail(failed, FREE_PER_USER)
    clock.now += FORGOTTEN_AFTER_S + 1
    fail(failed, FREE_PER_USER)
    assert failed.wait_s("alice", "192.0.2.9") == 0


def test_guesses_at_long_intervals_are_counted_together(failed: FailedLogins, clock: Clock) -> None:
    for _ in range(FREE_PER_USER + 1):
        clock.now += FORGOTTEN_AFTER_S - 1
        fail(failed, 1)
    assert failed.wait_s("alice", "192.0.2.9") > 0


def test_a_counter_that_is_asked_for_is_kept_longer_than_others(clock: Clock) -> None:
    most = 8
    failed = FailedLogins(clock, most)
    fail(failed, FREE_PER_USER + 1)
    for number in range(2 * most):
        assert failed.wait_s("alice", "192.0.2.9") > 0
        fail(failed, 1, f"u{number}", f"198.51.100.{number}")


def test_memory_is_bounded_also_for_long_names(clock: Clock) -> None:
    most, long = 256, "x" * 60_000
    failed = FailedLogins(clock, most)
    fail(failed, 10, user=long)
    assert failed.wait_s(long, "192.0.2.99") > 0
    tracemalloc.start()
    try:
        for number in range(2 * most):
            fail(failed, 1, f"{number}{long}", f"10.{number // 256}.0.{number % 256}")
            failed.succeeded(f"s{number}{long}", f"10.{number // 256}.0.{number % 256}")
        assert tracemalloc.get_traced_memory()[0] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert failed.wait_s(long, "192.0.2.99") == 0  # the oldest counters were dropped
