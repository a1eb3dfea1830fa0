"""Which schema files are read: names, depth and sizes at their limits."""

import pytest

from registry.errors import UsageError
from registry.load import kinds
from registry.load.kinds import load_kinds
from registry.load.source import WorkTree
from tests.support.repo import RepoBuilder

SCHEMA = '{"type": "object", "properties": {"definition": {"type": "object"}}}'
ADAPTER = '{"$defs": {"input": {"type": "object"}, "output": {"type": "object"}}}'


def found_with(repo: RepoBuilder, path: str, text: str = SCHEMA) -> tuple[set[str], list[str]]:
    """The kinds and adapter types with one more schema file, and the paths of the problems."""
    repo.write(path, text)
    loaded, problems = load_kinds(WorkTree(repo.root))
    return {*loaded.by_name, *loaded.adapters}, [one.span.path for one in problems]


@pytest.mark.parametrize("name", ["a", "a1_b", "a" * 63])
def test_a_kind_may_have_the_name(repo: RepoBuilder, name: str) -> None:
    names, problems = found_with(repo, f"schema/{name}.schema.json")
    assert (name in names, problems) == (True, [])


@pytest.mark.parametrize("name", ["a" * 64, "1a", "_a", "A", "a-b", "a.b", "ä", "a\n"])
def test_a_kind_may_not_have_the_name(repo: RepoBuilder, name: str) -> None:
    path = f"schema/{name}.schema.json"
    names, problems = found_with(repo, path)
    assert (name in names, problems) == (False, [path])


@pytest.mark.parametrize("name", ["a", "a-b_1", "a" * 63])
def test_an_adapter_type_may_have_the_name(repo: RepoBuilder, name: str) -> None:
    names, problems = found_with(repo, f"schema/adapters/{name}.schema.json", ADAPTER)
    assert (name in names, problems) == (True, [])


@pytest.mark.parametrize("name", ["a" * 64, "1a", "-a", "A", "a\n"])
def test_an_adapter_type_may_not_have_the_name(repo: RepoBuilder, name: str) -> None:
    path = f"schema/adapters/{name}.schema.json"
    names, problems = found_with(repo, path, ADAPTER)
    assert (name in names, problems) == (False, [path])


def test_files_in_a_folder_are_read_and_deeper_ones_are_not(repo: RepoBuilder) -> None:
    repo.write("schema/a/b/deep.schema.json", "{")
    assert found_with(repo, "schema/a/shallow.schema.json", "{")[1] == ["schema/a/shallow.schema.json"]


@pytest.mark.parametrize(("size", "is_read"), [(1024 * 1024, True), (1024 * 1024 + 1, False)])
def test_a_file_of_a_mebibyte_is_read_and_a_larger_one_is_not(
    repo: RepoBuilder, size: int, is_read: bool
) -> None:
    names, problems = found_with(repo, "schema/large.schema.json", SCHEMA.ljust(size))
    assert ("large" in names, problems) == (is_read, [] if is_read else ["schema/large.schema.json"])


def test_all_files_together_have_a_limit(repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("schema/one.schema.json", SCHEMA.ljust(100))
    monkeypatch.setattr(kinds, "_MAX_ALL_SCHEMAS", 200)
    assert {"one", "two"} <= found_with(repo, "schema/two.schema.json", SCHEMA.ljust(100))[0]
    with pytest.raises(UsageError, match="more than 200 bytes"):
        found_with(repo, "schema/two.schema.json", SCHEMA.ljust(101))
