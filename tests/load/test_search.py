"""Which definitions are read because a change may concern them."""

import pytest

from registry.git import open_repository
from registry.load.search import paths_with
from registry.load.source import open_source
from registry.load.yaml import MAX_BYTES
from tests.support.repo import RepoBuilder

FOLDER = "definitions/process_definition"


@pytest.mark.parametrize("revision", ["worktree", "HEAD"])
def test_a_long_ledger_does_not_make_a_search_read_everything(repo: RepoBuilder, revision: str) -> None:
    repo.define("a", "title: One\n")
    repo.define("b", "title: Two\n")
    repo.define("other/a", "title: One\n", kind="application")
    repo.write("definitions/ledger.jsonl", "One Two\n" * MAX_BYTES)
    repo.write("definitions/ledger/000001.jsonl", "One Two\n" * MAX_BYTES)
    repo.commit()
    assert _found(repo, revision, "One") == {
        f"{FOLDER}/a.yaml",
        "definitions/application/other/a.yaml",
    }


@pytest.mark.parametrize("revision", ["worktree", "HEAD"])
def test_a_file_too_large_for_a_definition_is_not_searched(repo: RepoBuilder, revision: str) -> None:
    repo.define("a", "title: One\n")
    repo.define("b", "title: Two\n" + "#" * MAX_BYTES)
    repo.commit()
    assert _found(repo, revision, "One") == {f"{FOLDER}/a.yaml", f"{FOLDER}/b.yaml"}


def _found(repo: RepoBuilder, revision: str, text: str) -> set[str]:
    repository = open_repository(repo.root)
    assert repository is not None
    return paths_with(open_source(repo.root, revision), repository, [text])
