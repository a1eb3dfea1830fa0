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
    """`registry export` in a registry with three definitions."""
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


def test_json(export: Run) -> None:
    done = export("weather/qc", "--to", "procfile", "--format", "json")
    body = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert body["files"]["Procfile"].endswith(LINE)
    why = "a Procfile has names and commands only"
    assert body["lost"]["weather/qc"] == [{"field": "/owners", "why": why}, {"field": "/tags", "why": why}]
    assert body["refused"] == []


def test_refused_definitions(export: Run, repo: RepoBuilder) -> None:
    repo.define("secret", SECRET)
    done = export("secret", "timed", "--to", "procfile", "--format", "json")
    body = json.loads(done.out)
    # Definitions with errors are not exported at all.
    assert done.code == 1 and "timed" not in body.get("files", {})


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ((), "name the definitions to export, or use --all", "registry export weather/qc --to systemd"),
        (("weather/qc", "--all"), "name the definitions to export, or use --all", ""),
        (("weather/qd",), "weather/qd", "weather/qc"),
        (("application/app",), "application/app cannot be exported to Procfile", "it has no command"),
        (("weather/qc", "--follow"), "--follow is for --to sql only", ""),
    ],
)
def test_wrong_use(export: Run, words: tuple[str, ...], error: str, hint: str) -> None:
    done = export(*words, "--to", "procfile")
    assert (done.code, done.out) == (2, "")
    assert error in done.err and hint in done.err
