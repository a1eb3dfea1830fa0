"""Loading: no definition is ever dropped in silence, and one bad file hides no other."""

from pathlib import Path

import pytest

from registry.load.kinds import load_kinds
from registry.load.loader import Loaded, load_definitions
from registry.load.source import WorkTree, open_source
from registry.pipeline import check_source
from tests.support.repo import RepoBuilder


def loaded(repo: RepoBuilder) -> Loaded:
    source = WorkTree(repo.root)
    return load_definitions(source, load_kinds(source)[0])


def test_name_kind_and_id_come_from_path_and_file(repo: RepoBuilder) -> None:
    repo.define("weather/qc", "id: 7\ntitle: T\ndefinition: {exec: x, argv: [b, a]}\n")
    repo.define("weatherapp", kind="application")
    both = loaded(repo).definitions
    assert [(one.kind, one.name, one.id) for one in both] == [
        ("process_definition", "weather/qc", 7),
        ("application", "weatherapp", None),
    ]
    assert list(both[0].inside.items()) == [("exec", "x"), ("argv", ["b", "a"])]


@pytest.mark.parametrize(
    ("path", "text", "rule", "message", "hint"),
    [
        (
            "process_definition/a.yml",
            "title: x",
            "Y023",
            "definition files end in .yaml, not .yml",
            "git mv",
        ),
        (
            "process_definition/a.YAML",
            "title: x",
            "Y023",
            "definition files end in .yaml, not .YAML",
            "git mv",
        ),
        (
            "a.yaml",
            "title: x",
            "Y024",
            "a definition must be in the folder of its kind",
            "move it to definitions/process_definition/",
        ),
        (
            "aplication/a.yaml",
            "title: x",
            "Y024",
            "`aplication` is not a kind",
            "did you mean `application`?",
        ),
        (
            "process_definition/a.yaml",
            "- x",
            "Y021",
            "the file is a list, not a map",
            "start with `title:` and `definition:`",
        ),
        ("process_definition/a.yaml", "just text", "Y021", "the file is text, not a map", "start with"),
        ("process_definition/a.yaml", "null", "Y021", "the file has no content", "start with"),
        ("process_definition/a.yaml", "", "Y007", "the file is empty", "start with"),
    ],
)
def test_what_cannot_be_meant_is_told(
    repo: RepoBuilder, path: str, text: str, rule: str, message: str, hint: str
) -> None:
    repo.define("good")
    repo.write(f"definitions/{path}", text)
    found = loaded(repo)
    assert [(p.rule, p.span.path) for p in found.problems] == [(rule, f"definitions/{path}")]
    assert message in found.problems[0].message
    assert hint in found.problems[0].hint
    assert [one.name for one in found.definitions] == ["good"]


def test_links_are_told_and_other_files_are_left_alone(repo: RepoBuilder) -> None:
    repo.define("good")
    repo.write("definitions/README.md", "# Read me")
    repo.write("definitions/process_definition/.hidden.yaml", "- no")
    (repo.root / "definitions/process_definition/link.yaml").symlink_to(Path("good.yaml"))
    found = loaded(repo)
    assert [(p.rule, p.message) for p in found.problems] == [("Y022", "a symbolic link is not read")]


def test_samples_are_there_and_small_or_told(repo: RepoBuilder) -> None:
    text = "title: T\nowners: [t]\nexamples: [{title: one, input_file: samples/%s}]\ndefinition: {exec: x}\n"
    for name in ("small", "large", "none", "link"):
        repo.define(name, text % name)
    repo.write("samples/small", "x")
    repo.write("samples/large", "x" * (1024 * 1024 + 1))
    (repo.root / "samples/link").symlink_to("/etc/hostname")
    for source in (WorkTree(repo.root), open_source(repo.root, repo.commit())):
        found = {
            one.span.path.rpartition("/")[2]: one.message
            for one in check_source(source).problems
            if one.rule == "R004"
        }
        assert found == {
            "large.yaml": "larger than 1 MiB: samples/large",
            "none.yaml": "missing file samples/none",
            "link.yaml": "missing file samples/link",
        }
