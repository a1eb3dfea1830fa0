"""Which definition each change belongs to, from git's raw changes alone: no repository, one case at a time.

A blob is named by what it stands for: `a1` is the first content of `a`. Revisions are shown as
`commit name blob<old_blob`, and a deleted file as `-`.
"""

from collections.abc import Mapping, Sequence

import pytest

from registry.git import CommitOrder, LogCommit, LogRow
from registry.history.archive import History
from registry.history.builder import HistoryBuilder
from registry.history.lineage import Ids

KIND = "process_definition"


def path(name: str) -> str:
    return f"definitions/{KIND}/{name}.yaml"


def added(name: str, blob: str) -> LogRow:
    return LogRow("A", path(name), path(name), None, blob)


def edited(name: str, old: str, blob: str, *others: str) -> LogRow:
    return LogRow("M", path(name), path(name), old, blob, others)


def deleted(name: str, old: str) -> LogRow:
    return LogRow("D", path(name), path(name), old, None)


def renamed(name: str, to: str, old: str, blob: str) -> LogRow:
    return LogRow("R", path(name), path(to), old, blob)


def commit(name: str, *rows: LogRow, brought: Sequence[LogRow] = ()) -> LogCommit:
    date = f"2026-01-01T00:00:{name[1:]:>02}+00:00"
    return LogCommit(name, "Ana", "ana@example.org", date, name, rows, tuple(brought))


def follow(
    *commits: LogCommit,
    ids: Ids | None = None,
    merges: Mapping[str, str] | None = None,
    branched: frozenset[str] = frozenset(),
    cut_at: int | None = None,
) -> History:
    """The history of these commits, oldest first. `cut_at`: it is stored after so many of them, and continued."""
    order = CommitOrder([one.commit for one in commits], merges or {}, branched)
    read = {one.commit: one for one in commits}.__getitem__
    builder = HistoryBuilder("", order, read)
    for number, one in enumerate(commits):
        if number == cut_at:
            builder = HistoryBuilder("", order, read, History(builder.stored()))
        builder.take(one, ids or {})
    return History(builder.stored())


def told(history: History, name: str, number: int | None = None) -> list[str]:
    """The revisions of one definition in short."""
    return [
        f"{one.commit} {one.name} {one.blob or '-'}<{'+'.join((one.old_blob or '-', *one.other_blobs))}"
        for one in history.of(KIND, number, path(name))
    ]


FIRST = commit("c1", added("a", "a1"))


@pytest.mark.parametrize("cut_at", [None, 1, 2])
def test_an_edit_and_a_rename_go_on(cut_at: int | None) -> None:
    found = follow(
        FIRST,
        commit("c2", edited("a", "a1", "a2")),
        commit("c3", renamed("a", "b", "a2", "a2")),
        cut_at=cut_at,
    )
    assert told(found, "b") == ["c1 a a1<-", "c2 a a2<a1", "c3 b a2<a2"]
    assert told(found, "a") == []  # it left this path


@pytest.mark.parametrize("cut_at", [None, 1, 2])
def test_a_new_file_at_a_path_that_was_left_is_new(cut_at: int | None) -> None:
    found = follow(
        FIRST, commit("c2", renamed("a", "b", "a1", "a1")), commit("c3", added("a", "x1")), cut_at=cut_at
    )
    assert told(found, "a") == ["c3 a x1<-"]
    assert told(found, "b") == ["c1 a a1<-", "c2 b a1<a1"]


def test_a_file_that_comes_back_without_an_id_goes_on() -> None:
    found = follow(FIRST, commit("c2", deleted("a", "a1")), commit("c3", added("a", "a2")))
    assert told(found, "a") == ["c1 a a1<-", "c2 a -<a1", "c3 a a2<-"]
    assert found.paths == [path("a")]


def test_an_id_that_is_given_stays_with_its_definition() -> None:
    found = follow(FIRST, commit("c2", edited("a", "a1", "a2")), ids={"a2": 1})
    assert told(found, "a", 1) == ["c1 a a1<-", "c2 a a2<a1"]


def test_an_edit_without_the_id_is_of_the_same_definition() -> None:
    found = follow(FIRST, commit("c2", edited("a", "a1", "a2")), ids={"a1": 1})
    assert told(found, "a", 1) == ["c1 a a1<-", "c2 a a2<a1"]


def test_another_id_at_the_same_path_is_another_definition() -> None:
    found = follow(FIRST, commit("c2", edited("a", "a1", "x1")), ids={"a1": 1, "x1": 2})
    assert told(found, "a", 1) == ["c1 a a1<-", "c2 a -<a1"]
    assert told(found, "a", 2) == ["c2 a x1<a1"]


@pytest.mark.parametrize("cut_at", [None, 1, 2, 3])
def test_an_id_that_moves_leaves_a_new_definition_behind(cut_at: int | None) -> None:
    """The id goes to a new file in the commit that edits the old one without it, and its history follows it."""
    commits = (
        FIRST,
        commit("c2", edited("a", "a1", "x1"), added("b", "b1")),
        commit("c3", edited("b", "b1", "b2")),
        commit("c4", edited("a", "x1", "x2")),
    )
    found = follow(*commits, ids={"a1": 1, "b1": 1, "b2": 1}, cut_at=cut_at)
    assert told(found, "b", 1) == ["c1 a a1<-", "c2 b b1<a1", "c3 b b2<b1"]
    assert told(found, "a") == ["c2 a x1<a1", "c4 a x2<x1"]


@pytest.mark.parametrize("cut_at", [None, 1, 2, 3])
@pytest.mark.parametrize("number", [2, 3])
def test_an_id_that_moves_is_followed_where_the_old_file_gets_another_id(
    number: int, cut_at: int | None
) -> None:
    commits = (
        commit("c1", added("a", "a1"), added("z", "z1")),
        commit("c2", edited("a", "a1", "x1"), added("b", "b1")),
        commit("c3", edited("b", "b1", "b2"), edited("a", "x1", "x2")),
    )
    ids = {"a1": 1, "z1": 9, "b1": 1, "b2": 1, "x1": number, "x2": number}
    found = follow(*commits, ids=ids, cut_at=cut_at)
    assert told(found, "b", 1) == ["c1 a a1<-", "c2 b b1<a1", "c3 b b2<b1"]
    assert told(found, "a", number) == ["c2 a x1<a1", "c3 a x2<x1"]


@pytest.mark.parametrize("cut_at", [None, 1, 2])
def test_an_id_moves_to_the_file_of_another_definition(cut_at: int | None) -> None:
    found = follow(
        commit("c1", added("a", "a1"), added("b", "b1")),
        commit("c2", edited("a", "a1", "x1"), edited("b", "b1", "a2")),
        ids={"a1": 1, "b1": 2, "a2": 1},
        cut_at=cut_at,
    )
    assert told(found, "b", 1) == ["c1 a a1<-", "c2 b a2<a1"]
    assert told(found, "a") == ["c2 a x1<a1"]


def test_a_copy_with_the_id_leaves_the_history_with_the_original() -> None:
    found = follow(
        FIRST,
        commit("c2", edited("a", "a1", "a2"), added("b", "b1")),
        commit("c3", edited("b", "b1", "b2")),
        ids={"a1": 1, "a2": 1, "b1": 1},
    )
    assert told(found, "a", 1) == ["c1 a a1<-", "c2 a a2<a1"]
    assert told(found, "b") == ["c2 b b1<-", "c3 b b2<b1"]


def test_the_same_id_of_another_kind_does_not_take_the_history() -> None:
    other = LogRow("A", *("definitions/application/b.yaml",) * 2, None, "b1")
    found = follow(FIRST, commit("c2", edited("a", "a1", "a2"), other), ids={"a1": 1, "b1": 1})
    assert told(found, "a", 1)[0] == "c1 a a1<-"
    assert found.of("application", 1, other.path).newest is not None


def test_an_id_that_moves_on_a_branch_is_followed() -> None:
    found = follow(
        FIRST,
        commit("c2", added("z", "z1")),
        commit("c3", edited("a", "a1", "x1"), added("b", "b1")),
        commit("m4", brought=[edited("a", "a1", "x1"), added("b", "b1")]),
        commit("c5", edited("b", "b1", "b2")),
        merges=BRANCH,
        branched=ON_BRANCH,
        ids={"a1": 1, "b1": 1, "b2": 1},
    )
    assert told(found, "b", 1) == ["c1 a a1<-", "c3 b b1<a1", "c5 b b2<b1"]
    assert told(found, "a") == ["c3 a x1<a1"]


def test_names_that_are_swapped_in_one_commit_keep_their_ids() -> None:
    found = follow(
        commit("c1", added("a", "a1"), added("b", "b1")),
        commit("c2", edited("a", "a1", "b2"), edited("b", "b1", "a2")),
        ids={"a1": 1, "a2": 1, "b1": 2, "b2": 2},
    )
    assert told(found, "b", 1) == ["c1 a a1<-", "c2 b a2<a1"]
    assert told(found, "a", 2) == ["c1 b b1<-", "c2 a b2<b1"]


def test_a_move_that_git_reports_as_delete_and_add_is_one_revision() -> None:
    found = follow(FIRST, commit("c2", deleted("a", "a1"), added("b", "a2")), ids={"a1": 1, "a2": 1})
    assert told(found, "b", 1) == ["c1 a a1<-", "c2 b a2<a1"]


def test_a_definition_that_comes_back_with_its_id_goes_on_from_where_it_was() -> None:
    found = follow(
        FIRST, commit("c2", deleted("a", "a1")), commit("c3", added("b", "a2")), ids={"a1": 1, "a2": 1}
    )
    assert told(found, "b", 1) == ["c1 a a1<-", "c2 a -<a1", "c3 b a2<-"]


def test_other_kinds_and_files_are_no_definitions() -> None:
    other = LogRow("A", "definitions/ledger.jsonl", "definitions/ledger.jsonl", None, "l1")
    found = follow(commit("c1", other, added("a", "a1")))
    assert found.paths == [path("a")]


BRANCH: dict[str, str] = {"m4": "c2"}
ON_BRANCH = frozenset({"c3"})


def merged(
    *rows: LogRow, main: LogRow, branch: LogRow, brought: Sequence[LogRow], ids: Ids | None = None
) -> History:
    """`c2` on the main line and `c3` on a branch from `c1`, merged by `m4`."""
    return follow(
        FIRST,
        commit("c2", main),
        commit("c3", branch),
        commit("m4", *rows, brought=brought),
        merges=BRANCH,
        branched=ON_BRANCH,
        ids=ids,
    )


def test_a_branch_edits_what_it_had_and_the_merge_says_what_holds() -> None:
    found = merged(
        edited("a", "a2", "a4", "a3"),
        main=edited("a", "a1", "a2"),
        branch=edited("a", "a1", "a3"),
        brought=[edited("a", "a2", "a4")],
    )
    assert told(found, "a") == ["c1 a a1<-", "c2 a a2<a1", "c3 a a3<a1", "m4 a a4<a2+a3"]
    assert found.last_blobs == ["a4"]


def test_a_branch_that_the_merge_discards_leaves_a_revision_back() -> None:
    found = merged(main=edited("a", "a1", "a2"), branch=edited("a", "a1", "a3"), brought=[])
    assert told(found, "a") == ["c1 a a1<-", "c2 a a2<a1", "c3 a a3<a1", "m4 a a2<a2+a3"]
    assert found.last_blobs == ["a2"]


def test_a_new_file_of_a_branch_comes_with_the_merge() -> None:
    found = merged(main=edited("a", "a1", "a2"), branch=added("b", "b1"), brought=[added("b", "b1")])
    assert told(found, "b") == ["c3 b b1<-"]
    assert told(found, "a") == ["c1 a a1<-", "c2 a a2<a1"]


def test_a_branch_edits_a_file_that_the_main_line_renamed() -> None:
    found = merged(
        renamed("a", "b", "a1", "a3"),
        main=renamed("a", "b", "a1", "a1"),
        branch=edited("a", "a1", "a3"),
        brought=[edited("b", "a1", "a3")],
    )
    assert [one.split()[0] for one in told(found, "b")][:3] == ["c1", "c2", "c3"]
    assert found.last_blobs == ["a3"]
    assert found.paths == [path("b")]


def test_a_branch_renames_what_the_main_line_edits() -> None:
    found = merged(
        main=edited("a", "a1", "a2"),
        branch=renamed("a", "b", "a1", "a1"),
        brought=[renamed("a", "b", "a2", "a2")],
        ids={"a1": 1, "a2": 1},
    )
    assert found.paths == [path("b")]
    assert told(found, "b", 1)[:3] == ["c1 a a1<-", "c2 a a2<a1", "c3 b a1<a1"]


def test_a_branch_that_moves_with_delete_and_add_has_no_deleted_revision() -> None:
    order = CommitOrder(["c1", "c2", "c3", "m4"], BRANCH, ON_BRANCH)
    commits = [
        FIRST,
        commit("c2", added("z", "z1")),
        commit("c3", deleted("a", "a1"), added("b", "a2")),
        commit("m4", brought=[deleted("a", "a1"), added("b", "a2")]),
    ]
    builder = HistoryBuilder("", order, {one.commit: one for one in commits}.__getitem__)
    for one in commits:
        builder.take(one, {"a1": 1, "a2": 1})
    assert told(History(builder.stored()), "b", 1) == ["c1 a a1<-", "c3 b a2<a1"]


def test_an_edit_on_a_branch_goes_to_the_definition_that_had_this_content_under_this_name() -> None:
    """On the main line another definition took the name, and its first state came after the same content."""
    found = follow(
        FIRST,
        commit("c2", edited("a", "a1", "x1"), added("b", "a2")),
        commit("c3", edited("a", "a1", "a3")),
        commit("m4", brought=[edited("b", "a2", "a3")]),
        merges=BRANCH,
        branched=ON_BRANCH,
        ids={"a1": 1, "a2": 1, "x1": 2},
    )
    assert "c3 a a3<a1" in told(found, "b", 1)
    assert told(found, "a", 2) == ["c2 a x1<a1"]


def test_without_ids_an_edit_on_a_branch_goes_to_what_had_the_content_and_not_to_what_took_the_name() -> None:
    found = follow(
        FIRST,
        commit("c2", renamed("a", "b", "a1", "a1")),
        commit("c3", added("a", "x1")),
        commit("c4", edited("a", "a1", "a3")),
        commit("m5", brought=[edited("b", "a1", "a3")]),
        merges={"m5": "c3"},
        branched=frozenset({"c4"}),
    )
    assert told(found, "b") == ["c1 a a1<-", "c2 b a1<a1", "c4 a a3<a1"]
    assert told(found, "a") == ["c3 a x1<-"]


def test_a_move_back_to_an_earlier_name_has_the_content_before_it() -> None:
    found = follow(
        FIRST,
        commit("c2", renamed("a", "b", "a1", "a1")),
        commit("c3", deleted("b", "a1"), added("a", "a2")),
        ids={"a1": 1, "a2": 1},
    )
    assert told(found, "a", 1) == ["c1 a a1<-", "c2 b a1<a1", "c3 a a2<a1"]


def test_a_file_that_a_branch_deleted_is_deleted_once() -> None:
    found = merged(main=added("z", "z1"), branch=deleted("a", "a1"), brought=[deleted("a", "a1")])
    assert told(found, "a") == ["c1 a a1<-", "c3 a -<a1"]


def test_a_file_that_only_the_merge_deletes_had_the_content_of_the_main_line() -> None:
    found = merged(main=edited("a", "a1", "a2"), branch=edited("a", "a1", "a3"), brought=[deleted("a", "a2")])
    assert told(found, "a") == ["c1 a a1<-", "c2 a a2<a1", "c3 a a3<a1", "m4 a -<a2"]
    assert found.paths == [None]


def test_two_branches_of_one_definition_become_two_where_the_merge_has_both() -> None:
    found = merged(
        main=renamed("a", "b", "a1", "a2"),
        branch=renamed("a", "c", "a1", "c1"),
        brought=[added("c", "c1")],
    )
    assert told(found, "b") == ["c1 a a1<-", "c2 b a2<a1"]
    assert told(found, "c") == ["c1 a a1<-", "c3 c c1<a1"]


def test_a_name_in_the_data_of_a_revision_is_not_a_name_that_it_had() -> None:
    found = follow(FIRST, commit("c2", renamed("a", "b", "a1", "a2")))
    revisions = found.of(KIND, None, path("b"))
    assert [revisions.had_name(name) for name in ("a", "b", "c", "a1", "c1")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_a_name_in_a_new_registry_folder_counts_from_there() -> None:
    prefix = "some/folder/"
    row = LogRow("A", prefix + path("a"), prefix + path("a"), None, "a1")
    edit = LogRow("M", prefix + path("a"), prefix + path("a"), "a1", "a2")
    outside = LogRow("M", f"else/folder/{path('a')}", f"else/folder/{path('a')}", "a1", "x9")
    commits = [commit("c1", row), commit("c2", outside), commit("c3", edit)]
    builder = HistoryBuilder(
        prefix,
        CommitOrder(["c1", "c2", "c3"], {}, frozenset()),
        {one.commit: one for one in commits}.__getitem__,
    )
    for one in commits:
        builder.take(one, {})
    assert told(History(builder.stored()), "a") == ["c1 a a1<-", "c3 a a2<a1"]


def test_shown_authors_replace_those_that_were_read_before() -> None:
    found = follow(FIRST)
    revisions = found.of(KIND, None, path("a"))
    assert [one.author for one in revisions] == ["Ana"]
    found.show_authors(lambda name, address: f"{name} <{address}>")
    assert [one.author for one in revisions] == ["Ana <ana@example.org>"]
    assert revisions.newest is not None
    assert revisions.newest.author == "Ana <ana@example.org>"
