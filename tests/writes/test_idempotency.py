"""How long requests with an `Idempotency-Key` are remembered, and what is read from commit messages."""

from registry.writes.idempotency import KEPT_S, CarriedOut, CarriedOutRequests
from registry.writes.requests import Operation

DONE = CarriedOut("digest", Operation.ADD, "process_definition", 3, 1)
LINE = "Idempotency-Key: key alice add process_definition/3/1 digest"


def test_a_key_can_be_used_again_after_a_day() -> None:
    kept = CarriedOutRequests()
    kept.add(("alice", "key"), DONE, when=1000.0)
    assert kept.get(("alice", "key"), now=1000.0 + KEPT_S) == DONE
    assert kept.get(("alice", "key"), now=1001.0 + KEPT_S) is None
    assert kept.get(("bob", "key"), now=1000.0) is None


def test_keys_in_commit_messages_count_from_the_time_of_the_commit() -> None:
    kept = CarriedOutRequests()
    kept.add_messages([(1000, f"Add a\n\nRequest-Id: r\n{LINE}\n"), (1001, "Edit by hand\n")])
    assert kept.get(("alice", "key"), now=1000.0 + KEPT_S) == DONE
    assert kept.get(("alice", "key"), now=1001.0 + KEPT_S) is None


def test_lines_that_are_written_by_hand_are_left_out() -> None:
    kept = CarriedOutRequests()
    lines = [
        LINE.replace("add", "invent"),
        LINE.replace("/3/", "/three/"),
        LINE.replace("/1 ", " "),
        f"{LINE} more",
        f"> {LINE}",
    ]
    kept.add_messages([(1000, "\n".join(lines))])
    assert kept.get(("alice", "key"), now=1000.0) is None
