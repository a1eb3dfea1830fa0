"""Exported tools, run by cwltool in `make test-engines`."""

import json
from pathlib import Path
from typing import Any

import pytest

from registry.exchange.cwl import EXPORTER
from registry.exchange.cwl_import import read_cwl
from registry.exchange.exporter import Exportable, with_losses
from registry.exchange.importer import ImportOptions
from tests.execution.definitions import run
from tests.support.cwltool_runs import run_cwltool
from tests.support.reporter import HOSTILE_ARGUMENTS, HOSTILE_ENVIRONMENT, reported, reporter

pytestmark = pytest.mark.engine

# Tools that print their arguments or change their message, with positions, prefixes and escapes.
TOOLS = {
    "words": """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [/usr/bin/printf, "<%s>"]
arguments:
  - {position: 2, prefix: -T, valueFrom: last}
  - first
  - {position: 1, prefix: --x=, separate: false, valueFrom: "\\\\$(a) \\\\\\\\ $(inputs.half)\\\\x"}
  - "\\\\\\\\ stays"
inputs:
  zeta: {type: string, default: "a  b", inputBinding: {position: 1, prefix: -z}}
  number: {type: double, default: 1.5e-05, inputBinding: {position: 1, prefix: -n}}
  fraction: {type: float, default: 2.50, inputBinding: {position: 1, prefix: -f}}
  half: {type: float, default: 0.5, inputBinding: {position: 1, prefix: -h}}
  whole: {type: int, default: 7, inputBinding: {position: 1, prefix: -w}}
  alpha: {type: boolean, default: true, inputBinding: {position: 1, prefix: -a}}
  no: {type: boolean, default: false, inputBinding: {position: 1, prefix: -o}}
  self: {type: string, default: s, inputBinding: {position: -2, valueFrom: "[$(self)]"}}
  optional: {type: "string?", inputBinding: {prefix: -p}}
outputs: {output: stdout}
""",
    "sorted": """\
cwlVersion: v1.0
class: CommandLineTool
baseCommand: sort
inputs:
  - {id: reverse, type: boolean, default: true, inputBinding: {prefix: -r}}
  - {id: input, type: File, inputBinding: {position: 1}}
outputs:
  - {id: output, type: File, outputBinding: {glob: lines.txt}}
stdout: lines.txt
requirements:
  - {class: EnvVarRequirement, envDef: [{envName: LC_ALL, envValue: C}]}
""",
    "copied": """\
cwlVersion: v1.1
class: CommandLineTool
baseCommand: [cp, staged.txt]
arguments: [$(runtime.outdir)/copy.txt]
inputs: {input: File}
outputs: {output: {type: File, outputBinding: {glob: copy.txt}}}
requirements:
  InitialWorkDirRequirement: {listing: [{entryname: staged.txt, entry: $(inputs.input)}]}
""",
}


def write_tool(folder: Path, name: str, inside: dict[str, Any], **document: Any) -> Path:
    """The path of the exported tool."""
    application = document.pop("application", None)
    one = Exportable(
        "process_definition", name, 7, document | {"definition": inside}, application, revision=3
    )
    file = folder / EXPORTER.file_name(name)
    file.write_text(with_losses(EXPORTER, EXPORTER.export(one)), encoding="utf-8", newline="")
    return file


def write_job(folder: Path, message: str, **values: str) -> Path:
    """The path of a file with the inputs of a run."""
    (folder / "message.txt").write_text(message)
    job = folder / "job.json"
    job.write_text(json.dumps({"input": {"class": "File", "path": "message.txt"}} | values))
    return job


def file_adapters(**parameters: str) -> dict[str, Any]:
    """Both adapters with files."""
    return {
        f"{side}_adapter": {
            f"{side}_type": "file",
            f"{side}_params": {"file_path": f"${{{side}_file}}"} | (parameters if side == "output" else {}),
        }
        for side in ("input", "output")
    }


def test_tools_are_valid_without_warnings(tmp_path: Path) -> None:
    full = {
        "title": "Full: a tool",
        "description": "Several\nlines $(x)\n",
        "owners": ["a, b"],
        "tags": ["c+d"],
        "links": [{"href": "https://example.org/?a=b#c", "title": "T", "rel": "runbook"}],
        "cwd": "/srv",
        "application": {
            "container_image": "example.org/x:1",
            "container_resources": {"cpu": "500m", "memory": "1G"},
        },
    }
    tools = [
        write_tool(tmp_path, "a/b+c", reporter("x", environment={"A": "${TOKEN}"}), **full),
        write_tool(tmp_path, "天气/质检", {"exec": "true"}),
        write_tool(tmp_path, "files", {"exec": "cp"} | file_adapters(suffix=".nc")),
        write_tool(tmp_path, "none", {"exec": "true"} | {f"{side}_adapter": {f"{side}_type": "none"} for side in ("input", "output")}),
    ]  # fmt: skip
    for done in run_cwltool(*(["--validate", tool] for tool in tools)):
        assert done.status == 0, done.log
        assert "warn" not in done.log.lower(), done.log


def test_hostile_arguments_and_variables_arrive(tmp_path: Path) -> None:
    environment = HOSTILE_ENVIRONMENT | {"a.b": "odd name", "SECRET": "${TOKEN}"}
    tool = write_tool(tmp_path, "a/b", reporter(*HOSTILE_ARGUMENTS, environment=environment))
    job = write_job(tmp_path, "one\nmessage", env_TOKEN="$(1) ${x} \\$(")
    [done] = run_cwltool(["--outdir", tmp_path / "out", tool, job])
    assert done.status == 0, done.log
    report = reported((tmp_path / "out/output").read_bytes())
    assert report["arguments"] == list(HOSTILE_ARGUMENTS)
    assert report["message"] == "one\nmessage"
    found = {name: report["environment"].get(name) for name in environment}
    assert found == environment | {"SECRET": "$(1) ${x} \\$("}


def test_files_and_exit_statuses(tmp_path: Path) -> None:
    copy = write_tool(
        tmp_path,
        "copy",
        {"exec": "cp", "argv": ["${input_file}", "${output_file}"]} | file_adapters(suffix=".nc"),
    )
    fixed = write_tool(
        tmp_path,
        "fixed",
        {
            "exec": "cp",
            "argv": ["in.txt", "out.txt"],
            "input_adapter": {"input_type": "file", "input_params": {"file_path": "in.txt"}},
            "output_adapter": {"output_type": "file", "output_params": {"file_path": "out.txt"}},
        },
    )
    failing = write_tool(tmp_path, "failing", {"exec": "/bin/sh", "argv": ["-c", "exit 3"]})
    slow = write_tool(tmp_path, "slow", {"exec": "/bin/sleep", "argv": ["100"], "timeout": 0.5})
    job = write_job(tmp_path, "message")
    tools = (copy, fixed, failing, slow)
    runs = run_cwltool(*(["--outdir", tmp_path / tool.stem, tool, job] for tool in tools))
    assert [done.status for done in runs] == [0, 0, 1, 1], runs
    assert (tmp_path / "copy/output.nc").read_text() == "message"
    assert (tmp_path / "fixed/out.txt").read_text() == "message"
    assert "exceeded time limit" in runs[3].log


def test_an_imported_tool_gives_the_answer_of_cwltool(tmp_path: Path) -> None:
    job = write_job(tmp_path, "b\na\nc\n")
    words = []
    for name, text in TOOLS.items():
        (tmp_path / f"{name}.cwl").write_text(text)
        words.append(["--outdir", tmp_path / name, tmp_path / f"{name}.cwl", job])
    for (name, text), done in zip(TOOLS.items(), run_cwltool(*words), strict=True):
        assert done.status == 0, done.log
        (expected,) = (tmp_path / name).iterdir()
        (found,) = read_cwl(f"{name}.cwl", text, ImportOptions()).definitions
        result = run(found.document["definition"], b"b\na\nc\n")
        assert result.output == expected.read_bytes(), name
