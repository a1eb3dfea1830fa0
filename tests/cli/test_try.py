"""`registry try` with programs of this machine, without a sandbox: the one of the system may be unusable."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S, eventually

GOOD = """\
title: Remove x
owners: [t]   # a comment
examples:
  - {title: one, input_text: "axb\\n", output_text: "ab\\n"}
  - {title: part, input_file: samples/abc.txt, output_contains: b, output_size: {min: 2}}
definition: {exec: tr, argv: ["-d", "x"]}
"""
FOLDER = "definitions/process_definition"


@pytest.fixture
def registry(repo: RepoBuilder) -> RepoBuilder:
    repo.write("samples/abc.txt", "abc\n")
    repo.define("good", GOOD)
    repo.define("plain", "title: T\nowners: [t]\ndefinition: {exec: tr, argv: ['-d', 'x']}\n")
    repo.define("app", kind="application")
    repo.commit()
    return repo


def test_each_example_has_a_line(registry: RepoBuilder, run: Run) -> None:
    done = run("try", "good", "--no-sandbox", "-C", str(registry.root))
    assert done.code == 0
    first, second, _, summary = done.out.splitlines()
    assert first.startswith("passed    good: one (")
    assert second.startswith("passed    good: part (")
    assert summary == "2 examples of 1 definition, without a sandbox: 2 passed"


def test_a_failed_example_shows_the_difference(registry: RepoBuilder, run: Run) -> None:
    registry.define("good", GOOD.replace('"ab\\n"', '"aB\\n"').replace("contains: b", "contains: z"))
    done = run("try", "good", "--no-sandbox", "-C", str(registry.root))
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[1:4] == [
        "          output_text: the output is not the expected one",
        "            -aB",
        "            +ab",
    ]
    assert '          output_contains: the output does not contain "z"' in lines
    assert lines[-1].endswith(": 2 failed")


@pytest.fixture
def mixed(registry: RepoBuilder) -> RepoBuilder:
    """Definitions with an example that passes, one that fails and one that this host cannot run."""
    example = 'examples: [{title: "<&\\e", input_text: "a\\n"}]\n'
    registry.define("bad", f"title: T\nowners: [t]\n{example}definition: {{exec: 'false'}}\n")
    registry.define("gone", f"title: T\nowners: [t]\n{example}definition: {{exec: /no/program}}\n")
    return registry


def test_all_examples_as_json(mixed: RepoBuilder, run: Run) -> None:
    done = run("try", "--all", "--no-sandbox", "--format", "json", "-C", str(mixed.root))
    assert done.code == 1
    body = json.loads(done.out)
    assert body["summary"] == {"passed": 2, "failed": 1, "skipped": 1}
    by_name = {one["name"]: one for one in body["results"]}
    assert by_name["bad"]["mismatches"][0]["message"] == "exit status 1, expected 0"
    assert by_name["bad"]["exit_code"] == 1
    assert by_name["gone"]["reason"] == "the program /no/program is not on this host"
    assert by_name["gone"]["exit_code"] is None


def test_all_examples_as_junit(mixed: RepoBuilder, run: Run) -> None:
    done = run("try", "--all", "--no-sandbox", "--format", "junit", "-C", str(mixed.root))
    assert done.code == 1
    root = ElementTree.fromstring(done.out)
    assert {key: root.get(key) for key in ("tests", "failures", "skipped", "errors")} == {
        "tests": "4",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    cases = {one.get("classname"): one for one in root.iter("testcase")}
    failure = cases["process_definition.bad"].find("failure")
    assert failure is not None
    assert failure.get("message") == "exit status 1, expected 0"
    assert cases["process_definition.gone"].find("skipped") is not None
    assert cases["process_definition.good"].find("failure") is None


def test_what_was_skipped_is_no_failure(mixed: RepoBuilder, run: Run) -> None:
    done = run("try", "gone", "--no-sandbox", "-C", str(mixed.root))
    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        "1 example of 1 definition, without a sandbox: 1 skipped",
    )


def test_a_message_gives_its_output_as_it_is(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    message, output = tmp_path / "in", tmp_path / "out"
    message.write_bytes(b"a\xffx\0b")
    words = ("try", "plain", "--no-sandbox", "-C", str(registry.root), "--input", str(message))
    done = run(*words, "--output", str(output))
    assert (done.code, done.out, output.read_bytes()) == (0, "", b"a\xff\0b")
    body = json.loads(run(*words, "--format", "json").out)
    assert (body["output_base64"], body["exit_code"]) == ("Yf8AYg==", 0)
    message.write_bytes(b"x1\nx2")
    assert run(*words).out == "1\n2"


def test_the_output_of_a_failed_run_is_not_printed(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("")
    script = "definition: {exec: sh, argv: ['-c', 'echo half; echo why >&2; exit 3']}\n"
    registry.define("fails", f"title: T\nowners: [t]\n{script}")
    done = run("try", "fails", "--no-sandbox", "-C", str(registry.root), "--input", str(tmp_path / "in"))
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == ["why", "fails failed: exit status 3, expected 0; it has no output"]


def save(registry: RepoBuilder, run: Run, name: str, message: Path, *more: str) -> str:
    words = ("try", name, "--no-sandbox", "-C", str(registry.root), "--input", str(message), "--save-example")
    done = run(*words, *more)
    assert done.code == 0, done.err
    return done.err


def test_a_saved_example_changes_only_its_lines(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    message = tmp_path / "words.txt"
    message.write_text("x1\nx2\n")
    err = save(registry, run, "good", message, "--title", "two lines")
    assert err == f"Added an example to {FOLDER}/good.yaml.\n"
    added = '  - {title: two lines, input_text: "x1\\nx2\\n", output_text: "1\\n2\\n"}\n'
    text = (registry.root / f"{FOLDER}/good.yaml").read_text()
    assert text == GOOD.replace("definition:", f"{added}definition:")
    assert run("try", "good", "--no-sandbox", "-C", str(registry.root)).out.endswith(": 3 passed\n")


def test_long_and_binary_messages_become_samples(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    message = tmp_path / "sound 1.wav"
    message.write_bytes(b"\xffx" * 10)
    err = save(registry, run, "plain", message)
    files = ("samples/plain/sound-1.wav", "samples/plain/sound-1.expected")
    assert err == f"Added an example to {FOLDER}/plain.yaml, {files[0]}, {files[1]}.\n"
    assert [(registry.root / file).read_bytes() for file in files] == [b"\xffx" * 10, b"\xff" * 10]
    message.write_bytes(b"y" * 100_000)
    save(registry, run, "plain", message, "--title", "large")
    text = (registry.root / f"{FOLDER}/plain.yaml").read_text()
    assert "input_file: samples/plain/sound-1-2.wav" in text
    assert "output_sha256: " in text
    assert run("check", "-C", str(registry.root)).code == 0
    assert run("try", "plain", "--no-sandbox", "-C", str(registry.root)).code == 0


def test_a_message_that_is_a_sample_is_named(registry: RepoBuilder, run: Run) -> None:
    save(registry, run, "plain", registry.root / "samples/abc.txt")
    assert "input_file: samples/abc.txt" in (registry.root / f"{FOLDER}/plain.yaml").read_text()
    assert [path.name for path in (registry.root / "samples").iterdir()] == ["abc.txt"]


def test_an_output_that_differs_each_time_is_recorded_by_its_size(registry: RepoBuilder, run: Run) -> None:
    script = "definition: {exec: sh, argv: ['-c', 'echo $$; cat']}\n"
    registry.define("number", f"title: T\nowners: [t]\n{script}")
    err = save(registry, run, "number", registry.root / "samples/abc.txt")
    assert "the output differs from run to run" in err
    assert "output_size: {min: 1}" in (registry.root / f"{FOLDER}/number.yaml").read_text()


def test_an_expected_failure_can_be_saved(registry: RepoBuilder, run: Run) -> None:
    registry.define("three", "title: T\nowners: [t]\ndefinition: {exec: sh, argv: ['-c', 'exit 3']}\n")
    done = run("try", "three", "--no-sandbox", "-C", str(registry.root), "--save-example")
    assert done.code == 1
    assert "{title: no input, exit_code: 3}" in (registry.root / f"{FOLDER}/three.yaml").read_text()
    assert run("try", "three", "--no-sandbox", "-C", str(registry.root)).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name definitions, or use --all"),
        (("good", "--all"), "name definitions, or use --all"),
        (("plain",), "plain has no examples"),
        (("app",), "application/app cannot be run"),
        (("nothing",), "there is no definition `nothing`"),
        (("good", "plain", "--input", "-"), "--input and --save-example are for one definition"),
        (("good", "--output", "x"), "--output needs --input"),
        (("good", "--title", "x"), "--title needs --save-example"),
        (("good", "--input", "-", "--format", "junit"), "--format junit is for examples"),
        (
            ("good", "--save-example", "--source", "HEAD"),
            "--save-example changes the work tree, not a commit",
        ),
        (("good", "--input", "/no/file"), "/no/file cannot be read: No such file or directory"),
    ],
)
def test_wrong_use(registry: RepoBuilder, run: Run, words: tuple[str, ...], message: str) -> None:
    done = run("try", *words, "--no-sandbox", "-C", str(registry.root))
    assert done.code == 2
    assert done.err.startswith(f"error: {message}\n")


def test_errors_in_files_come_first(registry: RepoBuilder, run: Run) -> None:
    registry.define("broken", "definition: {exec: cat, timeout: -1}\n")
    for words in (["--all"], ["broken", "--input", os.devnull]):
        done = run("try", *words, "--no-sandbox", "-C", str(registry.root))
        assert (done.code, done.out) == (1, "")
        assert "broken.yaml:1:" in done.err
    assert run("try", "good", "--no-sandbox", "-C", str(registry.root)).code == 0


def test_without_a_sandbox_nothing_runs(
    registry: RepoBuilder, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = tmp_path / "done"
    registry.define(
        "marks",
        f"title: T\nowners: [t]\nexamples: [{{title: a}}]\ndefinition: {{exec: touch, argv: [{done}]}}\n",
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("git", "touch"):
        found = next(
            Path(folder, name) for folder in os.environ["PATH"].split(":") if Path(folder, name).exists()
        )
        (programs / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(programs))
    refused = run("try", "marks", "-C", str(registry.root))
    assert refused.code == 3
    assert refused.err.splitlines() == [
        "error: there is no sandbox for the programs here: bubblewrap (bwrap) is not installed",
        "hint: install bubblewrap (Linux), or use --no-sandbox if you trust the programs",
    ]
    assert not done.exists()
    assert run("try", "marks", "--no-sandbox", "-C", str(registry.root)).code == 0
    assert done.exists()


NO_FILE = """\
title: T
owners: [t]
examples: [{title: a}]
definition:
  exec: 'true'
  argv: ["${output_file}"]
  output_adapter: {output_type: file, output_params: {file_path: "${output_file}"}}
"""


def test_an_example_fails_if_its_output_file_is_missing(registry: RepoBuilder, run: Run) -> None:
    registry.define("no-file", NO_FILE)
    done = run("try", "no-file", "--no-sandbox", "-C", str(registry.root))
    assert done.code == 1
    assert "output_file: it did not write its output file" in done.out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NO_FILE, "the run has no output"),
        (
            "title: T\nowners: [t]\ndefinition: {exec: sleep, argv: ['600'], timeout: 0.1}\n",
            "the run was stopped",
        ),
        ("title: T\nowners: [t]\ndefinition: {exec: cat, argv: [/dev/zero]}\n", "the run was stopped"),
    ],
)
def test_a_run_without_a_result_is_no_example(registry: RepoBuilder, run: Run, text: str, why: str) -> None:
    registry.define("broken", text)
    done = run("try", "broken", "--save-example", "--no-sandbox", "-C", str(registry.root))
    assert done.code == 2
    assert f"error: {why}" in done.err
    assert (registry.root / FOLDER / "broken.yaml").read_text() == text


@pytest.mark.parametrize(("place", "code"), [("link", 3), ("missing/output", 2)])
def test_a_place_without_room_for_the_output_is_refused_before_the_run(
    registry: RepoBuilder, run: Run, tmp_path: Path, place: str, code: int
) -> None:
    (tmp_path / "link").symlink_to("target")
    argv = f"argv: [{tmp_path / 'has-run'}]"
    registry.define("touches", f"title: T\nowners: [t]\ndefinition: {{exec: touch, {argv}}}\n")
    words = ("--input", os.devnull, "--output", str(tmp_path / place))
    done = run("try", "touches", *words, "--no-sandbox", "-C", str(registry.root))
    assert done.code == code
    assert str(tmp_path / place) in done.err
    assert [one.name for one in tmp_path.iterdir() if one.name in ("has-run", "target")] == []


def test_the_output_can_be_a_named_pipe(registry: RepoBuilder, run: Run, tmp_path: Path) -> None:
    (tmp_path / "message").write_text("axb\n")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        words = ("--input", str(tmp_path / "message"), "--output", str(pipe))
        assert run("try", "plain", *words, "--no-sandbox", "-C", str(registry.root)).code == 0
        assert os.read(reader, 100) == b"ab\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_the_program_and_changes_nothing(
    registry: RepoBuilder, tmp_path: Path, number: signal.Signals
) -> None:
    started = tmp_path / "started"
    script = f'trap "" TERM; setsid sleep 600 & echo $! > {started}; wait'
    registry.define("slow", f"title: T\nowners: [t]\ndefinition: {{exec: sh, argv: ['-c', '{script}']}}\n")
    before = registry.git("status", "--porcelain", "-uall")
    words = ["try", "slow", "--no-sandbox", "--save-example", "-C", str(registry.root)]
    with subprocess.Popen(
        [sys.executable, "-m", "registry", *words],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        eventually(lambda: started.exists() and started.read_text().endswith("\n"), "the program")
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (130, "Interrupted; nothing was left incomplete.\n")
    child = Path(f"/proc/{started.read_text().strip()}/stat")
    eventually(lambda: not child.exists() or ") Z " in child.read_text(), "the program ends")
    assert registry.git("status", "--porcelain", "-uall") == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("registry-try-")] == []
