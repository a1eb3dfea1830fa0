"""Generations on disk: whole or not at all, the last three kept, nobody else's files touched."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.errors import RefusedError, UsageError
from registry.render.file import File
from registry.site import Site

FILES = [File("index.html", b"one"), File("api/a/index.json", b"{}", ("api/a.json",))]


def names(site: Site) -> list[str]:
    return sorted(entry.name for entry in site.generations.iterdir() if not entry.name.startswith("."))


def test_a_site_is_a_link_to_its_generation_and_the_last_three_stay(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    for number in range(5):
        written = site.write([[File("index.html", str(number).encode())], FILES[1:]])
        assert written.files == 3
    assert (tmp_path / "site").is_symlink()
    assert (tmp_path / "site/index.html").read_bytes() == b"4"
    assert names(site) == ["000003", "000004", "000005"]
    assert (tmp_path / "site/api/a.json").read_bytes() == b"{}"


def test_an_error_on_the_way_leaves_the_last_good_site(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.write([FILES])

    def broken() -> Iterator[File]:
        yield File("index.html", b"two")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "disk")

    for groups in ([broken()], [iter(FILES[1:]), broken()]):
        with pytest.raises(UsageError, match="No space left on device"):
            site.write(groups)
        assert (tmp_path / "site/index.html").read_bytes() == b"one"
        assert names(site) == ["000001"]


def test_a_build_that_is_killed_leaves_the_last_good_site_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.write([FILES])
    program = (
        "import os, signal, sys; from pathlib import Path; from registry.site import Site; from registry.render.file import File\n"
        "def files():\n    yield File('index.html', b'two'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "Site(Path(sys.argv[1])).write([files()])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "site")], check=False)
    assert done.returncode == -9
    assert (tmp_path / "site/index.html").read_bytes() == b"one"
    assert names(site) == ["000001", "000002.partial"]
    site.write([[File("index.html", b"three")]])
    assert (tmp_path / "site/index.html").read_bytes() == b"three"
    assert names(site) == ["000001", "000002"]


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/mine.txt").write_text("mine")
    with pytest.raises(RefusedError, match="was not made by"):
        Site(tmp_path / "site").write([FILES])
    (tmp_path / "other").symlink_to(tmp_path / "site")
    with pytest.raises(RefusedError, match="is a link that"):
        Site(tmp_path / "other").write([FILES])
    assert (tmp_path / "site/mine.txt").read_text() == "mine"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    Site(tmp_path / "site").write([FILES])
    assert (tmp_path / "site/index.html").exists()


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        Site(tmp_path / "file/site").write([FILES])


def test_a_web_server_that_is_another_user_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        Site(tmp_path / "site").write([FILES])
    finally:
        os.umask(before)
    for path in (tmp_path / "site").resolve().rglob("*"):
        assert path.stat().st_mode & stat.S_IROTH


def test_two_files_for_one_address_are_never_written_over_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File exists"):
        Site(tmp_path / "site").write([[File("a", b"1"), File("a", b"2")]])
