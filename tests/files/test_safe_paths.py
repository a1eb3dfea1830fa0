"""Only plain files of the current user with one name count as written by this program."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.files.atomic_write import replace_file
from registry.files.safe_paths import create_new, is_own_file_or_missing


@pytest.fixture
def umask() -> Iterator[None]:
    """The usual umask, whatever the tests run under."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_plain_file_is_own(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert is_own_file_or_missing(tmp_path / "a")
    assert is_own_file_or_missing(tmp_path / "missing")
    assert not is_own_file_or_missing(tmp_path)


def test_a_file_with_a_second_name_is_not_own(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert not is_own_file_or_missing(tmp_path / "a")


def test_a_link_is_not_own(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").symlink_to("a")
    assert not is_own_file_or_missing(tmp_path / "b")


def test_a_file_of_another_user_is_not_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").touch()
    another = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: another)
    assert not is_own_file_or_missing(tmp_path / "a")


@pytest.mark.usefixtures("umask")
def test_a_new_file_gets_what_the_umask_leaves(tmp_path: Path) -> None:
    create_new(tmp_path / "a", b"")
    create_new(tmp_path / "b", b"", 0o600)
    replace_file(tmp_path / "c", b"")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "abc"] == [0o644, 0o600, 0o644]


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_a_replaced_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(mode)
    replace_file(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", mode)
