"""The cache's one verb: what is stored for a digest is not computed again, with a file and without."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache, Table
from registry.cache.cache_file import CacheFile
from registry.load.source import open_source
from registry.pipeline import build, snapshot_of
from registry.site import Site
from tests.support.repo import RepoBuilder

NUMBERS: Table[int] = Table("findings", lambda value: value, int)
TEXTS: Table[bytes] = Table("answers", bytes, bytes, in_pieces=False)


@pytest.fixture(params=["file", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> BuildCache:
    return BuildCache(CacheFile(tmp_path) if request.param == "file" else None)


class Computing:
    """Computes the length of a key, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def numbers(self, keys: Sequence[str]) -> dict[str, int]:
        self.asked = [*keys]
        return {key: len(key) for key in keys}

    def texts(self, keys: Sequence[str]) -> dict[str, bytes]:
        self.asked = [*keys]
        return {key: key.encode() for key in keys}


def test_only_what_changed_is_computed(cache: BuildCache) -> None:
    computing = Computing()
    assert cache.get_or_compute(NUMBERS, {"a": "1", "bb": "1"}, computing.numbers) == {"a": 1, "bb": 2}
    assert cache.get_or_compute(NUMBERS, {"a": "1", "bb": "2", "c": "1"}, computing.numbers) == {
        "a": 1,
        "bb": 2,
        "c": 1,
    }
    assert computing.asked == ["bb", "c"]
    assert cache.get_or_compute(TEXTS, {"t": "1"}, computing.texts) == {"t": b"t"}
    assert cache.get(TEXTS, "t", "1") == b"t"
    assert cache.get(TEXTS, "t", "2") is None


def test_another_version_computes_everything(cache: BuildCache) -> None:
    computing = Computing()
    cache.get_or_compute(NUMBERS, {"a": "1"}, computing.numbers, version="x")
    cache.get_or_compute(NUMBERS, {"a": "1"}, computing.numbers, version="y")
    assert computing.asked == ["a"]


def test_without_a_digest_nothing_is_stored(cache: BuildCache) -> None:
    computing = Computing()
    for _ in range(2):
        computing.asked = []
        assert cache.get_or_compute(NUMBERS, {"a": ""}, computing.numbers) == {"a": 1}
        assert computing.asked == ["a"]


def test_keys_come_latest_first_and_can_be_forgotten(cache: BuildCache) -> None:
    for key in ("one", "two", "one"):
        cache.put(TEXTS, {key: "1"}, {key: key.encode()})
    assert cache.keys(TEXTS) == ["one", "two"]
    cache.forget(TEXTS, ["one"])
    assert cache.keys(TEXTS) == ["two"]


def test_without_a_file_uncommitted_documents_are_found_again(repo: RepoBuilder) -> None:
    repo.define("a", "title: Kept\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    cache = BuildCache()
    for _ in range(2):
        snapshot, _ = snapshot_of(open_source(repo.root), cache=cache)
        assert snapshot is not None
        assert snapshot.definitions[0].data["title"] == "Kept"


def test_answers_of_two_kinds_never_mix_when_processes_share_the_work(
    repo: RepoBuilder, tmp_path: Path
) -> None:
    for number in range(60):
        repo.define(
            f"p{number}",
            f"id: {number + 1}\ntitle: P{number}\nowners: [t]\ndefinition: {{exec: /bin/p{number}}}\n",
        )
        mappings = "{hotel: {iaas_image: x, iaas_allocation: small}}"
        text = f"id: {number + 1}\ntitle: A{number}\nowners: [t]\ndefinition: {{mappings: {mappings}}}\n"
        repo.define(f"a{number}", text, kind="application")
    repo.commit("start")
    site = Site(tmp_path / "site")
    assert build(open_source(repo.root), site, from_nothing=True).snapshot is not None
    for kind in ("process_definition", "application"):
        lines = (site.out / f"api/{kind}/all.ndjson").read_bytes().splitlines()
        assert lines == [
            (site.out / f"api/{kind}/{number}.json").read_bytes().strip() for number in range(1, 61)
        ]
