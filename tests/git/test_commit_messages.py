"""Commit messages: stored once for each commit, and shown with their subject and a bounded body."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.cache.build_cache import BuildCache
from registry.cache.cache_file import CacheFile
from registry.git.log import MOST_BODY, MOST_SUBJECT, shown_message
from registry.load.source import open_source
from registry.pipeline import build
from registry.site import Site
from tests.support.repo import RepoBuilder


@given(st.text(max_size=3000), st.text(st.sampled_from("aé€😀\n "), max_size=3000))
@settings(deadline=None, max_examples=50)
def test_of_any_message_a_bounded_part_is_shown(subject: str, body: str) -> None:
    written = f"{subject}\n{body}".strip("\n")
    shown = shown_message(written)
    first, _, rest = shown.partition("\n")
    assert len(first.encode()) <= MOST_SUBJECT
    assert len(rest.encode()) <= MOST_BODY
    assert first == written.partition("\n")[0] or first.endswith("…")
    assert rest == written.partition("\n")[2] or rest.endswith("…")


@pytest.mark.parametrize(
    "message", ["", "fix", "fix\n\nbecause", "s" * MOST_SUBJECT + "\n" + "b" * MOST_BODY]
)
def test_a_message_that_fits_is_shown_whole(message: str) -> None:
    assert shown_message(f"{message}\n") == message


def test_a_long_message_of_a_commit_that_adds_many_definitions_is_stored_once(
    repo: RepoBuilder, tmp_path: Path
) -> None:
    for number in range(100):
        repo.define(f"d{number}")
    message = tmp_path / "message"
    message.write_text("Add a hundred\n\nReasons: " + "long, " * 20_000)
    repo.git("add", "-A")
    repo.git("commit", "-q", "-F", str(message))
    site = Site(tmp_path / "site")
    assert build(open_source(repo.root), site, cache=BuildCache(CacheFile(repo.root))).snapshot is not None
    histories = b"".join(CacheFile(repo.root).all_of("histories").values())
    assert histories.count(b"Add a hundred") == 1
    assert len(histories) < 100_000
    answer = orjson.loads((site.out / "api/process_definition/by-name/d7/index.json").read_bytes())
    assert answer["revision"]["message"].startswith("Add a hundred\n\nReasons: long, long")
    assert len(answer["revision"]["message"]) < MOST_BODY + 20
    page = (site.out / "process_definition/d7/index.html").read_text()
    assert "Add a hundred" in page
    assert len(page) < 50_000
