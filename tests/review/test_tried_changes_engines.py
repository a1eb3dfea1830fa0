"""`registry review --try` in the real sandbox: a hostile change learns nothing of the host."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.programs import usable_sandbox
from tests.support.repo import RepoBuilder

pytestmark = pytest.mark.engine

EXAMPLE = "title: T\nowners: [t]\nexamples: [{title: one, input_text: a}]\n"


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    usable_sandbox()


def test_a_change_is_tried_in_the_sandbox(
    repo: RepoBuilder, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "the-token")
    (tmp_path / "secret").write_text("the-secret")
    repo.define("plain", f"{EXAMPLE}definition: {{exec: cat}}\n")
    repo.define("curious", f"{EXAMPLE}definition: {{exec: cat}}\n")
    repo.define("fixed", f"{EXAMPLE}definition: {{exec: cat}}\n")
    repo.commit()
    repo.define("plain", f"{EXAMPLE}definition: {{exec: tr, argv: [a, b]}}\n")
    script = f"env; cat {tmp_path}/secret; cat /etc/passwd; ls /home; touch {tmp_path}/marked; exit 0"
    repo.define("curious", f"{EXAMPLE}definition: {{exec: sh, argv: [-c, '{script}']}}\n")
    repo.define("fixed", f"{EXAMPLE}definition: {{exec: cat, argv: [secret], cwd: {tmp_path}}}\n")
    done = run("review", "--base", "HEAD", "--try", "-C", str(repo.root), "--format", "json")
    assert done.code == 0, done.err
    found = {one["title"]: one["examples"][0] for one in json.loads(done.out)["tried"]}
    assert (found["plain"]["verdict"], found["plain"]["lines"][-1]) == (
        "different",
        "+b (no line feed at the end)",
    )
    assert found["curious"]["verdict"] == "different"
    assert found["fixed"]["verdict"] == "not run"
    assert "which the definition needs" in found["fixed"]["reason"]
    assert "the-token" not in done.out
    assert "the-secret" not in done.out
    assert "root:" not in done.out
    assert not (tmp_path / "marked").exists()


def test_a_failed_example_of_the_change_fails_the_review(repo: RepoBuilder, run: Run) -> None:
    text = "title: T\nowners: [t]\nexamples: [{{title: one, input_text: a, output_text: a}}]\ndefinition: {{exec: tr, argv: [a, {}]}}\n"
    repo.define("plain", text.format("a"))
    repo.commit()
    repo.define("plain", text.format("b"))
    done = run("review", "--base", "HEAD", "--try", "-C", str(repo.root))
    assert done.code == 1
    assert "1 different, 1 failed" in done.out
