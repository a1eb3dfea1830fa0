"""The cache file holds only what this program wrote in this version, in a folder that is the registry's own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from registry.cache import cache_file
from registry.cache.cache_file import FOLDER, CacheFile


def kept_in(root: Path, *, is_tracked: bool = False) -> bool:
    """Keep one value; True when it was kept."""
    cache = CacheFile(root, is_tracked)
    try:
        return cache.keep({"answers": [("key", b"value")]})
    finally:
        cache.close()


def read_in(root: Path) -> bytes | None:
    """What a new process would read there."""
    cache = CacheFile(root)
    try:
        return cache.get("answers", "key")
    finally:
        cache.close()


def test_a_kept_value_is_read_by_the_next_process(tmp_path: Path) -> None:
    assert kept_in(tmp_path)
    assert read_in(tmp_path) == b"value"
    assert (tmp_path / ".registry/.gitignore").read_bytes() == b"*\n"


@pytest.mark.parametrize("link", [".registry", ".registry/cache"])
def test_a_linked_folder_is_neither_read_nor_written(tmp_path: Path, link: str) -> None:
    other = tmp_path / "other"
    assert kept_in(other)
    root = tmp_path / "registry"
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(other / link)
    before = sorted(path.name for path in other.rglob("*"))
    cache = CacheFile(root)
    assert cache.unused_because == f"{link} is a link"
    assert cache.get("answers", "key") is None
    assert not cache.keep({"answers": [("other", b"x")]})
    assert sorted(path.name for path in other.rglob("*")) == before
    assert read_in(other) == b"value"


def test_a_folder_that_git_tracks_is_not_used(tmp_path: Path) -> None:
    assert not kept_in(tmp_path, is_tracked=True)
    assert not (tmp_path / FOLDER).exists()


def test_a_copied_cache_is_not_believed(tmp_path: Path) -> None:
    assert kept_in(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert read_in(tmp_path / "two") is None
    assert read_in(tmp_path / "one") == b"value"


def test_values_of_another_version_are_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_in(tmp_path)
    monkeypatch.setattr(cache_file, "program_digest", lambda: "another version")
    assert read_in(tmp_path) is None


def test_a_cache_above_the_size_limit_starts_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_in(tmp_path)
    monkeypatch.setattr(cache_file, "_LARGEST_BYTES", 1)
    assert read_in(tmp_path) is None


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    assert kept_in(tmp_path)
    assert (tmp_path / FOLDER / "cache.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_process_that_ends_leaves_no_log_behind(tmp_path: Path) -> None:
    """The next process would have to read the log of SQLite before anything else."""
    program = (
        "import sys; from pathlib import Path; from registry.cache.cache_file import CacheFile;"
        "cache = CacheFile(Path(sys.argv[1])); cache.keep({'answers': [('key', b'value' * 1000)]})"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    assert [file.name for file in (tmp_path / FOLDER).iterdir()] == ["cache.sqlite"]
    assert CacheFile(tmp_path).get("answers", "key") == b"value" * 1000
