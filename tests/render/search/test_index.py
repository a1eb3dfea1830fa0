"""The index of a search, continued from one state of a registry to the next."""

import random
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from registry.load.source import open_source
from registry.pipeline import snapshot_of
from registry.render.search import SearchIndex
from registry.render.target import files_by_path
from registry.snapshot import Snapshot
from tests.support.repo import RepoBuilder

WORDS = ["alpha", "beta", "gamma", "delta", "品質検査", "alphabet", "bet"]


@pytest.fixture(autouse=True)
def _small_runs() -> Iterator[None]:
    """Few definitions fill many files."""
    with (
        patch("registry.render.search.index._IN_ONE_RUN", 3),
        patch("registry.render.search.index.MOST_ROWS_IN_ONE_FILE", 6),
    ):
        yield


def _snapshot(repo: RepoBuilder) -> Snapshot:
    snapshot, problems = snapshot_of(open_source(repo.root))
    assert snapshot is not None, problems
    return snapshot


def _files(index: SearchIndex) -> dict[str, bytes]:
    return {path: body for target in index.targets() for path, body in files_by_path(target.make())}


def test_a_continued_index_has_the_same_files_as_a_new_one(tmp_path: Path) -> None:
    numbers = random.Random(7)
    repo = RepoBuilder(tmp_path / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    ids = iter(range(1, 100))
    there = {f"d{number}": next(ids) for number in range(8)}

    def define(name: str) -> None:
        title = " ".join(numbers.sample(WORDS, 2))
        tag = numbers.choice(["one", "two"])
        repo.define(name, f"id: {there[name]}\ntitle: {title}\ntags: [{tag}]\ndefinition: {{exec: /bin/x}}\n")

    for name in there:
        define(name)
    before = _snapshot(repo)
    index = SearchIndex(before)
    for step in range(12):
        changed = numbers.sample([*there], min(len(there), 2))
        gone, edited = changed[:-1], changed[-1:]
        if step < 3:  # until one file holds all rows
            gone, edited = changed, []
        for name in gone:
            (repo.root / f"definitions/process_definition/{name}.yaml").unlink()
            del there[name]
        added = [f"new{step}", f"more{step}"] if step > 3 else []
        there |= {name: next(ids) for name in added}
        for name in (*edited, *added):
            define(name)
        after = _snapshot(repo)
        places = [("process_definition", name) for name in (*changed, *added)]
        index = index.after(after, {place: before.by_name.get(place) for place in places})
        assert _files(index) == _files(SearchIndex(after)), step
        before = after


def test_only_the_runs_of_changed_definitions_are_read_again(tmp_path: Path) -> None:
    repo = RepoBuilder(tmp_path / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    for number in range(1, 20):
        repo.define(f"d{number}", f"id: {number}\ntitle: Number {number}\ndefinition: {{exec: /bin/x}}\n")
    before = _snapshot(repo)
    index = SearchIndex(before)
    repo.define("d7", "id: 7\ntitle: Seventh\ndefinition: {exec: /bin/x}\n")
    after, place = _snapshot(repo), ("process_definition", "d7")
    with patch.object(SearchIndex, "_read", autospec=True, side_effect=SearchIndex._read) as read:
        found = index.after(after, {place: before.by_name[place]})
    assert [[one.definition.id for one in call.args[1]] for call in read.call_args_list] == [[6, 7, 8]]
    assert "seventh" in found.terms("se")
