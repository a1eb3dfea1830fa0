"""Batch scripts, run by the shell of this machine. test_slurm_engines submits them."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.exchange.exporter import Exportable, NotExportableError, with_losses
from registry.exchange.fields import DEFINITION_PARTS
from registry.exchange.slurm import EXPORTER
from tests.support.hostile_text import NAMES

PRINTF = {"exec": "/usr/bin/printf"}
FILE = {"file_path": "${input_file}"}


def exportable(
    inside: dict[str, Any], application: dict[str, Any] | None = None, **document: Any
) -> Exportable:
    return Exportable(
        "process_definition", "text/remove-x", 7, document | {"definition": inside}, application, revision=3
    )


def script_of(inside: dict[str, Any], application: dict[str, Any] | None = None, **document: Any) -> str:
    return with_losses(EXPORTER, EXPORTER.export(exportable(inside, application, **document)))


def lost(inside: dict[str, Any], **document: Any) -> list[str]:
    return [loss.field for loss in EXPORTER.export(exportable(inside, **document)).losses]


def options_of(script: str) -> list[str]:
    """What sbatch reads: it stops at the first line that is neither empty nor a comment."""
    assert script.startswith("#!/bin/sh\n")
    assert "\r\n" not in script, "sbatch refuses such a script"
    found = []
    for line in script.split("\n"):
        if line.startswith("#SBATCH"):
            found.append(line.removeprefix("#SBATCH "))
        elif line.strip() and not line.startswith("#"):
            break
    return found


def run_script(
    script: str, *words: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a script as a job does: from a copy, with its words as arguments."""
    command = ["/bin/sh", "-c", script, "script", *words]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, check=False)


def printed(script: str, *words: str, cwd: Path | None = None, **variables: str) -> list[str]:
    """The texts that a script prints, each with a NUL after it."""
    done = run_script(script, *words, cwd=cwd, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split("\0")[:-1]


HOSTILE = st.lists(
    st.sampled_from(
        ["'", '"', "\\", "$", "`", "$(id)", "\r", "\n", "\n#SBATCH --x\n", " ", "%a", "${input_file}"]
    )
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3),
    max_size=8,
).map("".join)


def test_a_script_of_a_filter() -> None:
    script = script_of(
        {
            "exec": "/usr/bin/tr",
            "argv": ["-d", "x y"],
            "environment": {"LC_ALL": "C.UTF-8"},
            "timeout": 120,
            "cwd": "/srv/my data",
        },
        title="Remove every x",
        description="Deletes\nthe letter x.",
    )
    assert script == (
        "#!/bin/sh\n"
        "# text/remove-x, id 7, revision 3\n"
        "# Remove every x\n"
        "# Deletes\n"
        "# the letter x.\n"
        "#\n"
        "# One message: sbatch --wait --input=MESSAGE --output=ANSWER --error=LOG text-remove-x.sbatch\n"
        "# Many messages: sbatch --wait --array=1-20 --input=message-%a --output=answer-%a --error=log-%a"
        " text-remove-x.sbatch\n"
        "#SBATCH --job-name=text-remove-x\n"
        "#SBATCH --comment=text/remove-x@3\n"
        "#SBATCH --time=2\n"
        "#SBATCH --export=NONE\n"
        "\n"
        'export PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}"\n'
        "cd '/srv/my data' || exit\n"
        "exec env -- LC_ALL=C.UTF-8 /usr/bin/tr -d 'x y'\n"
    )


def test_a_time_limit_is_in_minutes() -> None:
    assert "--time=1" in options_of(script_of({"exec": "x", "timeout": 0.5}))
    assert "--time=2" in options_of(script_of({"exec": "x", "timeout": 61}))
    assert lost({"exec": "x", "timeout": 61}) == ["/definition/timeout"]
    assert lost({"exec": "x", "timeout": 60}) == []


def test_losses_are_comments_after_the_first_line() -> None:
    script = script_of({"exec": "x", "application": "app"}, owners=["a"])
    assert script.startswith("#!/bin/sh\n# Not carried by Slurm:\n")
    assert re.findall(r"^#   (/\S+): ", script, re.MULTILINE) == ["/owners", "/definition/application"]


def test_cores_and_memory_are_those_of_the_application() -> None:
    application = {"container_resources": {"cpu": 1.5, "memory": "1G"}}
    options = options_of(script_of({"exec": "x", "application": "app"}, application))
    assert {"--cpus-per-task=2", "--mem=954M"} <= set(options)


@given(st.lists(HOSTILE, max_size=4), HOSTILE, HOSTILE)
@settings(max_examples=60)
def test_hostile_arguments_arrive(argv: list[str], title: str, description: str) -> None:
    arguments = ["%s\\0", *argv, "end"]
    script = script_of(PRINTF | {"argv": arguments}, title=title, description=description)
    assert options_of(script) == ["--job-name=text-remove-x", "--comment=text/remove-x@3", "--export=NONE"]
    assert printed(script) == [*argv, "end"]


@given(st.dictionaries(st.sampled_from(["A", "IFS", "UID", "a.b", "é-", "-x"]), HOSTILE))
@settings(max_examples=60)
def test_hostile_variables_arrive(environment: dict[str, str]) -> None:
    environment = {name: f"<{value}>" for name, value in environment.items()}
    script = script_of({"exec": "/usr/bin/env", "argv": ["-0"], "environment": environment})
    found = dict(one.split("=", 1) for one in printed(script, PATH="/usr/bin:/bin", A="of the login"))
    assert found | environment == found
    added_by_shells = {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}
    assert set(found) - set(environment) <= {*added_by_shells, "A"}


@pytest.mark.parametrize("environment", [{}, {"A": "1"}])
def test_programs_with_hostile_names_start(tmp_path: Path, environment: dict[str, str]) -> None:
    names = [
        "a b",
        "$x",
        "%s",
        "~x",
        ";",
        "#x",
        "-x",
        "@x",
        ":x",
        "+x",
        "!x",
        "|x",
        "if",
        "cd",
        "exec",
        "{",
        "&",
        "[x]",
        "x=y",
        "-x=y",
    ]
    for name in names:
        program = tmp_path / name
        program.write_text('#!/bin/sh\nprintf "%s\\0" "$0" "$A"\n')
        program.chmod(0o755)
        for found in (name, str(program)):
            script = script_of({"exec": found, "environment": environment})
            path, value = printed(script, PATH=f"{tmp_path}:/usr/bin:/bin")
            assert (Path(path), value) == (program, environment.get("A", ""))


@given(NAMES)
@settings(max_examples=20)
def test_options_have_no_blanks(name: str) -> None:
    one = replace(exportable({"exec": "x", "timeout": 5}), name=name)
    options = options_of(EXPORTER.export(one).text)
    assert len(options) == 4
    assert not any(option.split()[1:] for option in options)


def test_variables_of_the_submitter() -> None:
    environment = {"A": "${B}", "B": "${A}", "c.d": "${C}", "C": "${C}", "D": "${D}d"}
    script = script_of({"exec": "/usr/bin/env", "argv": ["-0"], "environment": environment})
    assert "--export=B,A,C" in options_of(script)
    found = dict(one.split("=", 1) for one in printed(script, A="of a", B="of 'b'", C=""))
    assert {name: found.get(name) for name in environment} == {
        "A": "of 'b'",
        "B": "of a",
        "c.d": "",
        "C": "",
        "D": "${D}d",
    }
    done = run_script(script, A="", B="")
    assert done.returncode != 0
    assert b"C: is a variable of the submitter" in done.stderr


def test_files_are_arguments_of_the_script(tmp_path: Path) -> None:
    inside = PRINTF | {
        "argv": ["%s\\0", "${input_file}", "--out=${output_file}.x"],
        "cwd": "/",
        "input_adapter": {"input_type": "file", "input_params": FILE},
        "output_adapter": {"output_type": "file", "output_params": {"file_path": "${output_file}"}},
    }
    script = script_of(inside)
    assert "sbatch --wait --output=LOG --error=LOG text-remove-x.sbatch MESSAGE ANSWER\n" in script
    assert printed(script, "a b", "/out/$x", cwd=tmp_path) == [f"{tmp_path}/a b", "--out=/out/$x.x"]
    task = printed(script, "in-%a", "/out/%a/x", cwd=tmp_path, SLURM_ARRAY_TASK_ID="7")
    assert task == [f"{tmp_path}/in-7", "--out=/out/7/x.x"]
    done = run_script(script, "in")
    assert done.returncode != 0
    assert b"2: is the path of the answer" in done.stderr


def test_a_path_that_all_runs_share_is_left_to_the_submitter() -> None:
    inside = {
        "exec": "x",
        "input_adapter": {"input_type": "file", "input_params": {"file_path": "in"}},
        "output_adapter": {"output_type": "file", "output_params": {"file_path": "/srv/out"}},
    }
    assert lost(inside) == ["/definition/input_adapter", "/definition/output_adapter"]


def test_a_suffix_is_left_to_the_submitter() -> None:
    adapter = {"input_type": "file", "input_params": FILE | {"suffix": ".wav"}}
    assert lost({"exec": "x", "input_adapter": adapter}) == ["/definition/input_adapter"]


def test_the_answer_can_be_standard_error() -> None:
    adapter = {"output_type": "file", "output_params": {"file_type": "stream", "stream_name": "STDERR"}}
    script = script_of({"exec": "x", "input_adapter": {"input_type": "none"}, "output_adapter": adapter})
    assert "# One message: sbatch --wait --output=LOG --error=ANSWER text-remove-x.sbatch\n" in script


def test_a_missing_folder_ends_the_job(tmp_path: Path) -> None:
    done = run_script(script_of(PRINTF | {"argv": ["started"], "cwd": f"{tmp_path}/none"}))
    assert done.returncode != 0
    assert done.stdout == b""


def test_a_program_may_begin_with_a_dash(tmp_path: Path) -> None:
    program = tmp_path / "-x"
    program.write_text("#!/bin/sh\necho started\n")
    program.chmod(0o755)
    done = run_script(script_of({"exec": "-x"}), PATH=f"{tmp_path}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (0, b"started\n")


@pytest.mark.parametrize(
    ("inside", "field"),
    [
        ({"process_type": "service"}, "/definition/process_type"),
        (
            {"input_adapter": {"input_type": "pipe", "input_params": {"pipe_path": "p"}}},
            "/definition/input_adapter",
        ),
    ],
)
def test_what_is_refused(inside: dict[str, Any], field: str) -> None:
    with pytest.raises(NotExportableError) as caught:
        EXPORTER.export(exportable({"exec": "x"} | inside))
    assert caught.value.field == field


def test_the_table_has_all_parts() -> None:
    assert list(EXPORTER.table) == list(DEFINITION_PARTS)
