"""The script `registry-run` with real programs, run by dash (or the shell of the system), and by other shells."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from registry.exchange.exporting import wrapper
from tests.support.programs import required_program
from tests.support.waiting import PATIENCE_S, eventually

SHELLS = [
    shutil.which("dash") or "/bin/sh",
    *(pytest.param(shell, marks=pytest.mark.engine) for shell in ("bash", "busybox sh")),
]
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
HOSTILE = [
    "", " ", "a b", "'", '"', "\\", "$HOME", "${input_file", "`id`", "%s", "*", "~", ";", "#", "-x", "--", "a=b", "\t", "a\nb\n", "naïve ✓",
    "$(id)", "!x", "{a,b}", "&", "|", "<", ">", "\\n", "''", "\x01\x7f",
]  # fmt: skip


class Wrapper:
    """The script beside an empty folder for its temporary files."""

    def __init__(self, folder: Path, shell: str) -> None:
        """Write the script to a folder."""
        name, *words = shell.split()
        self._shell = [required_program(name), *words]
        self.script = folder / "registry-run"
        self.script.write_bytes(wrapper())
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        # A process that ended stays in its group where no process 1 collects it; then the script waits until KILL.
        self.fake_sleep("case $1 in 10) exec $SLEEP 0.3;; esac; exec $SLEEP $1")

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the script with words after its name."""
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}", "TMPDIR": str(self.temporary)}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*self._shell, self.script, *words],
            env=environment | dict(env or {}),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )

    def run(
        self, *words: str, message: bytes = b"", env: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run the script; gives exit status, output and errors. Its temporary files are gone then."""
        process = self.start(*words, env=env)
        out, err = process.communicate(message, PATIENCE_S)
        assert list(self.temporary.iterdir()) == []
        return process.returncode, out.decode(), err.decode()

    def fake_sleep(self, line: str) -> None:
        """Replace the program `sleep` of the script, and give it the true one as `$SLEEP`."""
        file = self.bin / "sleep"
        file.write_text(f"#!/bin/sh\nSLEEP={shutil.which('sleep')}\n{line}\n")
        file.chmod(0o755)


@pytest.fixture(params=SHELLS)
def script(tmp_path: Path, request: pytest.FixtureRequest) -> Wrapper:
    return Wrapper(tmp_path, request.param)


def test_message_answer_and_exit_status_pass(script: Wrapper) -> None:
    assert script.run("--", "tr", "a", "b", message=b"axa") == (0, "bxb", "")
    assert script.run("-t", "100", "sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")


def test_arguments_and_environment_arrive_as_written(script: Wrapper) -> None:
    variables = {f"V{number}": value for number, value in enumerate(HOSTILE)} | {
        "option": "x",
        "limit": "5",
        "REGISTRY_ID": "7",
        "REGISTRY_INPUT": os.devnull,
        "REGISTRY_OUTPUT": "",
    }
    code, out, err = script.run("-t", "100", "--", sys.executable, "-c", SHOW, *HOSTILE, env=variables)
    assert (code, err) == (0, "")
    arguments, environment = json.loads(out)
    assert arguments == HOSTILE
    del variables["REGISTRY_INPUT"], variables["REGISTRY_OUTPUT"]
    assert {name: environment.get(name) for name in variables} == variables
    assert not {"REGISTRY_INPUT", "REGISTRY_OUTPUT"} & set(environment)
    assert not [name for name in environment if name.startswith("rr_")]
    assert environment["PATH"].startswith(f"{script.bin}:") and environment["PATH"].endswith(
        os.environ["PATH"]
    )


def test_a_path_without_any_tools(script: Wrapper, tmp_path: Path) -> None:
    code, out, _ = script.run("-t", "9", "--", "/bin/sh", "-c", 'echo "$PATH"', env={"PATH": "/nowhere"})
    assert (code, out) == (0, "/nowhere\n")


def test_words_that_are_commands_of_a_shell(script: Wrapper) -> None:
    for word in ("rr_main", "exit", "if", "a=b"):
        code, out, err = script.run("--", word)
        assert (code, out) == (127, "") and word in err
    program = script.bin / "echo"
    program.write_text("#!/bin/sh\nprintf 'a program: %s' \"$*\"\n")
    program.chmod(0o755)
    assert script.run("--", "echo", "-n") == (0, "a program: -n", "")


def test_input_as_a_file(script: Wrapper, tmp_path: Path) -> None:
    message = tmp_path / "message in"
    message.write_bytes(b"text\0\n")
    program = 'cat "$1"; echo "$1 $2"; cat'
    for given, env in ((b"text\0\n", {}), (b"unread", {"REGISTRY_INPUT": str(message)})):
        arguments = ["${input_file}", "--in=${input_file}:${input_file}:${output_file}"]
        code, out, err = script.run(
            "-i", "-I", ".wav", "--", "sh", "-c", program, "sh", *arguments, message=given, env=env
        )
        content, paths = out.split("\n")[:2]
        assert (code, err, content) == (0, "", "text\0")
        path = paths.split(" ")[0]
        assert path.startswith(str(script.temporary)) and path.endswith(".wav")
        assert paths == f"{path} --in={path}:{path}:${{output_file}}"


def test_message_from_a_named_file(script: Wrapper, tmp_path: Path) -> None:
    (tmp_path / "message").write_text("m")
    env = {"REGISTRY_INPUT": str(tmp_path / "message")}
    assert script.run("--", "cat", env=env, message=b"unread") == (0, "m", "")
    code, out, err = script.run("--", "cat", env={"REGISTRY_INPUT": "/nowhere/message"})
    assert (code, out) == (125, "") and "/nowhere/message" in err


def test_output_as_a_file(script: Wrapper) -> None:
    program = 'echo log; printf answer >"$1"; [ ! -e "$1.old" ]; case $1 in *.mp3) exit $2;; esac'
    words = ("-o", "-O", ".mp3", "--", "sh", "-c", program, "sh", "${output_file}")
    assert script.run(*words, "0") == (0, "answer", "log\n")
    assert script.run(*words, "3") == (3, "", "log\n")
    code, out, err = script.run("-o", "--", "true", "${output_file}")
    assert (code, out, err) == (125, "", "registry-run: the program did not create ${output_file}\n")


@pytest.mark.parametrize("options", [(), ("-o",)])
def test_answer_replaces_a_named_file_after_success_only(
    script: Wrapper, tmp_path: Path, options: tuple[str, ...]
) -> None:
    folder = tmp_path / "answers of today"
    folder.mkdir()
    target = folder / "answer"
    env = {"REGISTRY_OUTPUT": str(target)}
    program = 'if [ "$1" ]; then exec >"$1"; fi; echo new; exit $2'
    words = (*options, "--", "sh", "-c", program, "sh", "${output_file}" if options else "")
    target.write_text("old")
    assert script.run(*words, "1", env=env)[0] == 1
    assert script.run("-t", "0.1", *options, "sleep", "100", env=env)[0] == 124
    assert (target.read_text(), _names(folder)) == ("old", ["answer"])
    assert script.run(*words, "0", env=env) == (0, "", "")
    assert (target.read_text(), _names(folder)) == ("new\n", ["answer"])


def test_devices_are_written_and_never_replaced(script: Wrapper, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = script.start("--", "echo", "answer", env={"REGISTRY_OUTPUT": str(pipe)})
    assert pipe.read_text() == "answer\n"
    assert process.communicate(timeout=PATIENCE_S) == (b"", b"")
    assert pipe.is_fifo()
    code, _, err = script.run("--", "echo", env={"REGISTRY_OUTPUT": str(tmp_path)})
    assert code == 125 and str(tmp_path) in err


def test_no_timer_remains(script: Wrapper) -> None:
    # `communicate` returns when the last process closes the pipe.
    assert script.run("-t", "7777", "--", "sh", "-c", "echo") == (0, "\n", "")
    running = subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert "7777" not in running


def test_time_limit_ends_the_process_group(script: Wrapper, tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = f"sleep 1000 & echo $! >'{child}'; echo started; wait"
    assert script.run("-t", ".2", "--", "sh", "-c", program) == (124, "started\n", "")
    assert not _is_running(int(child.read_text()))


def test_a_program_that_ends_well_at_the_limit_is_late(script: Wrapper) -> None:
    program = "trap 'exit 0' TERM; sleep 1000 & wait"
    assert script.run("-t", "0.2", "--", "sh", "-c", program)[0] == 124


def test_kill_follows_ten_seconds_after_the_limit(script: Wrapper, tmp_path: Path) -> None:
    log, child = tmp_path / "log", tmp_path / "child"
    sleep = shutil.which("sleep")
    script.fake_sleep(f"[ $1 = 0.1 ] || echo $1 >>'{log}'; exec $SLEEP 0.2")
    program = f"trap '' TERM; {sleep} 1000 & echo $! >'{child}'; while :; do {sleep} 1000; done"
    assert script.run("-t", "60", "--", "sh", "-c", program) == (124, "", "")
    assert log.read_text() == "60\n10\n"
    assert not _is_running(int(child.read_text()))
    # The program ends, but a child of it does not.
    program = f"(trap '' TERM; exec {sleep} 1000) & echo $! >'{child}'; exec {sleep} 1000"
    assert script.run("-t", "60", "--", "sh", "-c", program) == (124, "", "")
    assert not _is_running(int(child.read_text()))


def test_a_sleep_for_whole_seconds_rounds_up(script: Wrapper, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script.fake_sleep(f'case $1 in *.*) exit 1;; esac; echo $1 >>"{log}"; exec $SLEEP 0.1')
    assert script.run("-t", "2.5", "--", shutil.which("sleep") or "", "1000")[0] == 124
    assert log.read_text().splitlines()[0] == "3"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_pass_on(script: Wrapper, tmp_path: Path, sent: signal.Signals) -> None:
    ready = tmp_path / "ready"
    traps = "".join(f"trap 'echo got {one}; exit 9' {one};" for one in ("INT", "TERM", "HUP"))
    process = script.start(
        "-t", "600", "--", "sh", "-c", f"{traps} : >'{ready}'; while :; do sleep 1000 & wait; done"
    )
    eventually(ready.exists)
    process.send_signal(sent)
    assert process.communicate(timeout=PATIENCE_S) == (f"got {sent.name[3:]}\n".encode(), b"")
    assert process.returncode == 9


def test_a_signal_ends_the_wait_for_the_message(script: Wrapper) -> None:
    process = script.start("-i", "--", "cat", "${input_file}")
    eventually(lambda: list(script.temporary.glob(".registry-run.*/input")) != [])
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_S)
    assert process.returncode == 128 + signal.SIGTERM
    eventually(lambda: not list(script.temporary.iterdir()))
    process.communicate()


@pytest.mark.engine
def test_a_system_without_setsid(script: Wrapper, tmp_path: Path) -> None:
    text = script.script.read_text()
    assert text.count("command -v setsid") == 1
    script.script.write_text(text.replace("command -v setsid", "false"))
    done = script.run("-t", "0.2", "--", "sleep", "1000")
    # Some shells control jobs on terminals only.
    assert done in ((124, "", ""), (125, "", "registry-run: the program setsid is missing\n"))
    if done[0] == 124:
        program = (
            "import os, signal as s; print(os.getpgrp() == os.getpid(), s.getsignal(s.SIGINT) is s.SIG_IGN)"
        )
        assert script.run("--", sys.executable, "-c", program) == (0, "True False\n", "")


def test_programs_start_with_the_usual_signals(script: Wrapper) -> None:
    program = "import signal as s; print([s.getsignal(one) is s.SIG_IGN for one in (s.SIGINT, s.SIGQUIT, s.SIGTERM)])"
    assert script.run("--", sys.executable, "-c", program) == (0, "[False, False, False]\n", "")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "name a program, as in: registry-run -t 60 -- PROGRAM"),
        (("-t", "5", "--"), "name a program, as in: registry-run -t 60 -- PROGRAM"),
        (("-x", "true"), "-x is not an option, or has no value"),
        (("-t",), "-t is not an option, or has no value"),
        (("-t", "1m", "true"), "-t 1m is not a number of seconds"),
        (("-t", "1.2.3", "true"), "-t 1.2.3 is not a number of seconds"),
        (("-t", "-1", "true"), "-t -1 is not a number of seconds"),
    ],
)
def test_wrong_use(script: Wrapper, words: tuple[str, ...], error: str) -> None:
    assert script.run(*words) == (125, "", f"registry-run: {error}\n")


def _names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def _is_running(process: int) -> bool:
    """Whether a process runs; one that ended may wait for its parent to notice that."""
    status = Path(f"/proc/{process}/stat")
    if status.exists():
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return sys.platform != "linux"
