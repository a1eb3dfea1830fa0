"""Definitions run as a dispatcher runs them: real programs, started directly."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.execution.running import End
from tests.execution.definitions import PATIENT, by_frames, by_path, by_stream, run, shell
from tests.support.hostile_text import HOSTILE
from tests.support.waiting import PATIENCE_S, eventually

REFERENCE = re.compile(r"\$\{[^{}]*\}")
ROOT = Path(__file__).parent.parent.parent


def test_without_adapters_the_message_is_standard_input() -> None:
    result = run({"exec": "tr", "argv": ["-d", "x"]}, b"axbxc\n")
    assert (result.output, result.status, result.end) == (b"abc\n", 0, End.EXITED)


def test_a_message_is_a_file_that_is_opened_as_the_stream() -> None:
    # A pipe could not be read twice.
    reads_twice = shell("cat; cat /dev/stdin", input_adapter=by_stream("input", "STDIN"))
    assert run(reads_twice, b"a").output == b"aa"


def test_standard_error_can_be_the_output() -> None:
    result = run(shell("cat >&2; echo other", output_adapter=by_stream("output", "STDERR")), b"a\n")
    assert (result.output, result.errors) == (b"a\n", b"other\n")


def test_files_have_the_names_that_the_adapters_ask_for() -> None:
    script = 'cat "$1" > "${2#--out=}"; echo "$1 $2" >&2'
    inside = {
        "exec": "/bin/sh",
        "argv": ["-c", script, "sh", "${input_file}", "--out=${output_file}"],
        "input_adapter": by_path("input", suffix=".wav"),
        "output_adapter": by_path("output", suffix=".mp3"),
    }
    result = run(inside, b"\0\xff")
    assert result.output == b"\0\xff"
    assert re.fullmatch(rb"/\S+/input\.wav --out=/\S+/output\.mp3\n", result.errors)


def test_a_placeholder_that_no_adapter_feeds_is_passed_unchanged() -> None:
    assert run({"exec": "printf", "argv": ["%s", "${output_file}"]}).output == b"${output_file}"


def test_a_relative_file_is_in_a_fresh_folder() -> None:
    adapters = {"input_adapter": by_path("input", "in/a"), "output_adapter": by_path("output", "b")}
    assert run(shell("cat in/a > b", **adapters), b"x").output == b"x"


def test_arguments_and_variables_arrive_exactly() -> None:
    words = [*HOSTILE, "--", "-n", "é€"]
    output = run({"exec": "/usr/bin/printf", "argv": ["%s\\0", *words]}).output
    assert output == b"".join(word.encode() + b"\0" for word in words)
    variables = {f"V{number}": word for number, word in enumerate(words) if not REFERENCE.fullmatch(word)}
    output = run({"exec": "env", "argv": ["-0"], "environment": variables}).output or b""
    assert {f"{name}={word}".encode() for name, word in variables.items()} <= set(output.split(b"\0"))


def test_the_environment_is_added_to_that_of_the_runner() -> None:
    inside = {"exec": "env", "environment": {"A": "new", "B": "${SECRET}"}}
    own = {"PATH": os.environ["PATH"], "A": "old", "C": "kept", "SECRET": "s"}
    output = run(inside, own_environment=own).output or b""
    assert {b"A=new", b"B=s", b"C=kept", b"SECRET=s"} <= set(output.splitlines())


@pytest.mark.parametrize(
    ("inside", "obstacle"),
    [
        ({"exec": "/no/program"}, "the program /no/program is not on this host"),
        ({"exec": "no-such-program"}, "the program no-such-program is not on this host"),
        ({"exec": "tr", "cwd": "/no/folder"}, "the folder /no/folder (cwd) does not exist here"),
        (
            {"exec": "tr", "environment": {"A": "${UNSET_HERE}"}},
            "the variable UNSET_HERE, which its environment refers to, is not set",
        ),
        (
            {"exec": "tr", "input_adapter": by_path("input", "/etc/message")},
            "its input adapter names the file /etc/message of the host, which a trial must not touch",
        ),
        (
            {"exec": "tr", "cwd": "/", "output_adapter": by_path("output", "tmp/x")},
            "its output adapter names the file tmp/x of the host, which a trial must not touch",
        ),
        (
            {"exec": "tr", "process_type": "service", "input_adapter": {"input_type": "http"}},
            "its input adapter is `http`, which cannot be tried with a service",
        ),
        (
            {"exec": "tr", "process_type": "service"},
            "it is a service without adapters: how messages reach it is unknown",
        ),
        (
            {"exec": "tr", "output_adapter": {"output_type": "acme/kafka"}},
            "its output adapter is `acme/kafka`, which cannot be tried with a single process",
        ),
    ],
)
def test_what_cannot_run_here_is_a_result(inside: dict[str, Any], obstacle: str) -> None:
    assert run(inside).obstacle == obstacle


def test_a_program_that_the_system_cannot_start_is_a_result(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/interpreter\n")
    script.chmod(0o755)
    assert run({"exec": str(script)}).obstacle.startswith("the program cannot be started: ")


def test_what_the_system_cannot_pass_is_a_result() -> None:
    # Such files have errors. The old side of a change can have some.
    refused: tuple[dict[str, Any], ...] = (
        {"exec": "env", "environment": {"A=B": "c"}},
        {"exec": "env", "argv": ["a\0b"]},
    )
    for inside in refused:
        assert run(inside).obstacle.startswith("the program cannot be started: ")
    odd = {"exec": "printf", "argv": [1, None, {"a": 2}], "environment": {"A": 5}, "timeout": "soon"}
    assert run(odd).output == b"1"
    unknown = service("cat", "chunks")
    assert run(unknown).obstacle == "its input adapter has the unknown framing `chunks`"
    assert run({"exec": 5}).obstacle == "the program  is not on this host"
    assert run({"exec": "cat", "input_adapter": {"input_type": []}}).obstacle != ""
    assert run({"exec": "cat", "cwd": 7}, b"a").output == b"a"


def test_text_is_utf_8_in_every_locale() -> None:
    script = (
        "import locale, sys; locale.setlocale(locale.LC_ALL, 'C')\n"
        "from tests.execution.definitions import run\n"
        "done = run({'exec': 'printf', 'argv': ['%s', '\\u20ac']})\n"
        "assert done.output == '\\u20ac'.encode(), done\n"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    subprocess.run([sys.executable, "-c", script], env=environment, cwd=ROOT, check=True, timeout=PATIENCE_S)


def test_references_are_not_resolved_for_a_change() -> None:
    inside = {"exec": "env", "environment": {"A": "${HOME}"}}
    result = run(inside, passes_references=False)
    assert result.obstacle == "it needs the variable HOME of the host, which is not passed on"


def test_the_output_of_a_failed_run_is_not_published() -> None:
    result = run(shell("echo half; echo why >&2; exit 3"))
    assert (result.output, result.status, result.errors) == (None, 3, b"why\n")
    assert run(shell("kill -SEGV $$")).status == 139


def test_a_run_without_its_output_file_has_no_output() -> None:
    result = run(shell("true", output_adapter=by_path("output")))
    assert (result.output, result.status, result.end) == (None, 0, End.NO_OUTPUT)


def test_an_output_file_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    link = {"exec": "ln", "argv": ["-s", str(secret), "${output_file}"]}
    assert run({**link, "output_adapter": by_path("output")}).output is None
    below = shell(f"ln -s {tmp_path} sub", output_adapter=by_path("output", "sub/secret"))
    assert run(below).output is None


def is_running(number: str) -> bool:
    try:
        return "sleep" in Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False


def test_the_time_limit_ends_all_processes(tmp_path: Path) -> None:
    # The second one is in a session of its own and ignores SIGTERM; so does the first one.
    script = (
        f"trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 600 & echo $! > {tmp_path}/own; wait' &"
        f"sleep 600 & echo $! > {tmp_path}/child; wait"
    )
    result = run(shell(script, timeout=1.5), limits=replace(PATIENT, grace_s=0.2))
    assert (result.end, result.status, result.output) == (End.TIMED_OUT, 137, None)
    assert result.seconds >= 1.7
    numbers = [file.read_text().strip() for file in tmp_path.iterdir()]
    assert len(numbers) == 2
    eventually(lambda: not any(map(is_running, numbers)), "the processes end")


def test_a_program_may_end_by_itself_after_sigterm(tmp_path: Path) -> None:
    done = tmp_path / "done"
    result = run(shell(f"trap 'echo > {done}; exit 0' TERM; while :; do sleep 0.1; done", timeout=0.5))
    assert (result.end, result.status, result.output) == (End.TIMED_OUT, 0, None)
    assert done.exists()


def test_processes_that_a_program_leaves_behind_are_ended(tmp_path: Path) -> None:
    own = tmp_path / "own"
    left = f"setsid sh -c 'sleep 600 & echo $! > {own}; wait' & while ! [ -s {own} ]; do sleep 0.05; done; echo a"
    assert run(shell(left)).output == b"a\n"
    number = own.read_text().strip()
    eventually(lambda: not is_running(number), "the process ends")


@pytest.mark.parametrize(
    "script", ["yes", "yes >&2", "yes > file", "yes | head -c 100000 > a; cp a b; sleep 600"]
)
def test_a_program_cannot_write_without_end(script: str) -> None:
    result = run(shell(script), limits=replace(PATIENT, output_bytes=150_000))
    assert (result.end, result.output) == (End.TOO_LARGE, None)


def test_the_size_limit_of_an_adapter_counts() -> None:
    large = by_path("output", max_message_size="20MB")
    output = run(shell("head -c 17000000 /dev/zero > ${output_file}", output_adapter=large)).output
    assert output is not None
    assert len(output) == 17_000_000
    small = by_path("output", max_message_size="1KB")
    assert run(shell("head -c 2000 /dev/zero > ${output_file}", output_adapter=small)).end is End.TOO_LARGE
    capped = run(
        shell("head -c 17000000 /dev/zero > ${output_file}", output_adapter=large), allows_more=False
    )
    assert capped.end is End.TOO_LARGE
    reads = shell("cat", input_adapter=by_path("input", max_message_size="3B"))
    assert run(reads, b"abcd").obstacle == "the message is larger than the input adapter allows (4 bytes)"


def test_a_change_cannot_ask_for_more_time() -> None:
    limits = replace(PATIENT, seconds=0.3, grace_s=0.1)
    assert run(shell("sleep 600", timeout=600), limits=limits, allows_more=False).end is End.TIMED_OUT


def test_folders_in_folders_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    nest = "mkdir -p " + "d/" * 1500
    assert run(shell(nest)).end is End.TOO_LARGE
    assert list(tmp_path.iterdir()) == []


def service(program: str, framing: str = "lines", **more: Any) -> dict[str, Any]:
    adapters = {f"{side}_adapter": by_frames(side, framing) for side in ("input", "output")}
    return shell(program, process_type="service", **{**adapters, **more})


@pytest.mark.parametrize(
    ("framing", "answer"),
    [
        ("lines", b"a\nb\n"),
        ("whole", b"a\nb"),
        ("nul", b"a\nb"),
        ("netstring", b"a\nb"),
        ("length32", b"a\nb"),
    ],
)
def test_a_service_gets_framed_messages(framing: str, answer: bytes) -> None:
    result = run(service("exec cat", framing), b"a\nb")
    assert (result.output, result.notes) == (answer, ())


def test_a_service_that_ends_by_itself_has_a_status() -> None:
    result = run(service("read line; echo $line; exit 4"), b"a\n")
    assert (result.status, result.output, result.end) == (4, None, End.EXITED)
    assert run(service("read line; echo $line"), b"a\n").output == b"a\n"


def test_a_service_that_buffers_its_output_is_reported() -> None:
    limits = replace(PATIENT, first_answer_s=0.3)
    result = run(service("exec sed s/a/b/"), b"a\n", limits=limits)
    assert result.output == b"b\n"
    assert result.notes == ("it answered only after its input was closed: it may buffer its output",)


def test_a_service_without_an_answer_fails() -> None:
    limits = replace(PATIENT, first_answer_s=0.3)
    result = run(service("sleep 600"), b"a\n", limits=limits)
    assert (result.end, result.output) == (End.NO_ANSWER, None)
    result = run(service("cat > file; echo why >&2; exit 5"), b"a\n", limits=limits)
    assert (result.end, result.status, result.errors) == (End.EXITED, 5, b"why\n")


def test_the_status_of_a_service_whose_input_ended_says_nothing() -> None:
    # In production the input stays open.
    result = run(service("while read line; do echo $line; done; exit 5"), b"a\n")
    assert (result.end, result.status, result.output) == (End.STOPPED, None, b"a\n")


def test_a_service_can_be_a_sink(tmp_path: Path) -> None:
    inside = service(f"cat > {tmp_path}/got", output_adapter={"output_type": "none"})
    result = run(inside, b"a\n")
    assert (result.end, result.output) == (End.STOPPED, b"")
    assert (tmp_path / "got").read_bytes() == b"a\n"


def test_a_service_can_be_a_source() -> None:
    source = service("echo a; exec sleep 600", input_adapter={"input_type": "none"})
    assert run(source).output == b"a\n"
    endless = service("exec yes", input_adapter={"input_type": "none"})
    assert run(endless, limits=replace(PATIENT, output_bytes=10_000)).end is End.TOO_LARGE


def test_the_answers_of_a_service_can_be_on_standard_error() -> None:
    inside = service("exec cat >&2", output_adapter=by_frames("output", "lines", "STDERR"))
    assert run(inside, b"a\n").output == b"a\n"


def test_nothing_remains_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run(shell("mkdir -p a/b; chmod 0 a/b; echo x > c"))
    assert list(tmp_path.iterdir()) == []


def test_only_a_whole_reference_is_taken_from_the_host() -> None:
    texts = ["${HOME:-x}", "${HOME}/x", "$HOME"]
    for text in texts:
        inside = shell('printf %s "$A"', environment={"A": text})
        assert run(inside, own_environment={"PATH": os.environ["PATH"], "HOME": "/h"}).output == text.encode()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is not known what was started")
def test_an_interrupt_during_the_start_ends_what_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    processes = []

    def interrupted(*given: Any, **named: Any) -> None:
        processes.append(popen(*given, **named))
        eventually(lambda: started.exists() and started.read_text().endswith("\n"), "the program")
        raise KeyboardInterrupt

    popen = subprocess.Popen
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(subprocess, "Popen", interrupted)
        run(shell(f"setsid sleep 600 & echo $! > {started}; wait"))
    processes[0].wait(PATIENCE_S)
    child = Path(f"/proc/{started.read_text().strip()}/stat")
    eventually(lambda: not child.exists() or ") Z " in child.read_text(), "the program ends")
