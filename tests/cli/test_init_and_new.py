"""A new registry and new definitions: from nothing to a built site, with no mistake on the way."""

from pathlib import Path

import pytest

from registry.load.settings import parse_settings
from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.terminal import converse


def test_a_new_registry_checks_indexes_and_builds(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "processes"
    outcome = run("init", str(root), "--title", "Ours: the processes")
    assert outcome.code == 0
    for name in (
        "registry.yaml",
        "README.md",
        ".gitignore",
        ".vscode/settings.json",
        ".github/workflows/registry.yml",
        "schema/process_definition.schema.json",
        "schema/adapters.schema.json",
        ".git",
    ):
        assert (root / name).exists(), name
    repo = RepoBuilder(root)
    repo.commit("start")
    where = ("-C", str(root))
    assert run("check", *where).out == "1 definition checked. No problems.\n"
    assert run("index", *where).code == 0
    assert run("build", *where).code == 0
    index = (root / "site/index.html").read_text(encoding="utf-8")
    assert "Ours: the processes" in index
    assert index.count("Built from commit") == 1
    # The commands of the README include `registry serve`.
    assert "process-registry[serve] @ git+" in (root / "README.md").read_text(encoding="utf-8")
    assert repo.git("status", "--porcelain") == ""


def test_what_is_there_already_stays(tmp_path: Path, run: Run) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert run("init", str(tmp_path)).code == 0
    assert (tmp_path / "README.md").read_text() == "mine"
    settings = (tmp_path / "registry.yaml").read_text()
    assert run("init", str(tmp_path)).code == 3
    assert (tmp_path / "registry.yaml").read_text() == settings


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["process_definition", "text/upper", "--exec", "/usr/bin/tr", "--arg", "a-z", "--arg", "A-Z"],
            "argv: [a-z, A-Z]",
        ),
        (["process_definition", "odd", "--exec", "yes", "--title", "a: b", "--arg", "0777"], 'exec: "yes"'),
        (
            ["process_definition", "long/lived.one", "--exec", "x", "--process-type", "service"],
            "process_type: service",
        ),
        (["application", "my-app"], "iaas_image: image-name"),
    ],
)
def test_a_new_definition_is_commented_and_without_errors(
    repo: RepoBuilder, run: Run, words: list[str], expected: str
) -> None:
    repo.define("other")
    outcome = run("new", *words, "-C", str(repo.root))
    assert outcome.code == 0, outcome.err
    text = (repo.root / f"definitions/{words[0]}/{words[1]}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../")
    assert expected in text
    assert "# owners:" in text
    assert run("check", "-C", str(repo.root)).code == 0
    again = run("new", *words, "-C", str(repo.root))
    assert (again.code, "already exists" in again.err) == (2, True)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a//b", ".hidden", "", "a/../../b"])
def test_a_name_that_leads_elsewhere_is_refused(
    repo: RepoBuilder, run: Run, name: str, tmp_path: Path
) -> None:
    repo.define("other")
    before = sorted(tmp_path.rglob("*.yaml"))
    outcome = run("new", "process_definition", name, "--exec", "x", "-C", str(repo.root))
    # `/etc/evil` becomes the name etc/evil, below the kind's folder.
    assert outcome.code == (0 if name == "/etc/evil" else 2)
    written = sorted(set(tmp_path.rglob("*.yaml")) - set(before))
    assert all(path.is_relative_to(repo.root / "definitions/process_definition") for path in written)


def test_without_a_terminal_nothing_is_asked(repo: RepoBuilder, run: Run) -> None:
    repo.define("other")
    outcome = run("new", "process_definition", "a", "-C", str(repo.root))
    assert (outcome.code, "--exec is missing" in outcome.err) == (2, True)
    assert (
        "did you mean `process_definition`?"
        in run("new", "process-definition", "a", "-C", str(repo.root)).err
    )


def test_on_a_terminal_it_asks(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("app", kind="application")
    code, shown = converse(
        ["new", "process_definition", "asked", "-C", str(repo.root)],
        [
            ("Title", "Asked for\n"),
            ("Executable", "/bin/echo\n"),
            ("single or service", "\n"),
            ("Application", "app\n"),
        ],
        tmp_path,
    )
    assert code == 0, shown
    text = (repo.root / "definitions/process_definition/asked.yaml").read_text()
    assert "title: Asked for\n" in text
    assert "  exec: /bin/echo\n  application: app\n  process_type: single" in text


@pytest.mark.parametrize(
    ("remote", "ci", "inside", "expected"),
    [
        ("git@github.com:o/r.git", "github", "", {"repo_url": "https://github.com/o/r"}),
        (
            "https://me:secret@git.example.org/o/r.git",
            "forgejo",
            "services/reg",
            {
                "repo_url": "https://git.example.org/o/r",
                "repo_type": "forgejo",
                "repo_folder": "services/reg",
            },
        ),
        ("https://git.example.org/o/r.git", "none", "", {}),
        ("/srv/git/r.git", "github", "", {}),
    ],
)
def test_the_repository_of_the_remote_is_in_the_settings(
    tmp_path: Path, run: Run, remote: str, ci: str, inside: str, expected: dict[str, str]
) -> None:
    repo = RepoBuilder(tmp_path / "repo")
    repo.git("remote", "add", "origin", remote)
    assert run("init", str(repo.root / inside), "--ci", ci).code == 0
    text = (repo.root / inside / "registry.yaml").read_text(encoding="utf-8")
    assert "secret" not in text
    settings, problems = parse_settings(text.encode())
    assert not problems
    links = ("repo_url", "repo_type", "repo_folder")
    assert {key: value for key in links if (value := getattr(settings, key))} == expected
