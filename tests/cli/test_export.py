"""`registry export` to files."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.repo import APPLICATION, RepoBuilder

QC = """\
title: Quality control
owners: [weather]
tags: [weather]
definition:
  exec: /opt/qc
  argv: [--all, "it's"]
  process_type: service
"""
TIMED = "title: Timed\ndefinition: {exec: /opt/timed, timeout: 60}\n"
SECRET = "title: Secret\ndefinition: {exec: /bin/a, environment: {DB_PASSWORD: kXq9Lr2vTz81Wm4p}}\n"
LINE = "weather-qc: exec /opt/qc --all 'it'\"'\"'s'\n"


@pytest.fixture
def export(repo: RepoBuilder, run: Run) -> Run:
    """`registry export` in a registry with two processes and an application."""
    repo.define("weather/qc", QC)
    repo.define("timed", TIMED)
    repo.define("app", kind="application")
    repo.commit("Add definitions")

    def run_export(*words: str) -> object:
        return run("export", "-C", str(repo.root), *words)

    return run_export  # type: ignore[return-value]


def test_one_definition_to_standard_output(export: Run) -> None:
    done = export("weather/qc", "--to", "procfile")
    assert done.code == 0
    assert [line for line in done.out.splitlines(True) if not line.startswith("#")] == [LINE]
    assert "#   /owners, /tags: a Procfile has names and commands only\n" in done.out
    assert done.err == "Not carried: weather/qc: /owners, /tags: a Procfile has names and commands only\n"


def test_all_definitions_to_a_folder_with_the_wrapper(export: Run, tmp_path: Path) -> None:
    done = export("--all", "--to", "procfile", "--out", str(tmp_path / "out"))
    assert done.code == 0
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["Procfile", "registry-run"]
    text = (tmp_path / "out/Procfile").read_text()
    assert text.index("\ntimed: ") < text.index("\nweather-qc: ")
    assert (tmp_path / "out/registry-run").stat().st_mode & 0o777 == 0o755
    assert done.err.endswith(f"2 definitions exported to {tmp_path / 'out'} (1 file, Procfile)\n")
    assert export("--all", "--to", "procfile", "--out", str(tmp_path / "out")).code == 0  # no change


def test_the_wrapper_of_a_file_on_standard_output_is_named(export: Run) -> None:
    done = export("timed", "--to", "procfile")
    assert done.code == 0
    assert done.err.endswith("The text needs the script registry-run, which --out writes beside it.\n")
    assert "registry-run" not in export("weather/qc", "--to", "procfile").err


def test_containers_start_the_image_of_the_application(
    export: Run, repo: RepoBuilder, tmp_path: Path
) -> None:
    image = "container_image: registry.example.org/media:1\n"
    repo.define("media", image + APPLICATION, kind="application")
    repo.define("encode", TIMED.replace("timeout: 60", "timeout: 60, application: media"))
    commit = repo.commit("Add a job with an image")
    done = export("--all", "--to", "compose", "--out", str(tmp_path))
    assert done.code == 1
    why = "it has no application whose container_image could be started"
    for name in ("timed", "weather/qc"):
        assert f"{name}: /definition cannot be exported: {why}\n" in done.err
    text = (tmp_path / "compose.yaml").read_text()
    assert text.startswith('services:\n  encode:\n    image: "registry.example.org/media:1"\n')
    assert f'process-registry.commit: "{commit}"' in text
    assert (tmp_path / "registry-run").exists()
    done = export("encode", "--to", "kubernetes", "--out", str(tmp_path))
    assert done.code == 0
    assert 'kind: "Job"' in (tmp_path / "encode.yaml").read_text()


def test_strict_refuses_losses(export: Run, tmp_path: Path) -> None:
    for folder in ((), ("--out", str(tmp_path / "out"))):
        done = export("weather/qc", "--to", "procfile", "--strict", *folder)
        assert (done.code, done.out) == (1, "")
        assert "/owners, /tags" in done.err and done.err.endswith(
            "Nothing was written, because of --strict.\n"
        )
    assert not (tmp_path / "out").exists()


def test_existing_files_are_kept_without_force(export: Run, tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: mine\n")
    words = ("weather/qc", "--to", "procfile", "--out", str(tmp_path))
    done = export(*words)
    assert (done.code, done.out) == (3, "")
    assert f"{file} exists" in done.err and "--force" in done.err
    assert file.read_text() == "web: mine\n"
    assert export(*words, "--force").code == 0
    assert LINE in file.read_text()


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_nothing_is_written_if_one_file_cannot_be_replaced(export: Run, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "out/weather-qc.service"
    if kind == "folder":
        place.mkdir(parents=True)
    else:
        place.parent.mkdir()
        place.symlink_to(tmp_path / "target")
    done = export("--all", "--to", "systemd", "--out", str(tmp_path / "out"), "--force")
    what = "a link" if kind == "link" else "not a file"
    assert (done.code, done.out) == (3, "")
    assert f"{place} is {what}\nhint: remove it" in done.err
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["weather-qc.service"]


def test_json(export: Run) -> None:
    done = export("weather/qc", "--to", "procfile", "--format", "json")
    body = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert body["files"]["Procfile"].endswith(LINE)
    why = "a Procfile has names and commands only"
    assert body["lost"]["weather/qc"] == [{"field": "/owners", "why": why}, {"field": "/tags", "why": why}]
    assert body["refused"] == []


def test_each_definition_has_a_file_of_its_own(export: Run, tmp_path: Path) -> None:
    done = export("--all", "--to", "systemd")
    assert (done.code, done.out) == (2, "")
    assert "systemd unit has one file for each definition" in done.err and "--out" in done.err
    done = export("--all", "--to", "systemd", "--out", str(tmp_path / "units"))
    assert done.code == 0
    assert sorted(one.name for one in (tmp_path / "units").iterdir()) == [
        "timed.service",
        "weather-qc.service",
    ]
    assert "Description=Timed\n" in (tmp_path / "units/timed.service").read_text()


def test_losses_of_many_definitions_are_grouped(export: Run, repo: RepoBuilder) -> None:
    for number in range(8):
        repo.define(f"n{number}", f"title: Many\ntags: [t]\ndefinition: {{exec: /bin/n{number}}}\n")
    done = export("--all", "--to", "procfile")
    assert "Not carried: n0, n1, n2, n3, n4 and 3 more: /tags: a Procfile has names" in done.err


def test_a_refused_definition_and_an_exported_one(export: Run, repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("refused", 'title: R\ndefinition: {exec: /bin/r, argv: ["a\\nb"]}\n')
    words = ("refused", "weather/qc", "--to", "procfile")
    done = export(*words)
    assert done.code == 1
    assert done.out.endswith(LINE) and "refused" not in done.out
    assert (
        "refused: /definition/argv/0 cannot be exported: a Procfile cannot contain a line break\n" in done.err
    )
    body = json.loads(export(*words, "--format", "json").out)
    assert list(body["files"]) == ["Procfile"]
    assert body["refused"] == [
        {"name": "refused", "field": "/definition/argv/0", "why": "a Procfile cannot contain a line break"}
    ]
    strict = export(*words, "--strict", "--out", str(tmp_path / "out"), "--format", "json")
    assert (strict.code, json.loads(strict.out)["files"]) == (1, {})
    assert not (tmp_path / "out").exists()


def test_nothing_is_exported_while_there_are_errors(export: Run, repo: RepoBuilder) -> None:
    repo.define("secret", SECRET)
    done = export("secret", "--to", "procfile")
    assert (done.code, done.out) == (1, "")
    assert "X001" in done.err and done.err.endswith("error: the definitions have problems\n")
    assert "kXq9Lr2vTz81Wm4p" not in done.err


def test_definitions_with_one_entry_are_wrong_use(export: Run, repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("weather-qc")
    for format_ in ("procfile", "supervisord", "systemd"):
        done = export("weather/qc", "weather-qc", "--to", format_, "--out", str(tmp_path))
        assert (done.code, list(tmp_path.glob("*.*"))) == (2, [])
        assert "weather/qc and weather-qc would both be written to weather-qc" in done.err
        assert "export them into different folders with --out" in done.err


def test_a_commit_of_a_bare_repository(export: Run, repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    repo.define("weather/qc", QC.replace("--all", "--new"))
    repo.commit("Change it")
    repo.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    words = ("export", "-C", str(tmp_path / "bare.git"), "weather/qc", "--to", "procfile")
    assert "--new" in run(*words).out
    assert "--all" in run(*words, "--source", "HEAD~1").out


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ((), "name the definitions to export, or use --all", "registry export weather/qc --to systemd"),
        (("weather/qc", "--all"), "name the definitions to export, or use --all", ""),
        (("weather/qd",), "weather/qd", "weather/qc"),
        (("application/app",), "application/app cannot be exported to Procfile", "it has no command"),
        (("weather/qc", "--follow"), "--follow is for --to sql only", ""),
        (("weather/qc", "--source", "nowhere"), "nowhere", ""),
    ],
)
def test_wrong_use(export: Run, words: tuple[str, ...], error: str, hint: str) -> None:
    done = export(*words, "--to", "procfile")
    assert (done.code, done.out) == (2, "")
    assert error in done.err and hint in done.err
