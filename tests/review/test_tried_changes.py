"""Examples of changed definitions, run before and after: what is reported, and to whom it matters.

The programs start directly here: those of the tests can be trusted. The command uses the sandbox only.
"""

import json
import os
from pathlib import Path

import pytest

from registry.changes.table import Party
from registry.execution.launcher import DirectLauncher
from registry.execution.runner import Runner
from registry.execution.running import Limits
from registry.reports.review import REVIEW_FORMATS, Given, review_from_json
from registry.review.comparison import compare_sources
from registry.review.review import review
from registry.review.tried_changes import Comparability, TriedChange, TriedExample, try_changes
from tests.conftest import Run
from tests.support.repo import RepoBuilder

TEXT = """\
title: T
owners: [text-team]
examples:
  - {{title: one, input_text: "axb\\n", output_text: "{expected}\\n"}}
  - {{title: two, input_text: "{second}"}}
definition: {{exec: tr, argv: [-d, "{letter}"]}}
"""
BEFORE = TEXT.format(expected="ab", second="b", letter="x")


@pytest.fixture
def registry(repo: RepoBuilder) -> RepoBuilder:
    repo.define("text", BEFORE)
    repo.define("other")
    repo.commit("start")
    return repo


def tried(repo: RepoBuilder, *, passes_references: bool = True) -> tuple[TriedChange, ...]:
    """What the examples of the uncommitted change show."""
    result = review(repo.root, "HEAD", of_change=True)
    assert result.base is not None
    own, limits = dict(os.environ), Limits(seconds=120)
    runner = Runner(DirectLauncher(), own, limits, passes_references=passes_references)
    comparison = compare_sources(result.base, result.source)
    return try_changes(result.base, result.source, comparison, runner, problems=result.problems)


def only(changes: tuple[TriedChange, ...]) -> dict[str, TriedExample]:
    (change,) = changes
    return {one.title: one for one in change.examples}


def test_another_outcome_is_reported_with_whom_it_concerns(registry: RepoBuilder) -> None:
    registry.define("text", TEXT.format(expected="ax", second="b", letter="b"))
    (change,) = tried(registry)
    assert (change.title, change.owners) == ("text", ("text-team",))
    assert {Party.START, Party.YIELD} <= set(change.parties)
    one, two = change.examples
    assert (one.verdict, one.before, one.after) == (
        Comparability.DIFFERENT,
        "exit status 0, 3 bytes of output",
        "exit status 0, 3 bytes of output",
    )
    assert one.lines == ("-ab", "+ax")
    assert one.mismatches == ()
    assert (two.verdict, two.after) == (Comparability.DIFFERENT, "exit status 0, 0 bytes of output")
    assert not change.is_failing


def test_the_examples_of_both_sides_count(registry: RepoBuilder) -> None:
    registry.define("text", TEXT.format(expected="ax", second="c", letter="b").replace("two", "three"))
    found = only(tried(registry))
    assert list(found) == ["one", "three", "two"]
    assert {name: one.verdict for name, one in found.items()} == {
        "one": Comparability.DIFFERENT,
        "three": Comparability.SAME,
        "two": Comparability.DIFFERENT,
    }


def test_an_example_of_its_own_that_fails_is_a_failure(registry: RepoBuilder) -> None:
    registry.define("text", TEXT.format(expected="ab", second="b", letter="b"))
    (change,) = tried(registry)
    assert change.is_failing
    assert [each.field for each in change.examples[0].mismatches] == ["output_text"]


def test_a_change_of_words_runs_the_examples_once(registry: RepoBuilder, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"definition: {{exec: sh, argv: [-c, 'echo x >> {count}; cat']}}\n"
    example = "owners: [t]\nexamples: [{title: one, input_text: a}]\n"
    registry.define("counts", f"title: T\n{example}{script}")
    registry.commit()
    registry.define("counts", f"title: U\n{example}{script}")
    assert only(tried(registry))["one"].verdict is Comparability.SAME
    assert count.read_text() == "x\n"


def test_an_output_that_is_never_the_same_is_no_difference(registry: RepoBuilder) -> None:
    text = "title: T\nowners: [t]\nexamples: [{{title: one}}]\ndefinition: {{exec: sh, argv: [-c, 'echo $$ {}']}}\n"
    registry.define("number", text.format("a"))
    registry.commit()
    registry.define("number", text.format("b"))
    assert only(tried(registry))["one"].verdict is Comparability.UNSTABLE


def test_new_renamed_and_removed_definitions(registry: RepoBuilder) -> None:
    registry.define("new", BEFORE)
    (registry.root / "definitions/process_definition/other.yaml").unlink()
    registry.git(
        "mv", "definitions/process_definition/text.yaml", "definitions/process_definition/moved.yaml"
    )
    found = {change.title: change for change in tried(registry)}
    assert set(found) == {"new", "moved"}
    assert {one.verdict for one in found["new"].examples} == {Comparability.NEW}
    assert {one.verdict for one in found["moved"].examples} == {Comparability.SAME}


def test_what_cannot_run_here_is_a_result(registry: RepoBuilder) -> None:
    registry.define("text", BEFORE.replace("exec: tr", "exec: /no/program"))
    (change,) = tried(registry)
    assert not change.is_failing
    assert {one.verdict for one in change.examples} == {Comparability.NOT_RUN}
    assert change.examples[0].reason == "the program /no/program is not on this host"
    registry.commit()
    registry.define("text", BEFORE)
    found = only(tried(registry))["one"]
    assert found.verdict is Comparability.NOT_RUN
    assert (
        found.reason == "the old definition cannot be compared: the program /no/program is not on this host"
    )


def test_a_definition_with_errors_is_not_run(registry: RepoBuilder) -> None:
    registry.define("text", BEFORE.replace("{exec: tr", "{timeout: -1, exec: tr"))
    assert {one.reason for one in only(tried(registry)).values()} == {"its file has errors"}


def test_a_change_gets_no_variables_of_the_host(
    registry: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    inside = "definition: {exec: env, environment: {A: '${GITHUB_TOKEN}'}}\n"
    registry.define("text", f"title: T\nowners: [t]\nexamples: [{{title: one}}]\n{inside}")
    found = only(tried(registry, passes_references=False))["one"]
    assert found.reason == "it needs the variable GITHUB_TOKEN of the host, which is not passed on"


@pytest.fixture
def given(registry: RepoBuilder) -> Given:
    """A review in which one example fails with hostile output, and one cannot run."""
    hostile = "```\\n@team <b>\\n::error::x\\n \\t::error::y\\n\x1b"
    script = f"printf '{hostile}'"
    registry.define("text", TEXT.format(expected="ab", second="b", letter="b"))
    registry.define(
        "hostile",
        "title: T\nowners: ['@o']\nexamples: [{title: '`@all`', output_text: a}]\n"
        f"definition: {{exec: sh, argv: [-c, {json.dumps(script)}]}}\n",
    )
    registry.define("gone", BEFORE.replace("exec: tr", "exec: /no/program"))
    result = review(registry.root, "HEAD", of_change=True)
    assert result.base is not None
    compared = compare_sources(result.base, result.source)
    return Given((), compared, lambda _path, _line: None, tried=tried(registry))


def test_the_text_has_each_example_and_a_summary(given: Given) -> None:
    text = REVIEW_FORMATS["text"](given)
    assert "Tried 5 examples of 3 changed definitions: 2 different, 1 new, 2 not run, 2 failed." in text
    assert (
        "  failed     one: exit status 0, 3 bytes of output, another output\n             -ab\n             +ax"
        in text
    )
    assert text.count("             -ab\n") == 1
    assert "concerns: START (hosts: files, environment, application)" in text
    assert "\x1b" not in text


def test_the_comment_shows_output_as_code_only(given: Given) -> None:
    text = REVIEW_FORMATS["markdown"](given)
    assert "### 🛑 `text tried`" in text
    outside, is_code = [], False
    for line in text.splitlines():
        if line.strip().startswith("```"):
            is_code = not is_code if line.strip() in ("````diff", "````", "```diff", "```") else is_code
        elif not is_code:
            outside.append(line)
    words = "\n".join(outside)
    assert "@team" not in words
    assert "<b>" not in words
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]


def test_the_report_can_be_read_again(given: Given) -> None:
    again = review_from_json(REVIEW_FORMATS["json"](given).encode())
    assert again.tried == given.tried
    assert (
        json.loads(REVIEW_FORMATS["json"](again))["tried"]
        == json.loads(REVIEW_FORMATS["json"](given))["tried"]
    )
    body = json.loads(REVIEW_FORMATS["json"](given))
    invalid: tuple[object, ...] = ([{}], "x", [1], [{**body["tried"][0], "parties": ["NOBODY"]}])
    for wrong in invalid:
        with pytest.raises(Exception, match="not a report"):
            review_from_json(json.dumps({**body, "tried": wrong}).encode())


def test_annotations_name_what_fails(given: Given) -> None:
    text = REVIEW_FORMATS["github"](given)
    assert "::error file=definitions/process_definition/text.yaml,line=1,title=text tried::one: " in text


def test_without_a_sandbox_the_command_refuses(
    registry: RepoBuilder, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    git = next(
        Path(folder, "git") for folder in os.environ["PATH"].split(":") if Path(folder, "git").exists()
    )
    (programs / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(programs))
    done = run("review", "--base", "HEAD", "--try", "-C", str(registry.root))
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(
        "error: --try runs programs of the change only in a sandbox, and there is none: "
    )
