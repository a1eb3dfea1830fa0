"""Runs every rule's own examples: what it says is bad is found, what it says is good is not."""

import re

import pytest

from registry.check import RULES, check
from registry.check.families import FAMILIES
from registry.check.rule import Rule
from registry.load.source import WorkTree
from registry.model.problem import Problem, Severity
from registry.pipeline import check_source
from registry.review.review import review
from tests.support.repo import RepoBuilder


def problems_of(repo: RepoBuilder, rule: Rule, text: str) -> list[Problem]:
    kind = {"machine": "application"}.get(rule.kind, "process_definition")
    for path, before in rule.before.items():
        repo.write(path, before)
    if rule.settings:
        repo.write("registry.yaml", rule.settings)
    if rule.before:
        repo.git("branch", "target", repo.commit())
    for path in rule.before:
        if path.endswith(".yaml") and path.startswith("definitions/"):
            (repo.root / path).unlink()
    for name, beside in rule.beside.items():
        if name.startswith("schema/"):
            repo.write(f"{name}.schema.json", beside)
        else:
            repo.define(name.split("/", 1)[1], beside, name.split("/", 1)[0])
    # A first line `file: NAME` gives the file another name than `example`; one with a slash in front is a path.
    named = re.match(r"file: (.*)\n", text)
    body = text[named.end() :] if named else text
    if named and named[1].startswith("/"):
        repo.define("example")
        repo.write(named[1][1:], body)
    else:
        assert repo.define(named[1] if named else "example", body, kind).exists()
    if rule.before:
        repo.commit()
        found = review(repo.root, "target").problems
    else:
        found = check_source(WorkTree(repo.root)).problems
    return [problem for problem in found if problem.rule == rule.id]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_bad_example_is_found_and_has_a_place(rule: Rule, repo: RepoBuilder) -> None:
    found = problems_of(repo, rule, rule.bad)
    assert len(found) == 1, found
    assert found[0].severity is rule.severity
    assert found[0].span.line >= 1
    assert found[0].message


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_good_example_is_not_found(rule: Rule, repo: RepoBuilder) -> None:
    assert problems_of(repo, rule, rule.good) == []


def test_rules_are_told_apart_by_their_ids_and_say_why() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[SIRAWX][0-9]{3}", number) for number in ids)
    assert all(rule.title and rule.why.endswith(".") for rule in RULES)
    assert all((rule.id[0] == "W") <= (rule.severity is Severity.WARNING) for rule in RULES)
    assert len(FAMILIES) == 11
    assert callable(check)


def test_a_reviewed_exception_silences_its_rule_and_no_other(repo: RepoBuilder) -> None:
    repo.define(
        "a",
        "title: T\nowners: [t]\nignore: [{rule: W104, reason: The host is ours}]\ndefinition: {exec: /root/a, cwd: /x/}\n",
    )
    assert [problem.rule for problem in check_source(WorkTree(repo.root)).problems] == ["W107"]


def test_how_a_file_is_written_cannot_be_excepted(repo: RepoBuilder) -> None:
    repo.define(
        "a",
        "title: T\nowners: [t]\nignore: [{rule: S002, reason: I like it}]\ndefinition: {exec: /bin/a, argz: []}\n",
    )
    assert [problem.rule for problem in check_source(WorkTree(repo.root)).problems] == ["W204", "S002"]
