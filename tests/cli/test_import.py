"""Import of the 2013 service's JSON, as people really wrote it. The data here is made up; its mistakes are not."""

import json
from pathlib import Path

import pytest

from registry.load import yaml
from tests.conftest import Run
from tests.support.repo import RepoBuilder

# Of the shape of the manual's own example: a quote is missing after `val`, a colon after "output_adapter".
MANUAL = """{
    "exec": "/bin/thing",
    "application": "thingapp",
    "process_type": "typeofprocess",
    "environment": {"ENVAR": "val},
    "argv": ["-a", "b"],
    "input_adapter": {
        "input_type": "intype",
        "input_params": {"k": "v"}
    },
    "output_adapter" {
        "output_type": "outtype",
        "output_params": {"k": "v"}
    },
    "timeout": 10
}
"""
BY_HAND = """// kept by hand since 2013
{
    "exec": "/root/app/thing.py",
    'process_type': 'service',   // single quotes
    "environment": {"TOKEN": "FIXME", "LEVEL": "yes"},
    "cwd": "/root/app/",
}
"""


def document(repo: RepoBuilder, name: str) -> dict[str, object]:
    path = repo.root / f"definitions/process_definition/{name}.yaml"
    found, problems = yaml.read(path.read_bytes(), str(path))
    assert found is not None
    assert problems == ()
    data: dict[str, object] = found.data
    return data


@pytest.fixture
def where(repo: RepoBuilder) -> tuple[str, str]:
    (repo.root / "definitions").mkdir()
    return ("-C", str(repo.root))


def test_what_people_wrote_by_hand_is_read_and_said_once(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "by_hand.json").write_text(BY_HAND)
    outcome = run("import", str(tmp_path / "by_hand.json"), "--folder", "old", *where)
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("read as JSON5") == 1
    assert "TOKEN: placeholder value" in outcome.err
    data = document(repo, "old/by_hand")
    assert data["title"] == "By hand"
    assert data["definition"] == {
        "exec": "/root/app/thing.py",
        "process_type": "service",
        "environment": {"TOKEN": "FIXME", "LEVEL": "yes"},
        "cwd": "/root/app/",
    }
    assert run("check", *where).code == 0


def test_secrets_can_be_taken_from_the_environment(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(BY_HAND)
    assert run("import", str(tmp_path / "a.json"), "--secrets-from-env", *where).code == 0
    assert document(repo, "a")["definition"]["environment"] == {"TOKEN": "${TOKEN}", "LEVEL": "yes"}  # type: ignore[index]


def test_the_manuals_own_example_needs_the_two_repairs_and_shows_them(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "manual.json").write_text(MANUAL)
    refused = run("import", str(tmp_path / "manual.json"), *where)
    assert refused.code == 2
    assert "manual.json:5:" in refused.err
    for line in (
        '-    "environment": {"ENVAR": "val},',
        '+    "environment": {"ENVAR": "val"},',
        '-    "output_adapter" {',
        '+    "output_adapter": {',
    ):
        assert line in refused.err
    assert list((repo.root / "definitions").rglob("*.yaml")) == []
    repaired = run("import", str(tmp_path / "manual.json"), "--repair", *where)
    assert repaired.code == 0, repaired.err
    assert '+    "output_adapter": {' in repaired.err
    inside = document(repo, "manual")["definition"]
    assert inside == json.loads(
        MANUAL.replace('"val}', '"val"}').replace('"output_adapter" {', '"output_adapter": {')
    )
    assert list(inside) == [  # type: ignore[call-overload]
        "exec",
        "application",
        "process_type",
        "environment",
        "argv",
        "input_adapter",
        "output_adapter",
        "timeout",
    ]
    checked = run("check", *where)
    assert "`process_type` cannot be `typeofprocess`" in checked.out
    assert "this is a placeholder from the manual" in checked.out


def test_args_become_argv_and_old_spellings_stay_unless_asked(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    old = {
        "exec": "x",
        "args": ["-a"],
        "input_adapter": {"input_type": "file", "input_parameters": {"file": "/x"}},
    }
    (tmp_path / "kept.json").write_text(json.dumps(old))
    (tmp_path / "modern.json").write_text(json.dumps(old))
    assert "`args` is now `argv`" in run("import", str(tmp_path / "kept.json"), *where).err
    assert document(repo, "kept")["definition"] == {
        "exec": "x",
        "argv": ["-a"],
        "input_adapter": old["input_adapter"],
    }
    assert run("import", str(tmp_path / "modern.json"), "--modern", *where).code == 0
    assert document(repo, "modern")["definition"]["input_adapter"] == {  # type: ignore[index]
        "input_type": "file",
        "input_params": {"file_path": "/x"},
    }
    (tmp_path / "both.json").write_text(json.dumps({**old, "argv": []}))
    assert run("import", str(tmp_path / "both.json"), *where).code == 2


def test_a_list_of_the_old_service_keeps_its_ids(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    objects = [
        {
            "definition": {"exec": "/opt/b", "process_name": "bee"},
            "id": 12,
            "resource_uri": "/api/process_definition/12/",
        },
        {"definition": {"exec": "/opt/c.py"}, "id": 3, "resource_uri": "/api/process_definition/3/"},
    ]
    (tmp_path / "list.json").write_text(json.dumps({"meta": {"limit": 20}, "objects": objects}))
    assert run("import", str(tmp_path / "list.json"), *where).code == 0
    assert document(repo, "bee-12")["id"] == 12
    assert document(repo, "c-3")["id"] == 3
    repo.define("new")
    repo.commit()
    assert run("index", *where).code == 0
    assert document(repo, "new")["id"] == 13
    assert document(repo, "bee-12")["id"] == 12


def imported_list(folder: Path, **ids: int) -> str:
    objects = [
        {"definition": {"exec": f"/opt/{name}", "process_name": name}, "id": number}
        for name, number in ids.items()
    ]
    (folder / "list.json").write_text(json.dumps({"objects": objects}))
    return str(folder / "list.json")


def test_a_registry_that_has_given_ids_keeps_imported_ones_too(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    repo.define("a")
    repo.commit()
    assert run("index", *where).code == 0
    outcome = run("import", imported_list(tmp_path, bee=12, cat=40), *where)
    assert (outcome.code, "Commit on the main branch" in outcome.out) == (0, True), outcome.err
    repo.define("new")
    repo.commit()
    outcome = run("index", *where)
    assert (outcome.code, "not its own" in outcome.out) == (0, False), outcome.err
    assert [document(repo, name)["id"] for name in ("a", "bee-12", "cat-40", "new")] == [1, 12, 40, 41]
    assert run("ids", "verify", *where).code == 0
    assert "Nothing to do" in run("index", *where).out


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ({"bee": 1}, "the id 1 is also the id of definitions/process_definition/a.yaml"),
        ({"bee": 2}, "the id 2 was assigned to b, which was deleted"),
        ({"bee": 12, "cat": 12}, "the id 12 is also the id of"),
        ({"bee": 2**53}, "is larger than"),
        ({"bee": 2**53 - 1}, "is larger than"),
        ({"bee": 2**31}, "is larger than"),
    ],
)
def test_an_imported_id_of_another_definition_is_refused_and_nothing_written(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path, ids: dict[str, int], said: str
) -> None:
    repo.define("a")
    b = repo.define("b")
    repo.commit()
    run("index", *where)
    b.unlink()
    repo.commit()
    run("index", *where)
    outcome = run("import", imported_list(tmp_path, **ids), *where)
    assert (outcome.code, said in outcome.err, "--new-ids" in outcome.err) == (3, True, True), outcome.err
    assert repo.git("status", "--porcelain") == ""
    assert run("import", imported_list(tmp_path, **ids), "--new-ids", *where).code == 0
    assert "id" not in document(repo, f"bee-{ids['bee']}")


def test_a_fork_and_a_broken_ledger_take_no_ids(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    repo.define("a")
    repo.define("b")
    repo.commit()
    run("index", *where)
    settings = (repo.root / "registry.yaml").read_text()
    repo.write("registry.yaml", "registry_id: a-fork\n")
    assert "a fork assigns no ids" in run("import", imported_list(tmp_path, bee=12), *where).err
    repo.write("registry.yaml", settings)
    ledger = repo.root / "definitions/ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"id":1', '"id":9'))
    outcome = run("import", imported_list(tmp_path, bee=12), *where)
    assert (outcome.code, "registry index --recover --published URL" in outcome.err) == (3, True)
    assert not (repo.root / "definitions/process_definition/bee-12.yaml").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"exec": "a", "exec": "b"}', "duplicate key `exec`"),
        ('{"exec": "a", }}', "unexpected"),
        ("[1, 2]", "does not contain a JSON object"),
        ('{"exec": NaN}', "is not a valid JSON number"),
        ("", "the file is empty"),
        ("[" * 5000, ""),
        ('{"exec": "a', ""),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "bad.json").write_text(text)
    outcome = run("import", str(tmp_path / "bad.json"), *where)
    assert outcome.code == 2
    assert said.lower() in outcome.err.lower()
    assert list((repo.root / "definitions").rglob("*.yaml")) == []


def test_all_files_are_imported_or_none_and_nothing_is_overwritten(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "good.json").write_text('{"exec": "a"}')
    (tmp_path / "bad.json").write_text("{")
    assert run("import", str(tmp_path / "good.json"), str(tmp_path / "bad.json"), *where).code == 2
    assert list((repo.root / "definitions").rglob("*.yaml")) == []
    assert run("import", str(tmp_path / "good.json"), *where).code == 0
    again = run("import", str(tmp_path / "good.json"), *where)
    assert (again.code, "already exists" in again.err) == (2, True)
    for name in ("none.json", "good.txt"):
        assert run("import", str(tmp_path / name), *where).code == 2


def test_two_definitions_of_one_file_with_the_same_name_are_refused(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    one = '{"id": %d, "name": "qc", "resource_uri": "/", "definition": {}}'
    (tmp_path / "list.json").write_text(f'{{"objects": [{one % 1}, {one % 2}]}}')
    done = run("import", str(tmp_path / "list.json"), *where)
    assert done.code == 2
    assert (
        "two definitions of" in done.err and "written to definitions/process_definition/qc.yaml" in done.err
    )
    assert not (repo.root / "definitions/process_definition").exists()


@pytest.mark.parametrize("folder", ["../../x", "a/../b", ".", "a//b", "A B", "-x", ".git", "x\ny", "x" * 300])
def test_a_folder_that_is_no_part_of_a_name_is_refused(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path, folder: str
) -> None:
    (tmp_path / "qc.json").write_text('{"exec": "/opt/qc"}')
    before = sorted(repo.root.rglob("*"))
    done = run("import", str(tmp_path / "qc.json"), "--folder", folder, *where)
    assert (done.code, done.out) == (2, "")
    assert "error: no definition can have the name " in done.err
    assert sorted(repo.root.rglob("*")) == before


def test_a_file_of_an_unknown_format_is_named_with_the_formats(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text('{"exec": "a"}')
    outcome = run("import", str(tmp_path / "notes.txt"), *where)
    assert (outcome.code, "is of an unknown format" in outcome.err) == (2, True)
    assert "--from: " in outcome.err
    assert "json-2013" in outcome.err
    assert run("import", str(tmp_path / "notes.txt"), "--from", "json-2013", *where).code == 0
    assert document(repo, "notes")["definition"] == {"exec": "a"}


def test_all_files_that_cannot_be_imported_are_named_at_once(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "good.json").write_text('{"exec": "a"}')
    for name in ("bad", "worse"):
        (tmp_path / f"{name}.json").write_text("[]")
    (tmp_path / "bytes.json").write_bytes(b"\xff")
    names = ("bad", "good", "worse", "missing", "bytes")
    outcome = run("import", *(str(tmp_path / f"{name}.json") for name in names), *where)
    assert (outcome.code, "4 of 5 files cannot be imported" in outcome.err) == (2, True)
    assert "missing.json cannot be read" in outcome.err
    assert "bytes.json is not UTF-8" in outcome.err
    for name in ("bad", "worse"):
        assert f"{name}.json does not contain a JSON object" in outcome.err
    assert list((repo.root / "definitions").rglob("*.yaml")) == []
