"""Results are written to files, devices and named pipes; only files are replaced."""

import os
from pathlib import Path

import pytest

from registry.errors import RefusedError, UsageError
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


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_to_a_file_is_refused(tmp_path: Path, is_there: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if is_there:
        target.write_bytes(b"other")
    link.symlink_to("target")
    with pytest.raises(RefusedError, match="link is a link"):
        write_output(link, b"result")
    assert link.is_symlink()
    assert target.exists() == is_there
    assert not is_there or target.read_bytes() == b"other"


def test_a_link_to_a_named_pipe_leads_to_it(pipe: Path) -> None:
    link = pipe.with_name("link")
    link.symlink_to("pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_output(link, b"result")
        assert os.read(reader, 100) == b"result"
    finally:
        os.close(reader)
    assert link.is_symlink()


def test_a_named_pipe_is_never_replaced(pipe: Path) -> None:
    with pytest.raises(UsageError, match="pipe is not a regular file"):
        replace_file(pipe, b"state")
    assert pipe.is_fifo()
    assert [one.name for one in pipe.parent.iterdir()] == ["pipe"]


def test_a_folder_is_not_replaced_by_a_result(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_output(tmp_path, b"result")
