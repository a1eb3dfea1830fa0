"""`registry show NAME@REVISION`, `blame`, `changelog`: history as people ask for it, on real git."""

import json
from typing import Any

import pytest

from tests.conftest import Run
from tests.support.repo import RepoBuilder

BODY = "id: 1\ntitle: {title}\nowners: [team]\ndefinition:\n  exec: /bin/x\n  timeout: {timeout}\n  environment: {{LEVEL: {level}}}\n"


@pytest.fixture
def history(repo: RepoBuilder) -> RepoBuilder:
    """One definition with four revisions, renamed at the third; a tag after the second."""
    repo.define("a", BODY.format(title="One", timeout=60, level="info"))
    repo.commit("add a")
    repo.define("a", BODY.format(title="Two", timeout=60, level="info"))
    repo.commit("retitle")
    repo.git("tag", "v1")
    repo.git("mv", "definitions/process_definition/a.yaml", "definitions/process_definition/b.yaml")
    repo.commit("rename")
    repo.define("b", BODY.format(title="Two", timeout=30, level="debug"))
    repo.commit("hurry")
    return repo


def as_json(run: Run, repo: RepoBuilder, *words: str) -> Any:
    outcome = run(*words, "-C", str(repo.root), "--format", "json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_a_revision_is_shown_by_its_number_and_by_a_commit(run: Run, history: RepoBuilder) -> None:
    first = as_json(run, history, "show", "b@1")
    assert (first["number"], first["name"], first["document"]["title"], first["message"]) == (
        1,
        "a",
        "One",
        "add a",
    )
    assert as_json(run, history, "show", "a@v1")["title"] == "Two"
    text = run("show", "b@1", "-C", str(history.root)).out
    assert "revision 1 of 4" in text
    assert "title: One" in text


def test_a_revision_that_is_not_there_says_which_are(run: Run, history: RepoBuilder) -> None:
    outcome = run("show", "b@9", "-C", str(history.root))
    assert (outcome.code, "1 to 4" in outcome.err) == (2, True)
    assert run("show", "b@nowhere", "-C", str(history.root)).code == 2


def test_an_old_revision_does_not_show_the_credential_it_held(run: Run, repo: RepoBuilder) -> None:
    token = "Zx81kLq9" + "3vbnTT42pq"
    repo.define(
        "a", f"title: T\nowners: [t]\ndefinition: {{exec: /bin/a, environment: {{DB_PASSWORD: {token}}}}}\n"
    )
    repo.commit("leak")
    repo.define(
        "a",
        "title: T\nowners: [t]\ndefinition: {exec: /bin/a, environment: {DB_PASSWORD: '${DB_PASSWORD}'}}\n",
    )
    repo.commit("mend")
    for words in (
        ["show", "a@1"],
        ["show", "a@1", "--format", "json"],
        ["blame", "a"],
        ["changelog", "--since", "HEAD~1"],
        ["log", "a"],
    ):
        outcome = run(*words, "-C", str(repo.root))
        assert outcome.code == 0
        assert token not in outcome.out


def test_blame_names_the_commit_that_last_set_each_field(run: Run, history: RepoBuilder) -> None:
    fields = {
        one["pointer"]: (one["value"], one["revision"]["message"])
        for one in as_json(run, history, "blame", "b")["fields"]
    }
    assert fields == {
        "/id": (1, "add a"),
        "/title": ("Two", "retitle"),
        "/owners": (["team"], "add a"),
        "/definition/exec": ("/bin/x", "add a"),
        "/definition/timeout": (30, "hurry"),
        "/definition/environment/LEVEL": ("debug", "hurry"),
    }
    assert "/definition/timeout: 30" in run("blame", "b", "-C", str(history.root)).out


def test_blame_passes_over_what_a_merge_did_not_take(run: Run, repo: RepoBuilder) -> None:
    repo.define("a", BODY.format(title="One", timeout=60, level="info"))
    repo.commit("add")
    repo.git("checkout", "-q", "-b", "side")
    repo.define("a", BODY.format(title="Side", timeout=10, level="info"))
    repo.commit("on the side")
    repo.git("checkout", "-q", "main")
    repo.define("a", BODY.format(title="Main", timeout=60, level="info"))
    repo.commit("on main")
    repo.git("merge", "-q", "--no-ff", "--no-commit", "-s", "ours", "side")
    repo.define("a", BODY.format(title="Main", timeout=10, level="info"))
    repo.commit("merge")
    fields = {
        one["pointer"]: one["revision"]["message"] for one in as_json(run, repo, "blame", "a")["fields"]
    }
    assert (fields["/title"], fields["/definition/timeout"]) == ("on main", "on the side")


def test_the_changelog_starts_at_the_newest_tag_and_says_breaking_first(
    run: Run, history: RepoBuilder
) -> None:
    body = as_json(run, history, "changelog")
    assert body["since"] == "v1"
    (b,) = body["definitions"]
    assert (b["what"], b["old_name"], b["changes"][0]["level"]) == ("renamed", "a", "breaking")
    assert [one["message"] for one in b["commits"]] == ["hurry", "rename"]
    notes = run("changelog", "-C", str(history.root), "--format", "markdown").out
    assert notes.startswith("# Process Registry: `v1` to `")
    assert notes.index("## Breaking") < notes.index("`/definition/timeout`") < notes.index("## Risky")


def test_the_changelog_since_a_date_a_revision_and_the_beginning(run: Run, history: RepoBuilder) -> None:
    when = history.git("log", "-1", "--format=%cI", "HEAD~1")
    assert [one["what"] for one in as_json(run, history, "changelog", "--since", when)["definitions"]] == [
        "renamed"
    ]
    assert [
        one["what"] for one in as_json(run, history, "changelog", "--since", "HEAD~1")["definitions"]
    ] == ["changed"]
    assert [
        one["what"] for one in as_json(run, history, "changelog", "--since", "1999-12-31")["definitions"]
    ] == ["added"]
    history.git("tag", "-d", "v1")
    assert [one["what"] for one in as_json(run, history, "changelog")["definitions"]] == ["added"]


def test_a_changelog_that_cannot_be_told_says_so(run: Run, history: RepoBuilder) -> None:
    history.git("checkout", "-q", "--orphan", "other")
    history.commit("unrelated")
    for since in ("nowhere", "2026-13-01", "main"):
        assert run("changelog", "--since", since, "-C", str(history.root)).code == 2


def test_nothing_happened_is_said(run: Run, history: RepoBuilder) -> None:
    assert "No relevant changes" in run("changelog", "--since", "HEAD", "-C", str(history.root)).out


def test_an_old_name_finds_the_definition(run: Run, history: RepoBuilder) -> None:
    for command in ("log", "show", "blame"):
        outcome = run(command, "a", "-C", str(history.root))
        assert outcome.code == 0, outcome.err
        assert "`a` was renamed to `b`" in outcome.err
    assert as_json(run, history, "log", "a") == as_json(run, history, "log", "b")
    assert as_json(run, history, "show", "process_definition/a@1") == as_json(run, history, "show", "b@1")


def test_an_old_name_of_several_definitions_names_them(run: Run, repo: RepoBuilder) -> None:
    for name in ("one", "two"):
        repo.define("a", f"title: {name}\nowners: [t]\ndefinition: {{exec: /bin/{name}}}\n")
        repo.commit(f"add {name}")
        repo.git("mv", "definitions/process_definition/a.yaml", f"definitions/process_definition/{name}.yaml")
        repo.commit(f"rename to {name}")
    outcome = run("log", "a", "-C", str(repo.root))
    assert outcome.code == 2
    assert "process_definition/one" in outcome.err
    assert "process_definition/two" in outcome.err


def test_a_definition_in_place_of_a_revision_is_pointed_to(run: Run, history: RepoBuilder) -> None:
    for word in ("a", "b", "process_definition/b", "a..HEAD", "HEAD..b"):
        outcome = run("diff", word, "-C", str(history.root))
        assert outcome.code == 2
        assert "is the definition process_definition/b" in outcome.err
        assert "`registry log process_definition/b`" in outcome.err
    outcome = run("diff", "nowhere", "-C", str(history.root))
    assert outcome.code == 2
    assert "there is no commit 'nowhere' here" in outcome.err
    assert "`registry log NAME`" in outcome.err


def test_a_broken_definition_does_not_hide_that_a_commit_does_not_exist(
    run: Run, history: RepoBuilder
) -> None:
    history.define("b", "{broken")
    outcome = run("diff", "a", "-C", str(history.root))
    assert outcome.code == 2
    assert "there is no commit 'a' here" in outcome.err
