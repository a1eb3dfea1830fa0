"""Every row of the table of changes, in both directions: what is said of a change, and of its undoing."""

import copy
from datetime import date
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from registry.changes import TABLE, Changed, Level, Side, compare
from registry.load import yaml
from registry.load.kinds import Kinds, load_kinds
from registry.load.settings import Settings
from registry.load.source import WorkTree
from registry.load.yaml.writer import to_yaml
from registry.model.definition import Definition, definition_path, summary_of

PROCESS = """
title: T
owners: [team]
definition:
  exec: /opt/x/run
  application: app
  process_type: single
  timeout: 60
  cwd: /srv
  environment: {LEVEL: info}
  argv: ["-a", "-b"]
  input_adapter: {input_type: pipe, input_params: {pipe_path: /in, framing: lines, content_type: text/csv, max_message_size: 10KB}}
  output_adapter: {output_type: pipe, output_params: {pipe_path: /out, framing: lines, content_type: text/csv, max_message_size: 10KB}}
"""
APPLICATION = """
title: A
owners: [team]
definition:
  mappings: {oslo: {iaas_image: i, iaas_allocation: small}}
  contextualization: {method: userdata, userdata: "#!/bin/sh"}
"""
TODAY = date(2026, 6, 1)


class Gone(Enum):
    """That a key is not there. Named, so that tests are called the same in every process."""

    GONE = "gone"


GONE = Gone.GONE
_IN, _OUT = "definition/input_adapter", "definition/output_adapter"
_STDIN = {"input_type": "file", "input_params": {"file_type": "stream", "stream_name": "STDIN"}}
_DEPRECATED = {"since": "2026-01-01", "sunset": "2026-12-01", "replaced_by": "b"}
_TOKEN = "hunter2-" + "Zx81kLq93vbn"

# Place (from the top, steps with /), old, new, what is said of old → new, and of new → old: rule level PARTIES.
CASES: list[tuple[str, Any, Any, str, str]] = [
    ("ignore", GONE, [{"rule": "W104", "reason": "Ours"}], "C205 risky", "C193 safe"),
    ("definition/exec", "/opt/x/run", "/opt/x/walk", "C110 breaking START", "C110 breaking START"),
    ("definition/exec", "/opt/x/run", "/opt/y/run", "C111 breaking START", "C111 breaking START"),
    ("definition/exec", "/opt/x/run", "run", "C112 risky START", "C111 breaking START"),
    ("definition/exec", "/opt/x/run", "/tmp/run", "C111 breaking START, C113 breaking START", "C111 breaking START"),
    ("definition/exec", "/opt/x/run", "/bin/bash", "C110 breaking START, C114 risky START", "C110 breaking START"),
    ("definition/application", "app", "other", "C120 breaking START", "C120 breaking START"),
    ("definition/application", "app", GONE, "C120 breaking START", "C120 breaking START"),
    ("definition/process_type", "single", "service", "C130 breaking FEED YIELD", "C130 breaking FEED YIELD"),
    ("definition/process_type", "single", GONE, "C131 safe", "C131 safe"),
    ("definition/timeout", 60, 30, "C140 breaking RUN", "C141 safe"),
    ("definition/timeout", 60, 120, "C141 safe", "C140 breaking RUN"),
    ("definition/timeout", 60, 121, "C142 risky RUN", "C140 breaking RUN"),
    ("definition/timeout", 60, GONE, "C142 risky RUN", "C140 breaking RUN"),
    ("definition/cwd", "/srv", "/srv2", "C150 risky START", "C150 risky START"),
    ("definition/environment/LEVEL", "info", GONE, "C160 breaking START", "C161 safe"),
    ("definition/environment/LEVEL", "info", "debug", "C162 risky START", "C162 risky START"),
    ("definition/environment/LEVEL", "info", "${LEVEL}", "C163 breaking START", "C164 breaking START FEED YIELD RUN FIND"),
    ("definition/environment/LD_PRELOAD", GONE, "/x.so", "C166 risky START", "C160 breaking START"),
    ("definition/environment/NEW", GONE, "${NEW}", "C163 breaking START", "C160 breaking START"),
    ("definition/environment/DB_PASSWORD", GONE, _TOKEN, "C164 breaking START FEED YIELD RUN FIND",
     "C160 breaking START, C165 risky START FEED YIELD RUN FIND"),
    ("definition/argv", ["-a", "-b"], ["-a"], "C170 breaking START", "C171 risky START"),
    ("definition/argv", ["-a", "-b"], ["-a", "-c"], "C171 risky START", "C171 risky START"),
    ("definition/argv", ["-a", "-b"], ["-b", "-a"], "C172 risky START", "C172 risky START"),
    ("definition/argv", ["-a", "-b"], GONE, "C170 breaking START", "C171 risky START"),
    ("definition/argv", ["-a"], ["-a", "${input_file}"], "C173 breaking FEED", "C173 breaking FEED"),
    ("definition/argv", ["-a"], ["-a", "${output_file}"], "C173 breaking YIELD", "C173 breaking YIELD"),
    (_IN, GONE, _STDIN, "C131 safe", "C131 safe"),
    (_IN, GONE, {"input_type": "none"}, "C180 breaking FEED", "C180 breaking FEED"),
    (f"{_IN}/input_type", "pipe", "append", "C180 breaking FEED", "C180 breaking FEED"),
    (f"{_OUT}/output_type", "pipe", "append", "C180 breaking YIELD", "C180 breaking YIELD"),
    (f"{_IN}/input_params/pipe_path", "/in", "/in2", "C181 breaking FEED", "C181 breaking FEED"),
    (f"{_OUT}/output_params/pipe_path", "/out", "/out2", "C181 breaking YIELD", "C181 breaking YIELD"),
    (f"{_IN}/input_params/framing", "lines", "nul", "C182 breaking FEED", "C182 breaking FEED"),
    (f"{_IN}/input_params/framing", "whole", GONE, "C131 safe", "C131 safe"),
    (f"{_OUT}/output_params/framing", "lines", GONE, "C182 breaking YIELD", "C182 breaking YIELD"),
    (f"{_IN}/input_params/content_type", "text/csv", "text/plain", "C183 breaking FEED", "C183 breaking FEED"),
    (f"{_IN}/input_params/content_type", "text/csv", GONE, "C184 safe", "C183 breaking FEED"),
    (f"{_OUT}/output_params/content_type", "text/csv", GONE, "C183 breaking YIELD", "C184 safe"),
    (f"{_IN}/input_params/max_message_size", "10KB", "10KiB", "C189 safe", "C185 breaking FEED"),
    (f"{_IN}/input_params/max_message_size", "10KB", GONE, "C189 safe", "C185 breaking FEED"),
    (f"{_OUT}/output_params/max_message_size", "10KB", 20000, "C188 risky YIELD", "C189 safe"),
    (f"{_IN}/input_params/chunk_size", GONE, "1KB", "C186 risky RUN", "C186 risky RUN"),
    (f"{_IN}/input_params/depth", GONE, 3, "C187 risky FEED", "C187 risky FEED"),
    (f"{_IN}/input_params", {"pipe_path": "/in"}, GONE, "C181 breaking FEED", "C181 breaking FEED"),
    (_IN, {"input_type": "pipe", "input_params": {"pipe_path": "/in"}}, {"input_type": "pipe", "input_parameters": {"pipe_path": "/in"}},
     "C200 safe", "C200 safe"),
    ("interface", GONE, {"input": {"media_types": ["text/csv"]}}, "C183 breaking FEED", "C184 safe"),
    ("interface", {"input": {"media_types": ["a/b"]}}, {"input": {"media_types": ["a/b", "a/c"]}}, "C184 safe", "C183 breaking FEED"),
    ("interface", {"output": {"media_types": ["a/b"]}}, {"output": {"media_types": ["a/b", "a/c"]}}, "C183 breaking YIELD", "C184 safe"),
    ("interface", {"input": {"schema": {"type": "object"}}}, {"input": {"schema": {"type": "array"}}}, "C201 risky FEED", "C201 risky FEED"),
    ("lifecycle", GONE, "production", "C131 safe", "C131 safe"),
    ("lifecycle", GONE, "deprecated", "C190 risky FIND", "C191 safe"),
    ("lifecycle", "deprecated", "experimental", "C195 risky FIND", "C190 safe FIND"),
    ("deprecation", GONE, _DEPRECATED, "C192 risky FIND", "C193 safe"),
    ("deprecation", _DEPRECATED, _DEPRECATED | {"sunset": "2026-08-01"}, "C192 risky FIND", "C193 safe"),
    ("owners", ["team"], ["other"], "C193 safe", "C193 safe"),
    ("description", GONE, "what it does", "C193 safe", "C193 safe"),
    ("examples", [{"input_text": "a", "output_text": "b"}], [{"input_text": "a", "output_text": "c"}], "C194 risky YIELD", "C194 risky YIELD"),
    ("examples", [{"output_size": {"max": 1}}], [{"output_size": {"max": 2}}], "C194 risky YIELD", "C194 risky YIELD"),
    ("examples", [{"output_contains": "a"}], [{"output_contains": "b"}], "C194 risky YIELD", "C194 risky YIELD"),
    ("examples", GONE, [{"input_text": "a", "output_text": "b"}], "C193 safe", "C193 safe"),
    ("x-cost", 1, 2, "C199 risky", "C199 risky"),
    ("definition/x-cost", 1, GONE, "C199 risky", "C199 risky"),
    ("definition/process_name", GONE, "n", "C198 risky", "C198 risky"),
]  # fmt: skip
APPLICATION_CASES: list[tuple[str, Any, Any, str, str]] = [
    ("definition/mappings/bergen", GONE, {"iaas_image": "i", "iaas_allocation": "s"}, "C124 safe", "C121 breaking RUN"),
    ("definition/mappings/oslo/iaas_image", "i", "j", "C122 risky START", "C122 risky START"),
    ("definition/contextualization/userdata", "#!/bin/sh", "#!/bin/sh -e", "C122 risky START", "C122 risky START"),
    ("definition/contextualization", {"method": "userdata", "userdata": "x"}, {"method": "chef-solo", "chef_config": {}},
     "C123 breaking START, C122 risky START, C122 risky START", "C123 breaking START, C122 risky START, C122 risky START"),
    ("container_image", GONE, "a/b:1", "C122 risky START", "C122 risky START"),
]  # fmt: skip


def define(data: dict[str, Any] | str, name: str = "a", kind: str = "process_definition") -> Definition:
    """A definition as the loader gives it."""
    text = data if isinstance(data, str) else to_yaml(data)
    path = definition_path(kind, name)
    document, problems = yaml.read(text.encode(), path)
    assert document is not None, problems
    number = document.data.get("id")
    return Definition(
        kind, name, number if isinstance(number, int) else None, document, summary_of(document.data, (), ())
    )


def put(text: str, place: str, value: object) -> dict[str, Any]:
    """The document with `value` at a place (`GONE`: without it)."""
    document: dict[str, Any] = YAML(typ="safe").load(text)
    *steps, last = place.split("/")
    node = document
    for step in steps:
        node = node.setdefault(step, {})
    if value is GONE:
        node.pop(last, None)
    else:
        node[last] = value
    return document


@lru_cache
def kinds() -> Kinds:
    """The schemas that come with the program."""
    return load_kinds(WorkTree(Path("/nonexistent")))[0]


def differ(
    before: list[Definition], after: list[Definition], settings: Settings | None = None
) -> tuple[Changed, ...]:
    """What changed, with the schemas that come with the program."""
    return compare(
        Side(before, kinds()),
        Side(after, kinds()),
        settings=settings or Settings(),
        today=TODAY,
        used_by=lambda _kind, _name: (),
    )


def said(changed: tuple[Changed, ...]) -> str:
    """Rule, level and parties of all changes."""
    return ", ".join(
        " ".join([one.rule, one.level.value, *one.parties]) for each in changed for one in each.meanings
    )


@pytest.mark.parametrize(
    ("place", "old", "new", "forward", "backward"), CASES, ids=lambda value: str(value)[:30]
)
def test_a_change_of_a_process_definition_and_its_undoing(
    place: str, old: object, new: object, forward: str, backward: str
) -> None:
    before, after = define(put(PROCESS, place, old)), define(put(PROCESS, place, new))
    assert said(differ([before], [after])) == forward
    assert said(differ([after], [before])) == backward


@pytest.mark.parametrize(
    ("place", "old", "new", "forward", "backward"), APPLICATION_CASES, ids=lambda value: str(value)[:30]
)
def test_a_change_of_an_application_and_its_undoing(
    place: str, old: object, new: object, forward: str, backward: str
) -> None:
    before, after = (define(put(APPLICATION, place, value), kind="application") for value in (old, new))
    assert said(differ([before], [after])) == forward
    assert said(differ([after], [before])) == backward


@pytest.mark.parametrize("argv", [["data/in.csv"], ["--in=data/in.csv"]])
def test_a_folder_under_relative_paths_is_breaking(argv: list[str]) -> None:
    before, after = (put(PROCESS, "definition/argv", argv) for _ in range(2))
    after["definition"]["cwd"] = "/elsewhere"
    assert said(differ([define(before)], [define(after)])) == "C151 breaking START"


def test_removing_and_adding() -> None:
    one = define(PROCESS)
    assert said(differ([one], [])) == "C101 breaking FIND"
    assert said(differ([], [one])) == "C104 safe"


@pytest.mark.parametrize(
    ("sunset", "expected"), [("2026-05-31", "C196 safe FIND"), ("2026-06-02", "C197 risky FIND")]
)
def test_removing_what_was_announced(sunset: str, expected: str) -> None:
    old = put(PROCESS, "lifecycle", "deprecated") | {"deprecation": _DEPRECATED | {"sunset": sunset}}
    assert said(differ([define(old)], [])) == expected


def test_a_rename_is_seen_by_the_id_whatever_else_changed() -> None:
    before, after = (
        define(f"id: 7{PROCESS}", "a"),
        define(f"id: 7{PROCESS}".replace("timeout: 60", "timeout: 5"), "b/c"),
    )
    (changed,) = differ([before], [after])
    assert (changed.what, changed.old_name, changed.name, changed.id) == ("renamed", "a", "b/c", 7)
    assert said((changed,)) == "C140 breaking RUN, C102 risky FIND"


def test_two_that_swap_their_names_are_two_renames() -> None:
    text = PROCESS.lstrip()
    before = [define(f"id: 1\n{text}", "a"), define(f"id: 2\n{text}", "b")]
    after = [define(f"id: 2\n{text}", "a"), define(f"id: 1\n{text}", "b")]
    assert said(differ(before, after)) == "C102 risky FIND, C102 risky FIND"


def test_another_id_under_the_same_name() -> None:
    assert said(differ([define(f"id: 1{PROCESS}")], [define(f"id: 9{PROCESS}")])) == "C103 breaking FIND"


def test_an_id_that_was_given_is_no_change() -> None:
    assert differ([define(PROCESS)], [define(f"id: 1{PROCESS}")]) == ()


def test_a_file_moved_before_it_had_an_id() -> None:
    assert said(differ([define(PROCESS, "a")], [define(PROCESS, "b")])) == "C102 risky FIND"


def test_what_was_experimental_counts_a_level_less_but_not_a_credential() -> None:
    old = put(PROCESS, "lifecycle", "experimental")
    assert (
        said(
            differ(
                [define(old)], [define(put(PROCESS, "definition/timeout", 5) | {"lifecycle": "experimental"})]
            )
        )
        == "C140 risky RUN"
    )
    assert said(differ([define(old)], [])) == "C101 risky FIND"
    leaking = copy.deepcopy(old)
    leaking["definition"]["environment"]["DB_PASSWORD"] = _TOKEN
    assert said(differ([define(old)], [define(leaking)])).startswith("C164 breaking")


def test_no_credential_is_shown() -> None:
    leaking = define(put(PROCESS, "definition/environment/DB_PASSWORD", _TOKEN))
    for changed in (differ([define(PROCESS)], [leaking]), differ([leaking], [define(PROCESS)])):
        assert "hidden" in repr(changed[0].meanings)
        assert _TOKEN not in repr(changed[0].meanings)


def test_order_comments_and_quotes_are_no_change() -> None:
    other = PROCESS.replace("title: T\nowners: [team]", "owners:\n  - 'team'  # us\ntitle: \"T\"")
    assert other != PROCESS
    assert differ([define(PROCESS)], [define(other)]) == ()


def test_spelling_counts_where_clients_of_old_read() -> None:
    before = define(PROCESS)
    after = define(PROCESS.replace("input_params", "input_parameters"))
    assert said(differ([before], [after], Settings(compat=("streamboss",)))) == "C200 risky START"


def test_a_registry_has_its_own_levels() -> None:
    before, after = define(PROCESS, "lab/a"), define(PROCESS.replace("timeout: 60", "timeout: 5"), "lab/a")
    assert said(differ([before], [after], Settings(rules={"C140": "safe"}))) == "C140 safe RUN"
    assert (
        said(differ([before], [after], Settings(rules={"C140": "safe"}, folders={"lab": {"C140": "risky"}})))
        == "C140 risky RUN"
    )
    assert differ([before], [after], Settings(rules={"C140": "ignore"})) == ()


def test_every_row_of_the_table_has_a_case() -> None:
    elsewhere = {"C101", "C102", "C103", "C104", "C151", "C196", "C197", "C202", "C203", "C204"}
    elsewhere |= {"C211", "C212", "C213"}  # tests/test_third_kind.py
    text = " ".join(forward + " " + backward for _, _, _, forward, backward in (*CASES, *APPLICATION_CASES))
    assert {rule for rule in TABLE if rule not in text} == elsewhere


def test_removal_and_its_undoing_are_not_both_breaking() -> None:
    """Whatever can be undone without harm says so: a whole document emptied and filled again."""
    small = define("title: T\nowners: [team]\ndefinition: {exec: /opt/x/run}\n")
    (back,) = differ([define(PROCESS)], [small])
    assert back.level is Level.BREAKING
