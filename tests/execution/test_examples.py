"""Examples as tests: each expectation, and how a difference is shown."""

import hashlib
from typing import Any

import pytest

from registry.execution.examples import difference_lines, failure_of, mismatches_of, sample_reader
from registry.execution.runner import RunResult
from registry.execution.running import End
from registry.load.source import open_source
from tests.support.repo import RepoBuilder

FILES = {"samples/abc.txt": b"abc\n"}
DIGEST = hashlib.sha256(b"abc\n").hexdigest()


PUBLISHED = RunResult(status=0, output=b"abc\n")
FAILED = RunResult(status=139, errors=b"why\n")


def found(example: dict[str, Any], result: RunResult = PUBLISHED) -> list[tuple[str, str]]:
    return [(one.field, one.message) for one in mismatches_of(example, result, FILES.get)]


@pytest.mark.parametrize(
    "example",
    [
        {},
        {"output_text": "abc\n"},
        {"output_file": "samples/abc.txt"},
        {"output_sha256": DIGEST},
        {"output_contains": "bc"},
        {"output_size": {"min": 4, "max": 4}},
        {"output_size": {"min": 1}, "output_contains": "a"},
    ],
)
def test_an_output_as_expected(example: dict[str, Any]) -> None:
    assert found(example) == []


@pytest.mark.parametrize(
    ("example", "mismatch"),
    [
        ({"output_text": "abc"}, ("output_text", "the output is not the expected one")),
        (
            {"output_file": "samples/none"},
            ("output_file", "samples/none is not a file below samples/ of at most 1 MiB"),
        ),
        ({"output_sha256": "0" * 64}, ("output_sha256", "the output (4 bytes) is not the expected one")),
        ({"output_contains": "x\ny"}, ("output_contains", 'the output does not contain "x\\ny"')),
        ({"output_size": {"min": 5}}, ("output_size", "4 bytes, expected at least 5")),
        ({"output_size": {"max": 0}}, ("output_size", "4 bytes, expected at most 0")),
        (
            {"output_size": {"min": 5, "max": 9}},
            ("output_size", "4 bytes, expected at least 5 and at most 9"),
        ),
        ({"exit_code": 2}, ("exit_code", "exit status 0, expected 2")),
    ],
)
def test_another_output(example: dict[str, Any], mismatch: tuple[str, str]) -> None:
    assert found(example) == [mismatch]


def test_a_failed_run_has_no_output_to_compare() -> None:
    crashed = ("exit_code", "exit status 139 (SIGSEGV), expected 0")
    assert found({"output_text": "abc\n"}, FAILED) == [crashed]
    assert found({"exit_code": 139}, FAILED) == []
    assert found({"exit_code": 139, "output_text": "abc\n"}, FAILED) == [
        ("output_text", "the output is not the expected one")
    ]
    failure = failure_of(FAILED)
    assert failure is not None
    assert failure.lines == ("why",)


def test_a_run_that_was_stopped_fails_whatever_is_expected() -> None:
    late = RunResult(status=143, end=End.TIMED_OUT, seconds=1.25)
    assert found({"exit_code": 143}, late) == [("timeout", "it did not finish in 1.2 s")]
    large = RunResult(status=137, end=End.TOO_LARGE)
    assert [field for field, _ in found({"exit_code": 137}, large)] == ["output_size"]


def test_a_difference_has_context_and_shows_invisible_text() -> None:
    assert difference_lines(b"1\n2\n3\n4\n5\n6\n", b"1\n2\n3\n4\n5x\x1b\n6\n") == (
        *(" 2", " 3", " 4", "-5", "+5x\\u001b", " 6"),
    )
    assert difference_lines(b"a\n", b"a") == ("-a", "+a (no line feed at the end)")


def test_a_difference_of_data_names_the_first_byte() -> None:
    assert difference_lines(b"\xff\x00\x01", b"\xff\x00\x02\x03") == (
        "3 bytes expected, 4 bytes found, first difference at 2",
        "- 01",
        "+ 02 03",
    )


def test_a_long_difference_is_cut() -> None:
    lines = difference_lines(b"a\n" * 100, b"b\n" * 100)
    assert len(lines) == 41
    assert lines[-1] == "… and 160 more lines"


def test_only_samples_are_read(repo: RepoBuilder) -> None:
    (repo.root.parent / "secret").write_text("s")
    repo.write("samples/large", b"a" * 1024 * 1024)
    repo.write("samples/larger", b"a" * (1024 * 1024 + 1))
    (repo.root / "samples/link").symlink_to(repo.root.parent / "secret")
    repo.write("registry.yaml", "title: R\n")
    repo.define("a")
    read = sample_reader(open_source(repo.root))
    assert len(read("samples/large") or b"") == 1024 * 1024
    for path in (
        "samples/larger",
        "samples/link",
        "samples/../registry.yaml",
        "registry.yaml",
        "../secret",
        "",
        "/etc/passwd",
    ):
        assert read(path) is None, path
