"""The sandbox: what a program can see and change in it, with the real bubblewrap."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from registry.execution.bubblewrap import Bubblewrap
from registry.execution.running import End
from tests.execution.definitions import PATIENT, by_frames, by_path, by_stream, run, shell
from tests.support.hostile_text import HOSTILE
from tests.support.programs import usable_sandbox
from tests.support.waiting import eventually

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return usable_sandbox()


def lines(sandbox: Bubblewrap, script: str, **more: object) -> list[str]:
    result = run(shell(script, **more), launcher=sandbox)
    assert result.obstacle == ""
    return (result.output or b"").decode().splitlines()


def test_messages_pass_in_files_and_streams(sandbox: Bubblewrap) -> None:
    files = {"input_adapter": by_path("input", suffix=".a"), "output_adapter": by_path("output", suffix=".b")}
    copy = {"exec": "cp", "argv": ["${input_file}", "${output_file}"], **files}
    assert run(copy, b"\0\xff", launcher=sandbox).output == b"\0\xff"
    assert run({"exec": "tr", "argv": ["-d", "x"]}, b"axb\n", launcher=sandbox).output == b"ab\n"
    frames = {f"{side}_adapter": by_frames(side, "netstring") for side in ("input", "output")}
    service = {"exec": "cat", "process_type": "service", **frames}
    assert run(service, b"a", launcher=sandbox).output == b"a"


def test_arguments_and_variables_arrive_exactly(sandbox: Bubblewrap) -> None:
    words = [*HOSTILE, "--", "-n", "--bind", "é€"]
    output = run({"exec": "/usr/bin/printf", "argv": ["%s\\0", *words]}, launcher=sandbox).output
    assert output == b"".join(word.encode() + b"\0" for word in words)
    variables = {f"V{number}": word for number, word in enumerate(words) if not word.startswith("${")}
    result = run({"exec": "env", "argv": ["-0"], "environment": variables}, launcher=sandbox)
    shown = set((result.output or b"").split(b"\0"))
    assert {f"{name}={word}".encode() for name, word in variables.items()} <= shown


def test_there_are_no_files_of_people_and_no_settings(sandbox: Bubblewrap) -> None:
    assert set(lines(sandbox, "ls /")) <= {
        *("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "proc", "dev", "tmp"),
    }
    assert lines(sandbox, "ls /home /root /etc/passwd /etc/shadow /var 2>/dev/null") == []


def test_nothing_can_be_written_outside_of_its_own_folders(sandbox: Bubblewrap, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    script = "for f in /x /usr/x /etc/x /dev/x ./x ./kept /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname; do (echo y > $f) 2>/dev/null && echo $f; done"
    assert lines(sandbox, f"{script}; true", cwd=str(tmp_path)) == []
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]
    assert lines(sandbox, "echo a > /tmp/a; cat /tmp/a") == ["a"]
    assert not Path("/tmp/a").exists()


def test_there_is_no_network(sandbox: Bubblewrap) -> None:
    # The loopback device only, and not that of the host.
    assert lines(sandbox, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '") == ["lo"]


def test_other_processes_cannot_be_seen(sandbox: Bubblewrap) -> None:
    numbers = [int(name) for name in lines(sandbox, "ls /proc") if name.isdecimal()]
    assert max(numbers) < 20


def test_the_temporary_folder_has_a_limit(sandbox: Bubblewrap) -> None:
    script = "for n in 1 2 3 4 5 6; do head -c 100000000 /dev/zero > /tmp/$n || { echo full; exit 0; }; done"
    assert lines(sandbox, script) == ["full"]


def test_the_environment_is_small_and_cannot_reach_the_sandbox_itself(sandbox: Bubblewrap) -> None:
    own = {**os.environ, "GITHUB_TOKEN": "secret", "TZ": "UTC"}
    inside = {"exec": "env", "environment": {"LD_PRELOAD": "/no/library.so", "A": "a=b\n c"}}
    result = run(inside, launcher=sandbox, own_environment=own)
    output = (result.output or b"").decode()
    assert "GITHUB_TOKEN" not in output
    assert {"TZ=UTC", "LD_PRELOAD=/no/library.so", "A=a=b", " c"} <= set(output.splitlines())
    # Only the program tried to load it.
    assert result.errors.count(b"LD_PRELOAD") == 1


def test_the_folder_of_the_program_and_its_working_directory_are_shown(
    sandbox: Bubblewrap, tmp_path: Path
) -> None:
    place, data = tmp_path / "bin", tmp_path / "data"
    for folder in (place, data, tmp_path / "other"):
        folder.mkdir()
    (place / "tool").write_text("#!/bin/sh\n. ./part\n")
    (place / "tool").chmod(0o755)
    (data / "part").write_text(f"pwd; ls {tmp_path}\n")
    result = run({"exec": str(place / "tool"), "cwd": str(data)}, launcher=sandbox)
    assert result.output == f"{data}\nbin\ndata\n".encode()
    shown = run(
        {"exec": "ls", "argv": [str(tmp_path)]}, launcher=sandbox, readable=(str(tmp_path / "other"),)
    )
    assert shown.output == b"other\n"


def test_the_package_of_a_program_and_its_interpreter_are_shown(sandbox: Bubblewrap, tmp_path: Path) -> None:
    for folder in ("package/bin", "package/lib", "python/bin", "python/lib"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "package/lib/part").write_text("a")
    (tmp_path / "python/lib/part").write_text("b")
    interpreter = tmp_path / "python/bin/shell"
    interpreter.write_bytes(Path("/bin/sh").read_bytes())
    tool = tmp_path / "package/bin/tool"
    tool.write_text(f"#!{interpreter}\ncat {tmp_path}/package/lib/part {tmp_path}/python/lib/part\n")
    for file in (interpreter, tool):
        file.chmod(0o755)
    assert run({"exec": str(tool)}, launcher=sandbox).output == b"ab"


def test_a_change_can_name_some_folders_only(tmp_path: Path) -> None:
    shown, other = tmp_path / "shown", tmp_path / "shown-not"
    for folder in (shown, other):
        folder.mkdir()
    sandbox = Bubblewrap(only_below=[str(shown)])
    assert run({"exec": "pwd", "cwd": str(shown)}, launcher=sandbox).obstacle == ""
    for place in ("/home", "/etc", "/root", "/var/lib", "/proc", str(other), f"{shown}/../shown-not"):
        result = run({"exec": "ls", "cwd": place}, launcher=sandbox)
        shown_as = os.path.normpath(place)
        assert result.obstacle == f"the sandbox does not show {shown_as}, which the definition needs"


def test_what_cannot_start_is_a_result(sandbox: Bubblewrap, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/interpreter\n")
    script.chmod(0o755)
    for output in ("STDOUT", "STDERR"):
        inside = {"exec": str(script), "output_adapter": by_stream("output", output)}
        assert run(inside, launcher=sandbox).obstacle.startswith("the program cannot be started: bwrap: ")
    assert run({"exec": "tr", "cwd": "/no/folder"}, launcher=sandbox).obstacle != ""


def test_the_status_is_that_of_the_program(sandbox: Bubblewrap) -> None:
    assert run(shell("exit 3"), launcher=sandbox).status == 3
    assert run(shell("kill -SEGV $$"), launcher=sandbox).status == 139


def sleeping(seconds: str) -> list[str]:
    """The processes of this machine that sleep for a time that no other test uses."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if seconds.encode() in words:
            found.append(folder.name)
    return found


def test_the_time_limit_ends_all_processes(sandbox: Bubblewrap) -> None:
    script = "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 60617' & sleep 60617"
    result = run(shell(script, timeout=1), launcher=sandbox, limits=replace(PATIENT, grace_s=0.5))
    assert (result.end, result.status) == (End.TIMED_OUT, 137)
    eventually(lambda: sleeping("60617") == [], "the processes end")


def test_the_program_gets_sigterm_before_the_sandbox_ends(sandbox: Bubblewrap) -> None:
    script = "trap 'echo ended >&2; exit 0' TERM; while :; do sleep 0.1; done"
    result = run(shell(script, timeout=1), launcher=sandbox)
    assert (result.end, result.status) == (End.TIMED_OUT, 0)
    assert result.errors.endswith(b"ended\n")


def test_processes_that_a_program_leaves_behind_end(sandbox: Bubblewrap) -> None:
    assert lines(sandbox, "setsid sh -c 'trap \"\" TERM; sleep 60618' & echo a") == ["a"]
    eventually(lambda: sleeping("60618") == [], "the process ends")


def test_a_program_cannot_write_without_end(sandbox: Bubblewrap) -> None:
    for script in ("yes", "yes > file"):
        result = run(shell(script), launcher=sandbox, limits=replace(PATIENT, output_bytes=100_000))
        assert result.end is End.TOO_LARGE
