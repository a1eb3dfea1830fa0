"""The limit for the files of a ledger together."""

from collections.abc import Callable

import pytest

from registry.errors import UsageError
from registry.load import ledger_files
from registry.load.ledger_files import read_ledger_files
from registry.load.source import FileTooLargeError, open_source
from registry.model.definition import LEDGER_PATH
from tests.support.repo import RepoBuilder

SEGMENTS = [f"definitions/ledger/{number:06}.jsonl" for number in (1, 2)]


@pytest.fixture(params=["worktree", "HEAD"], ids=["work tree", "commit"])
def read(repo: RepoBuilder, request: pytest.FixtureRequest) -> Callable[[], int]:
    """Reads a ledger with three files of 10 bytes each and returns the number of its sealed segments."""
    for path in (LEDGER_PATH, *SEGMENTS):
        repo.write(path, "123456789\n")
    repo.commit("ledger")
    return lambda: len(read_ledger_files(open_source(repo.root, request.param)).sealed)


def test_files_below_the_limit_together_are_read(
    read: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_files, "MAX_LEDGER_BYTES", 30)
    assert read() == 2


def test_files_above_the_limit_together_are_one_clear_error(
    read: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_files, "MAX_LEDGER_BYTES", 29)
    with pytest.raises(UsageError, match="more than 29 bytes in total"):
        read()
    monkeypatch.setattr(ledger_files, "MAX_LEDGER_BYTES", 9)
    with pytest.raises(FileTooLargeError):
        read()
