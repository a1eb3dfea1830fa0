"""History as people make it, on real git: each definition is followed, each change of content is seen once."""

from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache
from registry.cache.cache_file import CacheFile
from registry.load.source import open_source
from registry.pipeline import snapshot_of
from registry.snapshot import Snapshot
from tests.support.repo import RepoBuilder

BODY = "title: {0}\nowners: [team]\ndefinition:\n  exec: /bin/x\n  argv: [{1}]\n  cwd: /srv/some/where\n  environment: {{LEVEL: info}}\n"


def snapshot(root: Path, source: str = "worktree") -> Snapshot:
    found, problems = snapshot_of(open_source(root, source))
    assert found is not None, problems
    return found


def told(found: Snapshot, name: str) -> list[str]:
    """The revisions of a definition in short, oldest first: message, name where it was another, changed pointers."""
    lines = []
    for revision in found.revisions["process_definition", name]:
        changes = " ".join(change.pointer for change in found.changes_of(revision))
        parts = [
            revision.message.split("\n")[0],
            f"as {revision.name}" if revision.name != name else "",
            changes,
            "" if revision.blob else "deleted",
        ]
        lines.append(" ".join(part for part in parts if part))
    return lines


def test_each_revision_has_its_commit_author_date_message_and_changes(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.commit("add a")
    repo.define("a", BODY.format("Two", "-a, -b"))
    commit = repo.commit("change a\n\nfor a reason")
    found = snapshot(repo.root)
    last = found.revisions["process_definition", "a"][-1]
    assert (last.number, last.commit, last.author) == (2, commit, "Ana Autor")
    assert (last.date, last.message) == ("2023-11-15T02:13:20+02:00", "change a\n\nfor a reason")
    assert [tuple(change) for change in found.changes_of(last)] == [
        ("/title", "One", "Two"),
        ("/definition/argv", ["-a"], ["-a", "-b"]),
    ]
    assert found.history_complete
    assert not found.is_dirty


def test_comments_and_order_are_a_revision_without_changed_fields(repo: RepoBuilder) -> None:
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: x, cwd: /a}\n")
    repo.commit("add")
    repo.define("a", "# why\nowners: [t]\ntitle: 'T'\ndefinition: {cwd: /a, exec: x}\n")
    repo.commit("tidy")
    assert told(snapshot(repo.root), "a") == ["add", "tidy"]


def test_renames_are_followed_with_and_without_an_edit(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.commit("add")
    repo.git("mv", "definitions/process_definition/a.yaml", "definitions/process_definition/b.yaml")
    repo.commit("rename")
    (repo.root / "definitions/process_definition/b.yaml").unlink()
    repo.define("folder/c", BODY.format("Two", "-a"))
    repo.commit("rename and edit")
    assert told(snapshot(repo.root), "folder/c") == ["add as a", "rename as b", "rename and edit /title"]


def test_a_rename_that_git_cannot_see_is_followed_by_the_id(repo: RepoBuilder) -> None:
    repo.define("a", "id: 5\ntitle: One\nowners: [t]\ndefinition: {exec: x}\n")
    repo.commit("add")
    (repo.root / "definitions/process_definition/a.yaml").unlink()
    repo.define(
        "b", "id: 5\n# all new\n" + BODY.format("Wholly another text with many other words", "a, b, c, d")
    )
    repo.commit("rename and rewrite")
    assert [line.split(" /")[0] for line in told(snapshot(repo.root), "b")] == [
        "add as a",
        "rename and rewrite",
    ]


def test_two_names_swapped_in_one_commit_keep_their_histories(repo: RepoBuilder) -> None:
    repo.define("a", "id: 1\n" + BODY.format("First", "-a"))
    repo.define("b", "id: 2\n" + BODY.format("Second of another kind", "-x, -y, -z"))
    repo.commit("add both")
    folder = repo.root / "definitions/process_definition"
    one, two = (folder / "a.yaml").read_bytes(), (folder / "b.yaml").read_bytes()
    (folder / "a.yaml").write_bytes(two)
    (folder / "b.yaml").write_bytes(one)
    repo.commit("swap")
    found = snapshot(repo.root)
    assert told(found, "a") == ["add both as b", "swap"]
    assert told(found, "b") == ["add both as a", "swap"]


def test_a_deleted_definition_brought_back_goes_on(repo: RepoBuilder) -> None:
    path = repo.define("a", "id: 1\n" + BODY.format("One", "-a"))
    repo.commit("add")
    path.unlink()
    repo.commit("delete")
    repo.define("a", "id: 1\n" + BODY.format("Two", "-a"))
    repo.commit("restore")
    assert told(snapshot(repo.root), "a") == ["add", "delete deleted", "restore"]


def test_the_same_name_without_the_old_id_is_another_definition(repo: RepoBuilder) -> None:
    path = repo.define("a", "id: 1\n" + BODY.format("One", "-a"))
    repo.commit("add")
    path.unlink()
    repo.commit("delete")
    repo.define("a", BODY.format("Another", "-z"))
    repo.commit("add another")
    assert told(snapshot(repo.root), "a") == ["add another"]


def test_a_merge_is_seen_once_and_only_where_it_changed_something_itself(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.define("b", BODY.format("Other", "-q"))
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("a", BODY.format("Side", "-a"))
    repo.commit("on the side")
    repo.git("checkout", "-q", "main")
    repo.define("b", BODY.format("Other one", "-q"))
    repo.commit("on main")
    repo.git("merge", "-q", "--no-ff", "-m", "merge the side", "side")
    assert told(snapshot(repo.root), "a") == ["add", "on the side /title"]
    repo.git("checkout", "-q", "-b", "again")
    repo.define("b", BODY.format("Other two", "-q"))
    repo.commit("again")
    repo.git("checkout", "-q", "main")
    repo.define("a", BODY.format("Main", "-a"))
    repo.commit("main again")
    repo.git("merge", "-q", "--no-ff", "--no-commit", "again")
    repo.define("a", BODY.format("Made in the merge", "-a"))
    repo.commit("evil merge")
    assert told(snapshot(repo.root), "a") == [
        "add",
        "on the side /title",
        "main again /title",
        "evil merge /title",
    ]
    assert told(snapshot(repo.root), "b") == ["add", "on main /title", "again /title"]


def test_a_merge_of_two_edits_of_one_file_tells_only_what_it_made_itself(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("a", BODY.format("Side", "-a"))
    repo.commit("title on the side")
    repo.git("checkout", "-q", "main")
    repo.define("a", BODY.format("One", "-a, -b"))
    repo.commit("argv on main")
    repo.git("merge", "-q", "--no-ff", "--no-commit", "-s", "ours", "side")
    repo.define("a", BODY.format("Side", "-a, -b").replace("info", "debug"))
    repo.commit("merge, and more")
    lines = told(snapshot(repo.root), "a")
    assert sorted(lines[1:3]) == ["argv on main /definition/argv", "title on the side /title"]
    assert lines[3] == "merge, and more /definition/environment/LEVEL"


def test_an_octopus_merge_is_no_revision_of_what_it_brings_together(repo: RepoBuilder) -> None:
    for name in "abc":
        repo.define(name, BODY.format(name.upper(), "-a"))
    repo.commit("add")
    for name in "abc":
        repo.git("checkout", "-q", "-b", f"side-{name}", "main")
        repo.define(name, BODY.format(f"{name} of its branch", "-a"))
        repo.commit(f"change {name}")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "-m", "octopus", "side-a", "side-b", "side-c")
    assert repo.git("log", "-1", "--format=%P").count(" ") == 2
    for name in "abc":
        assert told(snapshot(repo.root), name) == ["add", f"change {name} /title"]


def test_merges_that_cross_tell_each_change_once(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.define("b", BODY.format("One", "-b"))
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("b", BODY.format("Two", "-b"))
    repo.commit("b on the side")
    repo.git("checkout", "-q", "main")
    repo.define("a", BODY.format("Two", "-a"))
    repo.commit("a on main")
    first = repo.git("rev-parse", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "side into main", "side")
    repo.git("checkout", "-q", "side")
    repo.git("merge", "-q", "--no-ff", "-m", "main into side", first)
    repo.define("a", BODY.format("Two", "-a, -z"))
    repo.commit("a on the side, after")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "criss-cross", "side")
    found = snapshot(repo.root)
    assert told(found, "a") == ["add", "a on main /title", "a on the side, after /definition/argv"]
    assert told(found, "b") == ["add", "b on the side /title"]


def test_a_rename_made_in_a_merge_is_followed(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.define("other")
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("a", BODY.format("One", "-a, -b"))
    repo.commit("edit on the side")
    repo.git("checkout", "-q", "main")
    repo.define("other", BODY.format("O", "-o"))
    repo.commit("beside")
    repo.git("merge", "-q", "--no-ff", "--no-commit", "side")
    repo.git("mv", "definitions/process_definition/a.yaml", "definitions/process_definition/b.yaml")
    repo.commit("renamed in the merge")
    lines = told(snapshot(repo.root), "b")
    assert lines[:2] == ["add as a", "edit on the side as a /definition/argv"]
    assert lines[2:] == ["renamed in the merge"]


def test_a_rename_of_upper_and_lower_case_alone_is_followed(repo: RepoBuilder) -> None:
    repo.define("Mixed", BODY.format("One", "-a"))
    repo.commit("add")
    repo.git(
        "mv", "-f", "definitions/process_definition/Mixed.yaml", "definitions/process_definition/mixed.yaml"
    )
    repo.commit("lower case")
    lines = told(snapshot(repo.root), "mixed")
    assert lines == ["add as Mixed", "lower case"]


def test_a_graft_is_not_followed(repo: RepoBuilder) -> None:
    """`git replace` changes what history seems to be, for whoever has the ref; a build must not depend on it."""
    for title in ("One", "Two", "Three"):
        repo.define("a", BODY.format(title, "-a"))
        repo.commit(title)
    repo.git("replace", "--graft", "HEAD~1")
    found = snapshot(repo.root)
    assert told(found, "a") == ["One", "Two /title", "Three /title"]
    assert found.history_complete


def test_an_edit_under_the_old_name_on_a_branch_belongs_to_the_renamed_definition(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("a", BODY.format("One", "-a, -b"))
    repo.commit("edit on the side")
    repo.git("checkout", "-q", "main")
    repo.git("mv", "definitions/process_definition/a.yaml", "definitions/process_definition/b.yaml")
    repo.commit("rename")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    assert sorted(told(snapshot(repo.root), "b")) == [
        "add as a",
        "edit on the side as a /definition/argv",
        "rename",
    ]


def test_order_is_that_of_the_graph_whatever_the_dates_say(repo: RepoBuilder) -> None:
    for number, clock in enumerate((1_700_000_000, 900_000_000, 1_800_000_000)):
        repo.clock = clock
        repo.define("a", BODY.format(f"T{number}", "-a"))
        repo.commit(f"c{number}")
    assert told(snapshot(repo.root), "a") == ["c0", "c1 /title", "c2 /title"]


def test_a_revision_keeps_its_number_when_an_updated_branch_is_merged(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("a", BODY.format("One", "-b"))
    repo.commit("argv on the side")
    repo.git("checkout", "-q", "main")
    repo.define("a", BODY.format("Two", "-a"))
    repo.commit("title on main")
    repo.define("b")
    repo.commit("b on main")
    steps: list[str] = []

    def read() -> Snapshot:
        """As a new process does that knows what was read before."""
        steps.clear()
        found, problems = snapshot_of(
            open_source(repo.root),
            lambda step, *_: steps.append(step),
            cache=BuildCache(CacheFile(repo.root)),
        )
        assert found is not None, problems
        return found

    before = told(read(), "a")
    assert before == ["add", "title on main /title"]
    repo.git("checkout", "-q", "side")
    repo.git("merge", "-q", "-m", "take in what main has", "main", ok=False)
    repo.define("a", BODY.format("Two", "-b"))
    repo.commit("take in what main has")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "merge the side", "side")
    after = read()
    assert "reading new commits" in steps
    expected = [*before, "argv on the side /definition/argv", "take in what main has /title"]
    assert told(after, "a") == expected == told(snapshot(repo.root), "a")


def test_old_states_that_are_refused_today_still_have_their_revision(repo: RepoBuilder) -> None:
    repo.define("a", "title: [\n")
    repo.commit("broken")
    repo.define("a", "title: yes\nowners: [t]\ndefinition: {exec: x}\n")
    repo.commit("loose")
    repo.define("a", "title: 'yes!'\nowners: [t]\ndefinition: {exec: x}\n")
    repo.commit("strict")
    found = snapshot(repo.root)
    assert told(found, "a") == ["broken", "loose", "strict /title"]
    assert [found.document_of(r) is None for r in found.revisions["process_definition", "a"]] == [
        True,
        False,
        False,
    ]


def test_without_git_or_commits_it_works_and_says_so(tmp_path: Path) -> None:
    plain = RepoBuilder.__new__(RepoBuilder)
    plain.root = tmp_path / "plain"
    plain.define("a")
    found = snapshot(plain.root)
    assert (found.history_complete, found.is_dirty, found.commit) == (False, True, None)
    assert [(r.number, r.commit, r.message) for r in found.revisions["process_definition", "a"]] == [
        (1, None, "uncommitted")
    ]
    fresh = RepoBuilder(tmp_path / "fresh")
    fresh.define("a")
    found = snapshot(fresh.root)
    assert (found.history_complete, found.commit) == (False, None)


def test_a_shallow_clone_says_so(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.commit("add")
    repo.define("a", BODY.format("Two", "-a"))
    repo.commit("change")
    repo.git("clone", "-q", "--depth", "1", f"file://{repo.root}", str(tmp_path / "shallow"))
    found = snapshot(tmp_path / "shallow")
    assert not found.history_complete
    assert told(found, "a") == ["change"]


def test_what_is_not_committed_is_one_more_revision(repo: RepoBuilder) -> None:
    repo.define("a", BODY.format("One", "-a"))
    repo.commit("add")
    repo.define("a", BODY.format("Two", "-a"))
    repo.define("new")
    found = snapshot(repo.root)
    assert found.is_dirty
    assert told(found, "a") == ["add", "uncommitted /title"]
    assert told(found, "new") == ["uncommitted"]
    assert told(snapshot(repo.root, "HEAD"), "a") == ["add"]


def test_a_registry_in_a_folder_of_its_repository_has_its_history(repo: RepoBuilder) -> None:
    inner = RepoBuilder.__new__(RepoBuilder)
    inner.root, inner.clock = repo.root / "sub/registry", repo.clock
    inner.define("a", BODY.format("One", "-a"))
    repo.write("other.txt", "x")
    repo.commit("add")
    inner.define("a", BODY.format("Two", "-a"))
    repo.commit("change")
    repo.write("other.txt", "y")
    repo.commit("something else")
    found = snapshot(inner.root)
    assert told(found, "a") == ["add", "change /title"]
    assert not found.is_dirty


def test_a_registry_in_a_folder_goes_on_from_the_last_commit_that_it_knows(repo: RepoBuilder) -> None:
    inner = RepoBuilder.at(repo.root / "sub/registry", repo.clock)
    inner.define("a", BODY.format("One", "-a"))
    repo.commit("add")

    def steps() -> list[str]:
        """What a new process tells while it reads."""
        found: list[str] = []
        after, _ = snapshot_of(
            open_source(inner.root),
            lambda step, *_: found.append(step),
            cache=BuildCache(CacheFile(inner.root)),
        )
        assert after is not None
        assert told(after, "a") == told(snapshot(inner.root), "a")
        return found

    assert "reading commits" in steps()
    repo.write("other.txt", "1")
    repo.commit("something else")
    assert "reading new commits" in steps()
    inner.define("a", BODY.format("Two", "-a"))
    repo.commit("change")
    repo.write("other.txt", "2")
    repo.commit("something else")
    assert "reading new commits" in steps()
    assert told(snapshot(inner.root), "a") == ["add", "change /title"]


@pytest.mark.parametrize("name", ["größe", "a b+c.d"])
def test_names_with_unusual_letters_have_their_history(repo: RepoBuilder, name: str) -> None:
    name = name.replace(" ", "-")
    repo.define(name, BODY.format("One", "-a"))
    repo.commit("add")
    assert told(snapshot(repo.root), name) == ["add"]
