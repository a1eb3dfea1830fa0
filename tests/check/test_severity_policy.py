"""A team's own severities, exceptions in files, and rules from plug-ins."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.repo import RepoBuilder

UNOWNED = "title: T\ndefinition: {exec: /bin/a}\n"


def rules(repo: RepoBuilder, run: Run) -> list[str]:
    lines = run("check", "--all", "-C", str(repo.root)).out.splitlines()
    return [
        " ".join(line.split(": ")[1].split()) for line in lines if ": error " in line or ": warning " in line
    ]


def test_severities_are_those_of_the_nearest_folder(repo: RepoBuilder, run: Run) -> None:
    for name in ("a", "experiments/b", "experiments/serious/c", "experiments-2/d"):
        repo.define(name, UNOWNED)
    assert rules(repo, run) == ["warning W202"] * 4
    repo.write(
        "registry.yaml",
        "rules: {W202: error}\nfolders:\n  experiments: {W202: ignore}\n  experiments/serious/: {W202: warning}\n",
    )
    assert rules(repo, run) == ["error W202", "error W202", "warning W202"]
    assert run("check", "-C", str(repo.root)).code == 1


def test_some_rules_are_silent_until_somebody_asks(repo: RepoBuilder, run: Run) -> None:
    for name in ("a", "strict/b"):
        repo.define(name)
    assert rules(repo, run) == []
    repo.write("registry.yaml", "folders: {strict: {W120: error}}\n")
    assert rules(repo, run) == ["error W120"]
    repo.write("registry.yaml", "rules: {W120: warning}\nfolders: {strict: {W120: ignore}}\n")
    assert rules(repo, run) == ["warning W120"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("rules: {W999: ignore}\n", "registry.yaml:1:1: error K003: unknown rule W999"),
        (
            "title: T\nrules: {S002: ignore}\n",
            "registry.yaml:2:1: error K003: the severity of S002 cannot be changed",
        ),
        (
            "rules: {W202: perhaps}\n",
            "error K002: `W202` cannot be `perhaps`",
        ),
        ("folders: {a: W202}\n", "error K002: `a` must be a map, not text"),
    ],
)
def test_severities_that_cannot_be_are_told(repo: RepoBuilder, run: Run, settings: str, said: str) -> None:
    repo.define("a")
    repo.write("registry.yaml", settings)
    outcome = run("check", "-C", str(repo.root))
    assert outcome.code == 1
    assert said in outcome.out


def test_an_exception_is_for_its_rule_at_its_path_and_below(repo: RepoBuilder, run: Run) -> None:
    definition = "definition: {exec: /root/a, cwd: /x/}\n"
    for path, expected in (
        ("", []),
        ("/definition/exec", []),
        ("/definition", []),
        ("/definition/ex", ["warning W204", "warning W104"]),
    ):
        repo.define(
            "a",
            f"title: T\nowners: [t]\nignore:\n- {{rule: W104, path: {path or '/'}, reason: Ours}}\n- {{rule: W107, reason: x}}\n{definition}",
        )
        assert rules(repo, run) == expected


def test_an_exception_holds_for_what_is_found_across_files_too(repo: RepoBuilder, run: Run) -> None:
    text = "title: A\nowners: [t]\nignore: [{rule: R002, reason: Used by hand}]\ndefinition: {mappings: {s: {iaas_image: i, iaas_allocation: a}}}\n"
    repo.define("app", text, "application")
    assert rules(repo, run) == []


PLUGIN = """
from registry.check.rule import Rule
from registry.model.problem import Severity

def find(rule, definition, registry):
    if definition.inside.get("exec", "").endswith(".sh"):
        yield rule.problem(definition, ("definition", "exec"), "a shell script", "write it in Python")
    if definition.name == "broken":
        raise KeyError("nonsense")

RULES = [Rule("ACME1", Severity.WARNING, "No shell scripts", "We do not test them.", "", "", find=find)]
NOT_RULES = ["ACME2"]
"""


def check_with(repo: RepoBuilder, folder: Path, entry: str) -> "subprocess.CompletedProcess[str]":
    """Run in a Python in which a package with an entry point is installed."""
    (folder / "acme-1.0.dist-info").mkdir(parents=True, exist_ok=True)
    (folder / "acme_rules.py").write_text(PLUGIN)
    (folder / "acme-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (folder / "acme-1.0.dist-info/entry_points.txt").write_text(f"[process_registry.rules]\nacme = {entry}\n")
    command = [sys.executable, "-m", "registry", "check", "-C", str(repo.root)]
    return subprocess.run(
        command,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_plug_in_brings_rules_that_teams_can_judge_and_except(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: /opt/a.sh}\n")
    done = check_with(repo, tmp_path / "lib", "acme_rules:RULES")
    assert "warning ACME1: a shell script" in done.stdout
    repo.write("registry.yaml", "rules: {ACME1: error}\n")
    assert check_with(repo, tmp_path / "lib", "acme_rules:RULES").returncode == 1
    repo.define(
        "a", "title: T\nowners: [t]\nignore: [{rule: ACME1, reason: Old}]\ndefinition: {exec: /opt/a.sh}\n"
    )
    assert check_with(repo, tmp_path / "lib", "acme_rules:RULES").returncode == 0


def test_a_plug_in_that_fails_is_named(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("broken")
    for entry, said in (
        ("acme_rules:RULES", "the rule ACME1 of a plug-in failed: KeyError"),
        ("acme_rules:NOT_RULES", "the plug-in `acme` provides 'str' instead of a Rule"),
        ("acme_rules:nothing", "the plug-in `acme` (acme_rules:nothing) cannot be loaded"),
    ):
        done = check_with(repo, tmp_path / "lib", entry)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), (
            done.stderr
        )
