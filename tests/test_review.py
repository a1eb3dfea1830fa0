"""`registry check --base`: what a change may do to ids, looked at as it would be after the merge."""

import json

import pytest

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
    return outcome, [f"{one['rule']} {one['path'].removeprefix(FOLDER + '/')}" for one in json.loads(outcome.out)["problems"]]


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


@pytest.mark.parametrize("is_committed", [True, False])
def test_each_thing_that_a_change_must_not_do_has_its_rule_place_and_hint(target: RepoBuilder, run: Run, is_committed: bool) -> None:
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
    expected = ["I031 a.yaml", "I030 by-hand.yaml", "I010 copy-of-b.yaml", "I033 elsewhere.yaml", "I035 registry.yaml"]
    assert sorted(problems) == sorted([*expected, "I034 definitions/ledger.jsonl"])
    said = run("check", "--base", "main", "-C", str(target.root)).out
    assert "the id 2 is also that of definitions/process_definition/b.yaml" in said
    assert "delete the id line in the copy" in said
    assert "write it back: id: 1" in said
    assert "bring it back as definitions/process_definition/gone.yaml" in said


def test_an_id_removed_and_one_given_to_another_file(target: RepoBuilder, run: Run) -> None:
    moved = text(target, "a")
    target.define("a", moved.replace("id: 1\n", ""))
    target.define("thief", moved)
    target.commit()
    assert sorted(check(target, run)[1]) == ["I031 a.yaml", "I032 thief.yaml"]


def test_what_counts_is_the_merge_with_the_target_as_it_is_now(target: RepoBuilder, run: Run) -> None:
    target.git("mv", f"{FOLDER}/a.yaml", f"{FOLDER}/renamed-and-changed.yaml")
    target.define("renamed-and-changed", "id: 1\n# all new\n" + "title: Other\nowners: [x]\ndefinition:\n  exec: /usr/bin/other\n  argv: [a, b, c]\n")
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
