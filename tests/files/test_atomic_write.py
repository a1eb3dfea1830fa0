"""Results are written to files, devices and named pipes; only files are replaced."""

import os
from pathlib import Path

import pytest

from registry.errors import UsageError
from registry.files.atomic_write import replace_file, write_output


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_named_pipe_gets_the_result(pipe: Path) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_output(pipe, b"result")
        assert os.read(reader, 100) == b"result"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_link_stays_and_its_target_gets_the_result(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_output(tmp_path / "link", b"result")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"result"


def test_a_named_pipe_is_never_replaced(pipe: Path) -> None:
    with pytest.raises(UsageError, match="pipe is not a regular file"):
        replace_file(pipe, b"state")
    assert pipe.is_fifo()
    assert [one.name for one in pipe.parent.iterdir()] == ["pipe"]


def test_a_folder_is_not_replaced_by_a_result(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_output(tmp_path, b"result")
