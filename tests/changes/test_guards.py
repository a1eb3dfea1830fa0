"""A change does not judge itself: the base decides about credentials, and what is loosened is reported."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from registry.changes.guards import loosened_settings
from registry.changes.schema_guards import loosened_schema
from registry.load.kinds import Kind
from registry.load.settings import parse_settings
from registry.load.x_registry import KindTraits
from tests.conftest import Run
from tests.support.repo import RepoBuilder

SECRET = "kXq9Lr2vTz81Wm4p"
RANDOM = "Qm4Zx81kLq93vbnT7rJ2pW6s"
HEAD = "title: T\nowners: [t]\ndefinition:\n  exec: /bin/a\n"
SCHEMA = Path(__file__).parents[2] / "schema"


def settings_of(text: str) -> Any:
    settings, problems = parse_settings(text.encode())
    assert problems == ()
    return settings


@pytest.mark.parametrize(
    ("old", "new", "pointers"),
    [
        ("", "rules: {X001: ignore}", ["/rules/X001"]),
        ("", "rules: {X001: warning}", ["/rules/X001"]),
        ("rules: {W202: error}", "", ["/rules/W202"]),
        ("rules: {W202: error}", "rules: {W202: warning}", ["/rules/W202"]),
        ("rules: {W120: error}", "rules: {}", ["/rules/W120"]),
        ("", "folders: {a/b: {R001: ignore}}", ["/folders/a~1b/R001"]),
        ("rules: {W202: error}", "rules: {W202: error}\nfolders: {a: {W202: warning}}", ["/folders/a/W202"]),
        ("folders: {a: {W202: error}}", "", ["/folders/a/W202"]),
        ("", "rules: {C110: safe}", ["/rules/C110"]),
        ("", "rules: {C202: ignore}", ["/rules/C202"]),
        ("fail_on: {FEED: risky}", "fail_on: {FEED: breaking}", ["/fail_on/FEED"]),
        ("fail_on: {FEED: risky}", "", ["/fail_on/FEED"]),
        ("fail_on: {FEED: risky}", "fail_on: {FEED: risky, a: {FEED: never}}", ["/fail_on/a/FEED"]),
        ("fail_on: {a: {FEED: risky}}", "", ["/fail_on/a/FEED"]),
        ("compat: [streamboss]", "", ["/compat"]),
        # Tighter, or nothing to do with it.
        ("", "rules: {W202: error}", []),
        ("", "rules: {W120: error}", []),
        ("", "rules: {X001: error}", []),
        ("fail_on: {FEED: breaking}", "fail_on: {FEED: risky}", []),
        ("", "fail_on: {FEED: never}", []),
        ("", "compat: [streamboss]", []),
        ("title: A", "title: B\nregistry_id: registry-1\npage_size: 7", []),
        ("folders: {a: {W202: ignore}}", "folders: {a: {W202: error}}", []),
        ("rules: {W202: ignore}", "rules: {W202: ignore}\nfolders: {a: {W202: warning}}", []),
    ],
)
def test_loosened_settings(old: str, new: str, pointers: list[str]) -> None:
    found = list(loosened_settings(settings_of(old), settings_of(new)))
    assert [(one.rule, one.level.value, one.pointer) for one in found] == [
        ("C202", "risky", pointer) for pointer in pointers
    ]


BASE: dict[str, Any] = {
    "type": "object",
    "required": ["title", "definition"],
    "additionalProperties": False,
    "patternProperties": {"^x-": True},
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^[a-z]+$"},
        "level": {"enum": ["a", "b"]},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "one": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "all": {"allOf": [{"minItems": 1}, {"$ref": "#/$defs/list"}]},
        "no": {"not": {"$ref": "#/$defs/bad"}},
        "if": {"if": {"const": 1}, "then": {"minimum": 1}},
        "definition": {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "items": {"type": "string"},
        },
    },
    "$defs": {"list": {"type": "array", "maxItems": 3}, "bad": {"enum": ["x", "y"]}},
}


def kind(schema: dict[str, Any]) -> Kind:
    return Kind("site", "", schema, KindTraits("Site", "Sites"))


@pytest.mark.parametrize(
    ("place", "value", "is_looser"),
    [
        ("required", ["title"], True),
        ("required", None, True),
        ("additionalProperties", True, True),
        ("additionalProperties", None, True),
        ("patternProperties/.", True, True),
        ("properties/title/type", ["string", "null"], True),
        ("properties/title/type", None, True),
        ("properties/title/minLength", 0, True),
        ("properties/title/maxLength", 10, True),
        ("properties/title/maxLength", None, True),
        ("properties/title/pattern", "^.*$", True),
        ("properties/title/pattern", None, True),
        ("properties/title", True, True),
        ("properties/title", {}, True),
        ("properties/level/enum", ["a", "b", "c"], True),
        ("properties/level/enum", None, True),
        ("properties/size/minimum", 0, True),
        ("properties/size/maximum", 10, True),
        ("properties/size/type", "number", True),
        ("properties/one/anyOf", [{"type": "string"}, {"type": "null"}, {"type": "array"}], True),
        ("properties/one/anyOf", [{"type": "string"}, {"type": ["null", "array"]}], True),
        ("properties/one/anyOf", None, True),
        ("properties/all/allOf", [{"minItems": 1}], True),
        ("properties/all/allOf", [{"minItems": 0}, {"$ref": "#/$defs/list"}], True),
        ("properties/no/not", None, True),
        ("properties/if/if", {"const": 2}, True),
        ("properties/if/then", {"minimum": 0}, True),
        ("properties/if/then", None, True),
        ("properties/definition/items", None, True),
        ("properties/definition/items/type", ["string", "object"], True),
        ("properties/definition/properties/a", None, True),
        ("$defs/list/maxItems", 4, True),
        ("$defs/bad/enum", ["x"], True),  # within a `not` the smaller set accepts more
        # New keys, tighter limits and words for people pass.
        ("properties/more", {"type": "string"}, False),
        ("properties/definition/properties/b", True, False),
        ("required", ["title", "definition", "level"], False),
        ("properties/title/minLength", 2, False),
        ("properties/title/maxLength", 8, False),
        ("properties/title/description", "A title", False),
        ("properties/title/x-note", "Ours", False),
        ("properties/level/enum", ["a"], False),
        ("properties/size/exclusiveMinimum", 1, False),
        ("properties/title", False, False),
        ("properties/one/anyOf", [{"type": "null"}, {"type": "string"}], False),
        ("properties/all/allOf", [{"minItems": 1}, {"$ref": "#/$defs/list"}, {"maxItems": 2}], False),
        ("$defs/list/maxItems", 2, False),
        ("title", "Site", False),
    ],
)
def test_loosened_schemas(place: str, value: Any, is_looser: bool) -> None:
    changed = copy.deepcopy(BASE)
    *steps, last = place.split("/")
    node = changed
    for step in steps:
        node = node[step]
    if value is None:
        del node[last]
    else:
        node[last] = value
    found = list(loosened_schema(kind(BASE), kind(changed)))
    assert bool(found) is is_looser, found
    assert {(one.rule, one.level.value) for one in found} <= {("C203", "risky")}
    assert list(loosened_schema(kind(changed), kind(copy.deepcopy(changed)))) == []


def base(repo: RepoBuilder, settings: str = "") -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n" + settings)
    repo.define("a", HEAD)
    repo.commit("base")
    repo.git("branch", "base")


def review(repo: RepoBuilder, run: Run) -> dict[str, Any]:
    outcome = run("review", "-C", str(repo.root), "--base", "base", "--format", "json")
    found: dict[str, Any] = json.loads(outcome.out)
    assert SECRET not in outcome.out
    assert RANDOM not in outcome.out
    return {**found, "code": outcome.code}


def rules(found: dict[str, Any]) -> list[str]:
    return [one["rule"] for one in found["problems"]]


def entries(found: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return [
        (one["path"], one["level"], sorted({each["rule"] for each in one["changes"]}))
        for one in found["changes"]["definitions"]
    ]


@pytest.mark.parametrize(
    "loosened", ["rules: {X001: ignore}\n", "rules: {X001: warning}\n", "folders: {b: {X001: ignore}}\n"]
)
@pytest.mark.parametrize("commits", [True, False])
def test_a_change_does_not_excuse_its_own_secret(
    repo: RepoBuilder, run: Run, loosened: str, commits: bool
) -> None:
    base(repo)
    repo.write("registry.yaml", "registry_id: registry-1\n" + loosened)
    repo.define("b/c", HEAD + f"  environment: {{DB_PASSWORD: {SECRET}}}\n")
    if commits:
        repo.commit("both")
    found = review(repo, run)
    assert (found["code"], rules(found)) == (1, ["X001"])
    assert ("registry.yaml", "risky", ["C202"]) in entries(found)
    for command in (("check", "--base", "base"), ("check", "--base", "base", "--changed")):
        outcome = run(*command, "-C", str(repo.root))
        assert (outcome.code, "X001" in outcome.out) == (1, True)


def test_the_base_can_excuse_what_the_change_does_not(repo: RepoBuilder, run: Run) -> None:
    base(repo, "rules: {X001: warning}\n")
    repo.define("b", HEAD + f"  environment: {{DB_PASSWORD: {SECRET}}}\n")
    repo.commit("add it")
    found = review(repo, run)
    assert (found["code"], [one["severity"] for one in found["problems"]]) == (0, ["warning"])


def test_a_loosened_rule_is_one_entry_of_a_review(repo: RepoBuilder, run: Run) -> None:
    base(repo, "rules: {W202: error}\nfail_on: {FEED: risky}\n")
    repo.write("registry.yaml", "registry_id: registry-1\nfolders: {b: {R001: ignore}}\n")
    repo.commit("loosen")
    found = review(repo, run)
    assert entries(found) == [("registry.yaml", "risky", ["C202"])]
    changes = found["changes"]["definitions"][0]["changes"]
    assert [(one["pointer"], one["old"], one["new"]) for one in changes] == [
        ("/folders/b/R001", "error", "ignore"),
        ("/rules/W202", "error", "warning"),
        ("/fail_on/FEED", "risky", "never"),
    ]
    assert found["code"] == 1  # `fail_on` of the base: risky
    assert (
        "the change relaxes its own checks: registry.yaml"
        in run("check", "-C", str(repo.root), "--base", "base").err
    )
    text = run("review", "-C", str(repo.root), "--base", "base").out
    assert "C202 /rules/W202: setting relaxed" in text
    assert "1 setting, schema or template file: 3 risky." in text
    for format_ in ("markdown", "github", "gitlab"):
        assert "C202" in run("review", "-C", str(repo.root), "--base", "base", "--format", format_).out


def own_schema(repo: RepoBuilder, **facts: Any) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMA / "process_definition.schema.json").read_text())
    schema["x-registry"] = schema["x-registry"] | facts
    repo.write("schema/process_definition.schema.json", json.dumps(schema))
    return schema


def test_fields_of_the_program_cannot_be_taken_out_of_sight(repo: RepoBuilder, run: Run) -> None:
    base(repo)
    own_schema(repo, secret_fields=[])
    repo.define("b", HEAD + f"  environment: {{OPAQUE: {RANDOM}, DB_PASSWORD: {SECRET}}}\n")
    repo.commit("both")
    assert rules(review(repo, run)) == ["X001", "X001"]
    outcome = run("build", "-C", str(repo.root))
    assert (outcome.code, outcome.out.count("X001") + outcome.err.count("X001")) == (1, 2)


SITE = {
    "title": "Site",
    "type": "object",
    "properties": {
        "definition": {"type": "object"},
        "title": {"type": "string"},
        "private": {"type": "object"},
    },
}


def test_fields_of_an_own_kind_are_those_of_the_base(repo: RepoBuilder, run: Run) -> None:
    base(repo)
    repo.write(
        "schema/site.schema.json",
        json.dumps({**SITE, "x-registry": {"secret_fields": ["/private", "/definition/blob"]}}),
    )
    repo.define("s", "title: S\nowners: [t]\ndefinition: {a: b}\n", "site")
    repo.commit("a kind")
    repo.git("branch", "-f", "base")
    repo.write("schema/site.schema.json", json.dumps(SITE))
    repo.define(
        "s",
        f"title: S\nowners: [t]\nprivate: {{password: {SECRET}}}\ndefinition: {{blob: {RANDOM}}}\n",
        "site",
    )
    repo.commit("both")
    found = review(repo, run)
    assert (found["code"], rules(found)) == (1, ["X001", "X001"])
    assert ("schema/site.schema.json", "risky", ["C203"]) in entries(found)
    diff = run("diff", "base..HEAD", "-C", str(repo.root)).out
    assert SECRET not in diff
    assert RANDOM not in diff


def test_a_build_finds_known_forms_in_every_kind_without_a_base(repo: RepoBuilder, run: Run) -> None:
    base(repo)
    repo.write("schema/site.schema.json", json.dumps(SITE))
    repo.define(
        "s", f"title: S\ndefinition: {{a: {{password: {SECRET}}}, url: 'https://u:{SECRET}@h/'}}\n", "site"
    )
    outcome = run("build", "-C", str(repo.root))
    assert (outcome.code, (outcome.out + outcome.err).count("X001")) == (1, 2)


def test_new_kinds_and_new_keys_pass(repo: RepoBuilder, run: Run) -> None:
    base(repo)
    repo.write("schema/site.schema.json", json.dumps(SITE))
    repo.define("s", "title: S\nowners: [t]\ndefinition: {a: b}\n", "site")
    adapter = json.loads((SCHEMA / "adapters/pipe.schema.json").read_text())
    repo.write("schema/adapters/queue.schema.json", json.dumps(adapter))
    schema = own_schema(repo)
    schema["properties"]["more"] = {"type": "string", "description": "More"}
    repo.write("schema/process_definition.schema.json", json.dumps(schema))
    repo.commit("more")
    found = review(repo, run)
    assert (found["code"], rules(found)) == (0, [])
    assert [one for one in entries(found) if one[1] != "safe"] == []


def test_templates_are_one_entry(repo: RepoBuilder, run: Run) -> None:
    base(repo)
    repo.write("site_templates/assets/extra.css", "a {}\n")
    repo.write("site_templates/base.html", "<p>mine</p>\n")
    repo.commit("templates")
    assert entries(review(repo, run)) == [("site_templates/assets/extra.css", "risky", ["C204"])]


def test_a_new_exception_is_reported_and_passes(repo: RepoBuilder, run: Run) -> None:
    base(repo)
    ignore = "ignore: [{rule: X001, path: /definition/environment, reason: The test database has no other}]\n"
    repo.define("a", ignore + HEAD + f"  environment: {{DB_PASSWORD: {SECRET}}}\n")
    repo.define(
        "b", "ignore: [{rule: W104, reason: Ours}]\ntitle: T\nowners: [t]\ndefinition: {exec: /root/b}\n"
    )
    repo.commit("exceptions")
    outcome = run("review", "-C", str(repo.root), "--base", "base", "--format", "json")
    found = json.loads(outcome.out)
    assert found["problems"] == []
    assert {path: "C205" in given for path, _, given in entries(found)} == {
        "definitions/process_definition/a.yaml": True,
        "definitions/process_definition/b.yaml": True,
    }
    repo.git("branch", "-f", "base")
    repo.define(
        "a", ignore.replace("has no other", "is empty") + HEAD + f"  environment: {{DB_PASSWORD: {SECRET}}}\n"
    )
    repo.commit("only the reason")
    outcome = run("review", "-C", str(repo.root), "--base", "base", "--format", "json")
    assert "C205" not in outcome.out
