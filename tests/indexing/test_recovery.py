"""`registry index --recover`: a published ledger takes the place of one that is broken or has lost lines."""

from pathlib import Path

import pytest

from registry.errors import RefusedError
from registry.ids import Ledger, append, parse_ledger
from registry.indexing.indexer import IndexOptions, index
from tests.support.repo import RepoBuilder

KIND = "process_definition"
LEDGER = "definitions/ledger.jsonl"
EMPTY = Ledger((), "registry-1", "registry-1")


def ledger_text(*events: tuple[int, str, str]) -> str:
    """The ledger of these events: id, name and state."""
    return "".join(f"{one.line()}\n" for one in append(EMPTY, [(KIND, *event) for event in events], None))


# 1 was given to `a`, which is called `b` now; a new `a` has 2.
EVENTS = ((1, "a", "live"), (1, "b", "moved"), (2, "a", "live"))
WHOLE = ledger_text(*EVENTS)


@pytest.fixture
def published(repo: RepoBuilder, tmp_path: Path) -> IndexOptions:
    """Options that recover from a published copy of the ledger."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    (tmp_path / "published.jsonl").write_text(WHOLE)
    return IndexOptions(published=str(tmp_path / "published.jsonl"), recover=True)


def id_of(repo: RepoBuilder, name: str) -> int:
    """The id in the first line of a definition's file."""
    first, _, _ = (repo.root / f"definitions/{KIND}/{name}.yaml").read_text().partition("\n")
    return int(first.removeprefix("id: "))


def indexed(repo: RepoBuilder, text: str, options: IndexOptions) -> Ledger:
    """The ledger after indexing a commit that has `text` as its ledger."""
    repo.write(LEDGER, text)
    repo.commit()
    index(repo.root, options)
    ledger, problems = parse_ledger((repo.root / LEDGER).read_bytes(), "registry-1")
    assert not problems
    return ledger


def test_in_a_branch_that_was_set_back_a_file_gets_the_id_that_it_had_then(
    repo: RepoBuilder, published: IndexOptions
) -> None:
    repo.define("a")
    ledger = indexed(repo, ledger_text(EVENTS[0]), published)
    assert ledger.text.startswith(WHOLE)
    assert id_of(repo, "a") == 1


def test_beside_a_broken_ledger_files_count_as_new(repo: RepoBuilder, published: IndexOptions) -> None:
    repo.define("a")
    ledger = indexed(repo, ledger_text(EVENTS[0]) + "{}\n", published)
    assert ledger.text.startswith(WHOLE)
    assert id_of(repo, "a") == 2


def test_a_ledger_that_is_broken_after_the_published_lines_is_replaced_too(
    repo: RepoBuilder, published: IndexOptions
) -> None:
    repo.define("a", f"id: 2\n{repo.define('b').read_text()}")
    repo.define("b", f"id: 1\n{repo.define('b').read_text()}")
    assert indexed(repo, WHOLE + "{}\n", published).text == WHOLE
    assert (id_of(repo, "a"), id_of(repo, "b")) == (2, 1)


@pytest.mark.parametrize("text", ["", ledger_text(EVENTS[0]), ledger_text((1, "z", "live"))])
def test_without_being_asked_nothing_is_recovered(
    repo: RepoBuilder, published: IndexOptions, text: str
) -> None:
    repo.define("a")
    repo.write(LEDGER, text)
    head = repo.commit()
    with pytest.raises(RefusedError, match="not all present here"):
        index(repo.root, IndexOptions(published=published.published))
    assert repo.git("rev-parse", "HEAD") == head


def test_two_published_ledgers_that_differ_are_refused(repo: RepoBuilder, published: IndexOptions) -> None:
    repo.define("a")
    repo.write(LEDGER, ledger_text((1, "x", "live")))
    repo.git("update-ref", "refs/registry/high-water", repo.commit("another ledger"))
    (repo.root / LEDGER).unlink()
    head = repo.commit("lost")
    with pytest.raises(RefusedError, match="contradicting ledgers"):
        index(repo.root, published)
    assert repo.git("rev-parse", "HEAD") == head


def test_a_published_ledger_of_another_registry_is_refused(
    repo: RepoBuilder, published: IndexOptions
) -> None:
    repo.define("a")
    repo.write("registry.yaml", "registry_id: registry-2\n")
    repo.commit()
    with pytest.raises(RefusedError, match="belongs to the registry registry-1"):
        index(repo.root, published)


@pytest.mark.parametrize("settings", ["title: T", "title: T\n", ""])
def test_the_registrys_id_is_a_line_of_its_own(repo: RepoBuilder, settings: str) -> None:
    repo.write("registry.yaml", settings)
    repo.define("a")
    repo.commit()
    index(repo.root)
    lines = (repo.root / "registry.yaml").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == [*(["title"] if settings else []), "registry_id"]
    assert parse_ledger((repo.root / LEDGER).read_bytes(), lines[-1].partition(": ")[2])[1] == ()


@pytest.mark.parametrize(("mark", "first"), [(0, 1), (1, 2), (41, 42)])
def test_an_accepted_mark_is_the_highest_id_that_was_given(repo: RepoBuilder, mark: int, first: int) -> None:
    repo.define("a")
    repo.commit()
    index(repo.root, IndexOptions(accept_mark=mark))
    assert id_of(repo, "a") == first
