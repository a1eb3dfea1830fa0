"""Commits that were pushed: a server that runs knows what one that starts would read, or refuses the same."""

from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache
from registry.errors import RegistryError
from registry.ids import append, encode, parse_ledger
from registry.model.definition import LEDGER_PATH
from registry.writes.main_branch import MainBranch
from registry.writes.state import RegistryState
from tests.support.writing import commit_files, new_bare_registry

KIND = "process_definition"


def _file(number: int) -> bytes:
    return f"id: {number}\ntitle: Pushed\nowners: [team]\ndefinition:\n  exec: /bin/pushed\n".encode()


def _with_line(ledger: bytes, number: int, name: str, owner: str, state: str = "live") -> bytes:
    """The ledger with one more line, rightly chained."""
    found, problems = parse_ledger(ledger, owner)
    assert not problems
    return ledger + encode(append(found, [(KIND, number, name, state)], None))


def _known(state: RegistryState) -> tuple[object, ...]:
    broken = [one.path for one in state.snapshot.broken]
    return state.commit, state.open_segment, state.next_id(KIND), state.snapshot.ledger.entries, broken


def _outcome(branch: MainBranch, state: RegistryState | None) -> object:
    """What a server knows of the branch; the error where it refuses to serve it."""
    try:
        return _known(branch.follow(state) if state is not None else branch.read())
    except RegistryError as error:
        return type(error), str(error)


@pytest.mark.parametrize(("number", "line_of"), [(8, None), (8, "b"), (8, "c"), (3, "b")])
def test_a_pushed_file_with_an_id_is_known_as_a_server_that_starts_reads_it(
    tmp_path: Path, number: int, line_of: str | None
) -> None:
    bare = new_bare_registry(tmp_path)
    running, fresh = MainBranch(bare, BuildCache(), "running"), MainBranch(bare, BuildCache(), "fresh")
    owner = running.read().snapshot.settings.registry_id
    for first, name in ((1, "a"), (7, "later")):

        def ledger(text: bytes, first: int = first, name: str = name) -> bytes:
            return _with_line(text, first, name, owner)

        def file(_: bytes, first: int = first) -> bytes:
            return _file(first)

        commit_files(bare, {f"definitions/{KIND}/{name}.yaml": file, LEDGER_PATH: ledger})
    state = running.read()
    edits = {f"definitions/{KIND}/b.yaml": lambda _: _file(number)}
    if line_of is not None:
        edits[LEDGER_PATH] = lambda text: _with_line(text, number, line_of, owner)
    commit_files(bare, edits)
    try:
        assert _outcome(running, state) == _outcome(fresh, None)
    finally:
        running.close()
        fresh.close()


def test_a_pushed_deletion_of_what_others_name_is_known_as_a_server_that_starts_reads_it(
    tmp_path: Path,
) -> None:
    bare = new_bare_registry(tmp_path, "")
    running, fresh = MainBranch(bare, BuildCache(), "running"), MainBranch(bare, BuildCache(), "fresh")
    owner = running.read().snapshot.settings.registry_id
    old = _file(2) + b"lifecycle: deprecated\ndeprecation: {replaced_by: a}\n"
    commit_files(
        bare,
        {
            f"definitions/{KIND}/a.yaml": lambda _: _file(1),
            f"definitions/{KIND}/b.yaml": lambda _: old,
            LEDGER_PATH: lambda text: _with_line(_with_line(text, 1, "a", owner), 2, "b", owner),
        },
    )
    state = running.read()
    assert not state.snapshot.broken
    edits = {
        f"definitions/{KIND}/a.yaml": lambda _: None,
        LEDGER_PATH: lambda text: _with_line(text, 1, "a", owner, "gone"),
    }
    commit_files(bare, edits)
    try:
        assert _outcome(running, state) == _outcome(fresh, None)
    finally:
        running.close()
        fresh.close()
