"""Facts of files: every write shows in them, or they do not count as settled."""

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from registry.load.file_stats import UNREADABLE, FileStats, facts_of, is_settled, scan

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
# A time stamp with parts of a second, as file systems with fine steps give.
FINE = 1_700_000_000 * SECOND + 123_456_789
# One of a file system that stores whole seconds, or even numbers of seconds.
COARSE = 1_700_000_000 * SECOND


@pytest.mark.parametrize(
    ("written", "age", "settled"),
    [
        (FINE, 0, False),
        (FINE, 40 * MILLISECOND, False),
        (FINE, 60 * MILLISECOND, True),
        (FINE, -SECOND, False),  # from the future
        (COARSE, 60 * MILLISECOND, False),
        (COARSE, 2 * SECOND, False),
        (COARSE, 2 * SECOND + 200 * MILLISECOND, True),
    ],
)
def test_a_file_is_settled_when_a_further_write_would_show(written: int, age: int, settled: bool) -> None:
    assert is_settled(written, written + age) is settled
    stats = FileStats({"old": (1, FINE - 9 * SECOND, 0, 1), "new": (1, written, 0, 2)}, written + age)
    assert stats.is_settled is settled


def status(**changes: int) -> Any:
    """What `stat` gives for a plain file."""
    return SimpleNamespace(
        **{
            "st_mode": stat.S_IFREG | 0o644,
            "st_size": 10,
            "st_mtime_ns": 1,
            "st_ctime_ns": 2,
            "st_ino": 3,
            **changes,
        }
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"st_size": 11},
        {"st_mtime_ns": 9},
        {"st_ctime_ns": 9},
        {"st_ino": 9},
        {"st_mode": stat.S_IFLNK | 0o777},
        {"st_mode": stat.S_IFIFO | 0o644},
    ],
)
def test_each_fact_tells_two_states_of_a_path_apart(changes: dict[str, int]) -> None:
    assert facts_of(status(**changes)) != facts_of(status())


def test_a_write_that_keeps_size_and_time_shows(tmp_path: Path) -> None:
    path = tmp_path / "definitions/a.yaml"
    path.parent.mkdir()
    path.write_text("one")
    os.utime(path, ns=(COARSE, COARSE))
    before = scan(tmp_path)
    path.write_text("two")
    os.utime(path, ns=(COARSE, COARSE))
    after = scan(tmp_path)
    assert after.facts["definitions/a.yaml"][:2] == before.facts["definitions/a.yaml"][:2]
    assert after.changed_since(before) == {"definitions/a.yaml"}
    assert after.digest != before.digest


def test_files_that_come_and_go_are_changed(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples/a").touch()
    before = scan(tmp_path)
    (tmp_path / "samples/a").rename(tmp_path / "samples/b")
    assert scan(tmp_path).changed_since(before) == {"samples/a", "samples/b"}


@pytest.mark.skipif(os.getuid() == 0, reason="root can read every folder")
def test_a_folder_without_permission_is_a_fact(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir(mode=0)
    assert scan(tmp_path).facts == {"samples": UNREADABLE}
