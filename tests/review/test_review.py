"""`registry check --base`: what a change may do to ids, looked at as it would be after the merge."""

import json
import random
from typing import Any

import pytest

from registry.load.source import open_source
from registry.pipeline import check_source
from registry.review.review import review
from tests.conftest import Outcome, Run
from tests.support.repo import RepoBuilder

FOLDER = "definitions/process_definition"


@pytest.fixture
def target(repo: RepoBuilder, run: Run) -> RepoBuilder:
    """Main with the ids a: 1, b: 2, and 3 of `gone`, which was deleted; HEAD is on a branch from there."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    for name in ("a", "b", "gone"):
        repo.define(name)
    repo.commit()
    assert run("index", "-C", str(repo.root)).code == 0
    (repo.root / f"{FOLDER}/gone.yaml").unlink()
    repo.commit()
    assert run("index", "-C", str(repo.root)).code == 0
    repo.git("checkout", "-q", "-b", "change")
    return repo


def text(repo: RepoBuilder, name: str) -> str:
    return (repo.root / f"{FOLDER}/{name}.yaml").read_text()


def check(repo: RepoBuilder, run: Run) -> tuple[Outcome, list[str]]:
    outcome = run("check", "--base", "main", "-C", str(repo.root), "--format", "json")
    return outcome, [
        f"{one['rule']} {one['path'].removeprefix(FOLDER + '/')}"
        for one in json.loads(outcome.out)["problems"]
    ]


def test_good_changes_pass(target: RepoBuilder, run: Run) -> None:
    target.define("new")
    target.git("mv", f"{FOLDER}/a.yaml", f"{FOLDER}/renamed.yaml")
    target.define("b", text(target, "b").replace("/bin/b", "/bin/other"))
    target.define("gone", target.git("show", "main~2:" + f"{FOLDER}/gone.yaml") + "\n")
    assert check(target, run)[1] == []
    target.commit()
    assert check(target, run)[1] == []
    assert "id: 3" in text(target, "gone")


def test_a_re_add_without_an_id_is_a_new_definition(target: RepoBuilder, run: Run) -> None:
    target.define("gone")
    target.commit()
    assert check(target, run)[1] == []


@pytest.mark.parametrize("name", ["a-copy", "z-copy"])
def test_of_two_files_with_one_id_the_new_one_is_reported(target: RepoBuilder, run: Run, name: str) -> None:
    target.define(name, text(target, "b"))
    target.commit()
    assert [one for one in check(target, run)[1] if one.startswith("I010")] == [f"I010 {name}.yaml"]


@pytest.mark.parametrize("is_committed", [True, False])
def test_each_thing_that_a_change_must_not_do_has_its_rule_place_and_hint(
    target: RepoBuilder, run: Run, is_committed: bool
) -> None:
    target.define("by-hand", "id: 9\n" + "title: T\nowners: [t]\ndefinition: {exec: x}\n")
    target.define("a", text(target, "a").replace("id: 1", "id: 4"))
    target.define("copy-of-b", text(target, "b"))
    target.define("elsewhere", target.git("show", "main~2:" + f"{FOLDER}/gone.yaml"))
    ledger = target.root / "definitions/ledger.jsonl"
    ledger.write_text(ledger.read_text() + ledger.read_text().splitlines()[-1] + "\n")
    target.write("registry.yaml", "registry_id: another-1\n")
    if is_committed:
        target.commit()
    outcome, problems = check(target, run)
    assert outcome.code == 1
    expected = [
        "I031 a.yaml",
        "I030 by-hand.yaml",
        "I010 copy-of-b.yaml",
        "I033 elsewhere.yaml",
        "I035 registry.yaml",
    ]
    assert sorted(problems) == sorted([*expected, "I034 definitions/ledger.jsonl"])
    said = run("check", "--base", "main", "-C", str(target.root)).out
    assert "the id 2 is also the id of definitions/process_definition/b.yaml" in said
    assert "delete the id line of the copy" in said
    assert "restore it: id: 1" in said
    assert "restore it as definitions/process_definition/gone.yaml" in said


def test_an_id_removed_and_one_given_to_another_file(target: RepoBuilder, run: Run) -> None:
    moved = text(target, "a")
    target.define("a", moved.replace("id: 1\n", ""))
    target.define("thief", moved)
    target.commit()
    assert sorted(check(target, run)[1]) == ["I031 a.yaml", "I032 thief.yaml"]


def test_what_counts_is_the_merge_with_the_target_as_it_is_now(target: RepoBuilder, run: Run) -> None:
    target.git("mv", f"{FOLDER}/a.yaml", f"{FOLDER}/renamed-and-changed.yaml")
    target.define(
        "renamed-and-changed",
        "id: 1\n# all new\n"
        + "title: Other\nowners: [x]\ndefinition:\n  exec: /usr/bin/other\n  argv: [a, b, c]\n",
    )
    target.commit()
    assert check(target, run)[1] == []
    # Meanwhile somebody deletes `a` on main, and the index notes it.
    target.git("checkout", "-q", "main")
    (target.root / f"{FOLDER}/a.yaml").unlink()
    target.commit()
    assert run("index", "-C", str(target.root)).code == 0
    target.git("checkout", "-q", "change")
    assert check(target, run)[1] == ["I033 renamed-and-changed.yaml"]


def test_two_changes_that_do_not_fit_together_are_told_by_path(target: RepoBuilder, run: Run) -> None:
    target.define("a", text(target, "a").replace("/bin/a", "/bin/ours"))
    target.commit()
    target.git("checkout", "-q", "main")
    target.define("a", text(target, "a").replace("/bin/a", "/bin/theirs"))
    target.commit()
    target.git("checkout", "-q", "change")
    outcome, problems = check(target, run)
    assert (outcome.code, problems) == (1, ["I036 a.yaml"])
    assert "git merge main" in outcome.out


def test_a_target_that_is_not_there_is_wrong_use(target: RepoBuilder, run: Run) -> None:
    outcome = run("check", "--base", "nowhere", "-C", str(target.root))
    assert (outcome.code, "there is no commit 'nowhere' here" in outcome.err) == (2, True)
    assert run("check", "--base", "main", "--source", "change", "-C", str(target.root)).code == 0


def told(repo: RepoBuilder, run: Run, *words: str) -> list[str]:
    body = json.loads(run("check", *words, "-C", str(repo.root), "--format", "json").out)
    return sorted(f"{one['rule']} {one['path'].rpartition('/')[2]}" for one in body["problems"])


def test_changed_files_are_told_of_as_when_everything_is_checked(repo: RepoBuilder, run: Run) -> None:
    for number in range(8):
        repo.define(
            f"p{number}",
            f"id: {number + 1}\ntitle: T\nowners: [t]\ndefinition: {{exec: x, application: app-{number % 2}}}\n",
        )
    for number in range(2):
        repo.define(f"app-{number}", kind="application")
    repo.define("warned", "title: T\ndefinition: {exec: x}\n")
    repo.commit()
    assert told(repo, run) == ["W202 warned.yaml"]
    assert told(repo, run, "--changed") == []
    steps: dict[str, Any] = {
        "a mistake": lambda: repo.define(
            "p0", "id: 1\ntitle: T\nowners: [t]\ndefinition: {exec: x, args: []}\n"
        ),
        "a copy with its id": lambda: repo.define(
            "copy", "id: 3\ntitle: T\nowners: [t]\ndefinition: {exec: x}\n"
        ),
        "an application goes": (repo.root / "definitions/application/app-1.yaml").unlink,
        "an application is deprecated": lambda: repo.define(
            "app-0",
            "title: A\nowners: [t]\nlifecycle: deprecated\ndeprecation: {since: '2026-01-01'}\n"
            "definition: {mappings: {s: {iaas_image: i, iaas_allocation: a}}}\n",
            "application",
        ),
        "a name in other letters": lambda: repo.define("P5"),
        "nothing uses it": lambda: repo.define("lonely", kind="application"),
        "an unknown application": lambda: repo.define(
            "p6", "id: 7\ntitle: T\nowners: [t]\ndefinition: {exec: x, application: nowhere}\n"
        ),
        "no YAML": lambda: repo.define("p7", "title: ["),
        "a schema": lambda: repo.write("registry.yaml", "rules: {W202: error}\n"),
    }
    for name, step in steps.items():
        step()
        everything = [one for one in told(repo, run) if one != "W202 warned.yaml" or name == "a schema"]
        assert told(repo, run, "--changed") == [
            one for one in everything if not (one.startswith("R002 app-") and name != "a schema")
        ], name
    assert run("check", "--changed", "--source", "HEAD", "-C", str(repo.root)).code == 2


def test_changed_can_be_told_since_a_branch(target: RepoBuilder, run: Run) -> None:
    target.define("one", "title: T\nowners: [t]\ndefinition: {}\n")
    target.commit()
    target.define("two", "title: T\nowners: [t]\ndefinition: {}\n")
    assert told(target, run, "--changed") == ["S001 two.yaml"]
    assert told(target, run, "--changed", "--base", "main") == ["S001 one.yaml", "S001 two.yaml"]


@pytest.mark.parametrize("seed", range(12))
def test_reviewing_only_the_change_finds_what_reviewing_everything_finds(
    repo: RepoBuilder, seed: int
) -> None:
    rng = random.Random(seed)
    names = [f"{folder}/{stem}" for folder in ("x", "y") for stem in "abcdef"]

    def text(number: int | None) -> str:
        application = f"  application: {rng.choice(('app', 'app2', 'apq'))}\n" if rng.random() < 0.6 else ""
        return (
            f"id: {number}\n" if number else ""
        ) + f"title: T{rng.random()}\nowners: [team]\ndefinition:\n  exec: /bin/x\n{application}"

    for name in ("app", "app2"):
        repo.define(name, kind="application")
    for number, name in enumerate(names, 1):
        repo.define(name, text(number))
    repo.commit("start")
    repo.git("checkout", "-q", "-b", "change")
    for _ in range(rng.randrange(1, 4)):
        name = rng.choice(names)
        file = repo.root / f"definitions/process_definition/{name}.yaml"
        what = rng.randrange(5)
        if what == 0:
            file.unlink(missing_ok=True)
        elif what == 1 and file.exists():
            file.rename(file.with_name(f"moved{rng.randrange(3)}.yaml"))
        elif what == 2:
            (repo.root / "definitions/application/app2.yaml").unlink(missing_ok=True)
        else:
            repo.define(name, text(rng.choice((None, rng.randrange(1, 15)))))
    repo.git("add", "-A")
    repo.git("commit", "-q", "--allow-empty", "-m", "change")
    touched = set(repo.git("diff", "--name-only", "--no-renames", "main", "change").splitlines())
    everything = review(repo.root, "main", "change").problems
    there_before = {
        (one.rule, one.span.path, one.message)
        for one in check_source(open_source(repo.root, "main")).problems
    }
    # R002, an application that nobody uses any more, is for the whole registry alone to say.
    wanted = {one for one in everything if one.rule != "R002"}
    wanted = {
        one
        for one in wanted
        if one.span.path in touched or (one.rule, one.span.path, one.message) not in there_before
    }
    assert wanted <= set(review(repo.root, "main", "change", of_change=True).problems) <= set(everything)
