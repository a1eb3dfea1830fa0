"""`registry diff` and `registry review` on real repositories: what is compared, how it is said, how it ends."""

import copy
import json
import random
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from registry.model.diff import MISSING, diff, same
from registry.model.pointer import steps_of
from tests.conftest import Run
from tests.support.repo import RepoBuilder

PROCESS = "title: T\nowners: [team]\ndefinition:\n  exec: /bin/a\n  application: app\n  timeout: 60\n  environment: {LEVEL: info}\n"


@pytest.fixture
def registry(repo: RepoBuilder) -> RepoBuilder:
    """Three definitions and an application in one commit."""
    repo.define("app", kind="application")
    for name in ("a", "b", "c"):
        repo.define(name, PROCESS)
    repo.commit("start")
    return repo


class Tags(HTMLParser):
    """The names of all elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)


def compared(run: Run, repo: RepoBuilder, *words: str) -> dict[str, Any]:
    """What `registry diff --format json` says; its form is checked."""
    outcome = run("diff", *words, "-C", str(repo.root), "--format", "json")
    assert outcome.code in (0, 1), outcome.err
    body: dict[str, Any] = json.loads(outcome.out)
    jsonschema.validate(body, json.loads(run("diff", "--schema").out))
    return body


def test_nothing_changed(run: Run, registry: RepoBuilder) -> None:
    outcome = run("diff", "-C", str(registry.root))
    assert outcome.code == 0
    assert "No relevant changes" in outcome.out


def test_the_work_tree_and_two_commits_are_compared_alike(run: Run, registry: RepoBuilder) -> None:
    registry.define("a", PROCESS.replace("60", "30"))
    registry.define("new")
    (registry.root / "definitions/process_definition/b.yaml").unlink()
    in_work_tree = compared(run, registry)
    registry.commit("change")
    committed = compared(run, registry, "HEAD~1..HEAD")
    assert in_work_tree["definitions"] == committed["definitions"]
    assert in_work_tree["head"] is None
    assert committed["summary"] == {
        "added": 1,
        "removed": 1,
        "renamed": 0,
        "changed": 1,
        "breaking": 2,
        "risky": 0,
        "safe": 1,
    }
    (a,) = [one for one in committed["definitions"] if one["name"] == "a"]
    assert (
        a["changes"][0]["pointer"],
        a["changes"][0]["old"],
        a["changes"][0]["new"],
        a["changes"][0]["line"],
    ) == ("/definition/timeout", 60, 30, 6)


def test_a_changed_application_names_those_it_reaches(run: Run, registry: RepoBuilder) -> None:
    registry.define("unrelated")
    registry.define(
        "app",
        "title: App\nowners: [team]\ndefinition:\n  mappings: {inn: {iaas_image: image, iaas_allocation: small}}\n",
        kind="application",
    )
    (app,) = [one for one in compared(run, registry)["definitions"] if one["kind"] == "application"]
    assert app["affects"] == ["a", "b", "c"]
    registry.commit("change")
    (app,) = [
        one for one in compared(run, registry, "HEAD~1..HEAD")["definitions"] if one["kind"] == "application"
    ]
    assert app["affects"] == ["a", "b", "c"]


def test_another_application_tells_of_sites(run: Run, registry: RepoBuilder) -> None:
    registry.define(
        "other",
        "title: O\nowners: [team]\ndefinition:\n  mappings: {inn: {iaas_image: i, iaas_allocation: s}}\n",
        kind="application",
    )
    registry.commit("another")
    registry.define("a", PROCESS.replace("application: app", "application: other"))
    (a,) = compared(run, registry)["definitions"]
    assert "removed sites: hotel; added sites: inn" in a["changes"][0]["reason"]


@pytest.mark.parametrize(
    ("words", "settings", "code"),
    [
        ([], "", 0),
        (["--fail-on", "breaking"], "", 1),
        (["--fail-on", "never"], "fail_on: {RUN: breaking}\n", 0),
        ([], "fail_on: {RUN: breaking}\n", 1),
        ([], "fail_on: {FEED: breaking}\n", 0),
        ([], "fail_on: {RUN: breaking, lab: {RUN: never}}\n", 0),
    ],
)
def test_what_fails(run: Run, repo: RepoBuilder, words: list[str], settings: str, code: int) -> None:
    repo.write("registry.yaml", settings)
    repo.define("lab/a", "title: T\nowners: [team]\ndefinition: {exec: /bin/a, timeout: 60}\n")
    repo.commit("start")
    repo.define("lab/a", "title: T\nowners: [team]\ndefinition: {exec: /bin/a, timeout: 6}\n")
    assert run("diff", "-C", str(repo.root), *words).code == code


def test_a_change_does_not_loosen_what_it_is_judged_by(run: Run, registry: RepoBuilder) -> None:
    registry.write("registry.yaml", "fail_on: {RUN: breaking}\n")
    registry.commit("gate")
    registry.write("registry.yaml", "fail_on: {RUN: never}\nrules: {C140: ignore}\n")
    registry.define("a", PROCESS.replace("60", "30"))
    assert run("diff", "-C", str(registry.root)).code == 1


def test_what_cannot_be_compared_is_said_and_is_no_silence(
    run: Run, registry: RepoBuilder, tmp_path: Path
) -> None:
    registry.define("a", "title: [")
    outcome = run("diff", "-C", str(registry.root))
    assert outcome.code == 2
    assert "definitions/process_definition/a.yaml" in outcome.err
    assert run("diff", "nowhere", "-C", str(registry.root)).code == 2
    (tmp_path / "plain/definitions").mkdir(parents=True)
    assert run("diff", "-C", str(tmp_path / "plain")).code == 2


def test_hostile_text_stays_text_in_a_comment_and_on_a_page(run: Run, registry: RepoBuilder) -> None:
    title = "x</td><script>alert(1)</script> ```` @everyone [a](http://x) \u202e end"
    registry.define("a", PROCESS.replace("title: T", f"title: {json.dumps(title)}"))
    comment = run("diff", "-C", str(registry.root), "--format", "markdown").out
    fenced = comment.split("`````diff")[1].split("\n  `````")[0]
    assert "<script>" in fenced
    assert "<script>" not in comment.replace(fenced, "")
    page = run("diff", "-C", str(registry.root), "--format", "html").out
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.found
    assert "\u202e" not in comment + page


def test_a_long_comment_is_cut_with_a_pointer_to_the_rest(run: Run, repo: RepoBuilder) -> None:
    for number in range(400):
        repo.define(f"d{number}", PROCESS.replace("  application: app\n", ""))
    repo.commit("start")
    for number in range(400):
        repo.define(f"d{number}", PROCESS.replace("  application: app\n", "").replace("60", "30"))
    comment = run("diff", "-C", str(repo.root), "--format", "markdown").out
    assert 40_000 < len(comment.encode()) < 60_000
    assert "400 definitions changed" in comment.split("\n")[0]
    assert "`registry diff` shows everything" in comment


def test_side_by_side_on_a_wide_terminal(run: Run, registry: RepoBuilder) -> None:
    registry.define("a", PROCESS + "  argv: [" + ", ".join(f"--number-{n}" for n in range(30)) + "]\n")
    registry.commit("arguments")
    registry.define("a", PROCESS + "  argv: [" + ", ".join(f"--number-{n}" for n in range(29)) + "]\n")
    assert "│" in run("diff", "-C", str(registry.root)).out


def test_a_review_looks_at_the_result_of_the_merge(run: Run, registry: RepoBuilder) -> None:
    registry.git("checkout", "-q", "-b", "change")
    registry.define("a", PROCESS.replace("60", "30"))
    registry.commit("lower")
    registry.git("checkout", "-q", "main")
    registry.define("b", PROCESS.replace("60", "10"))
    registry.commit("beside it")
    outcome = run(
        "review", "-C", str(registry.root), "--base", "main", "--head", "change", "--format", "json"
    )
    body = json.loads(outcome.out)
    assert outcome.code == 0
    assert [one["name"] for one in body["changes"]["definitions"]] == [
        "a"
    ]  # not b: that is no change of this branch
    assert (
        run(
            "review", "-C", str(registry.root), "--base", "main", "--head", "change", "--fail-on", "breaking"
        ).code
        == 1
    )


def test_a_review_says_problems_and_meaning_in_one_report(run: Run, registry: RepoBuilder) -> None:
    registry.git("checkout", "-q", "-b", "change")
    registry.define("a", PROCESS.replace("app\n", "ap\n").replace("60", "30"))
    registry.commit("mistake")
    outcome = run(
        "review", "-C", str(registry.root), "--base", "main", "--head", "change", "--format", "markdown"
    )
    assert outcome.code == 1
    assert outcome.out.startswith("<!-- process-registry review -->")
    assert "R001" in outcome.out
    assert "C140" in outcome.out
    annotations = run(
        "review", "-C", str(registry.root), "--base", "main", "--head", "change", "--format", "github"
    ).out.splitlines()
    assert [line.split(" ")[0] for line in annotations if line.startswith("::")] == [
        "::error",
        "::warning",
        "::warning",
    ]
    assert "file=definitions/process_definition/a.yaml,line=6," in "\n".join(annotations)


def test_a_conflict_and_a_broken_file_are_no_silence(run: Run, registry: RepoBuilder) -> None:
    registry.git("checkout", "-q", "-b", "change")
    registry.define("a", PROCESS.replace("60", "30"))
    registry.commit("lower")
    registry.git("checkout", "-q", "main")
    registry.define("a", PROCESS.replace("60", "10"))
    registry.commit("lower more")
    outcome = run("review", "-C", str(registry.root), "--base", "main", "--head", "change")
    assert (outcome.code, "I036" in outcome.out, "No changes" in outcome.out) == (1, True, False)
    registry.git("checkout", "-q", "-b", "broken")
    registry.define("a", "title: [")
    registry.commit("broken")
    outcome = run("review", "-C", str(registry.root), "--base", "main", "--head", "broken")
    assert outcome.code == 1
    assert "not classified until the errors are fixed" in outcome.out


def test_a_clone_of_depth_one_is_reviewed_as_it_is(run: Run, registry: RepoBuilder, tmp_path: Path) -> None:
    registry.git("checkout", "-q", "-b", "change")
    registry.define("a", PROCESS.replace("60", "30"))
    registry.commit("lower")
    cold = tmp_path / "cold"
    cold.mkdir()
    for words in (
        ["init", "-q"],
        ["fetch", "-q", "--depth=1", registry.root.as_uri(), "main:main", "change:change"],
        ["checkout", "-q", "change"],
    ):
        subprocess.run(["git", *words], cwd=cold, check=True)
    outcome = run("review", "-C", str(cold), "--base", "main", "--head", "change")
    assert outcome.code == 0, outcome.err
    assert "C140" in outcome.out
    assert "the history is incomplete" in outcome.out


def apply(document: Any, changes: list[Any]) -> Any:
    """The document with changes made to it."""
    document = copy.deepcopy(document)
    for change in changes:
        *steps, last = steps_of(change.pointer)
        node = document
        for step in steps:
            node = node[step]
        if change.new is MISSING:
            del node[last]
        else:
            node[last] = copy.deepcopy(change.new)
    return document


def test_a_difference_applied_gives_the_other_document() -> None:
    rng = random.Random(20260601)

    def value(depth: int) -> Any:
        if depth and rng.random() < 0.5:
            return {rng.choice("ab/~c"): value(depth - 1) for _ in range(rng.randrange(4))}
        return rng.choice([1, 1.0, True, None, "x", [], [1, {"a": True}], {}])

    for _ in range(2000):
        one, other = ({"top": value(3), "b": value(2)} for _ in range(2))
        assert same(apply(one, diff(one, other)), other)
        assert diff(one, one) == []


def test_a_preview_names_the_change_and_marks_what_it_changes(
    run: Run, registry: RepoBuilder, tmp_path: Path
) -> None:
    registry.git("checkout", "-q", "-b", "change")
    registry.define("a", PROCESS.replace("60", "30"))
    registry.define("new")
    registry.commit("change")
    registry.git("checkout", "-q", "main")
    registry.define("c", PROCESS.replace("60", "10"))
    registry.commit("meanwhile")
    words = ["build", "-C", str(registry.root), "--source", "change", "--out", str(tmp_path / "site")]
    assert run(*words, "--preview", "pull request <12>", "--base", "main").code == 0
    index = (tmp_path / "site/index.html").read_text()
    assert "Preview of pull request &lt;12&gt;, not published yet: 1 definition changed, 1 added" in index
    page = {
        name: (tmp_path / f"site/process_definition/{name}/index.html").read_text()
        for name in ("a", "b", "c", "new")
    }
    assert ['class="badge changed"' in page["a"], 'class="badge added"' in page["new"]] == [True, True]
    assert not any('class="badge changed"' in page[name] for name in "bc")
    assert "/definition/timeout" in (tmp_path / "site/_changes/index.html").read_text()
    assert run(*words).code == 0
    assert "Preview" not in (tmp_path / "site/index.html").read_text()
    assert not (tmp_path / "site/changes").exists()
    assert run(*words, "--preview", "x").code == 2
