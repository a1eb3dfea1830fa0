"""`registry check --fix`: what is safe is mended in the text, comments stay, and a file never gets worse."""

import pytest

from tests.conftest import Run
from tests.support.repo import RepoBuilder

HEAD = "# keep me\ntitle: T   # and me\nowners: [t]\ndefinition:\n  exec: /usr/bin/tr\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  args: [a]   # why\n", "  argv: [a]   # why\n"),
        ("  timout: 5\n  enviroment: {A: b}\n", "  timeout: 5\n  environment: {A: b}\n"),
        ("  argv: [1, -v, 2.50, true]\n", '  argv: ["1", -v, "2.50", "true"]\n'),
        ("  args: [1]\n", '  argv: ["1"]\n'),
        ("  environment: {A: 1, B: yes, C: 0777}  # x\n", '  environment: {A: "1", B: "yes", C: "0777"}  # x\n'),
        ('  environment: ["A=b", "C=d e=f"]\n', '  environment: {A: "b", C: "d e=f"}\n'),
        ("  argv: -d x\n", '  argv: ["-d", "x"]\n'),
        ("  timeout: 1m30s\n", "  timeout: 90\n"),
        ("  cwd: /srv/x/\n", "  cwd: /srv/x\n"),
        ('  cwd: "/srv/x//"   # here\n', '  cwd: "/srv/x"   # here\n'),
        ("  environment: {AWS_SECRET_ACCESS_KEY: FIXME}\n", '  environment: {AWS_SECRET_ACCESS_KEY: "${AWS_SECRET_ACCESS_KEY}"}\n'),
        ("  input_adapter:\n    input_type: file\n    input_parameters: {file_type: stream, stream_name: STDIN}\n",
         "  input_adapter:\n    input_type: file\n    input_params: {file_type: stream, stream_name: STDIN}\n"),
    ],
)  # fmt: skip
def test_it_is_mended_and_all_else_stays(repo: RepoBuilder, run: Run, before: str, after: str) -> None:
    path = repo.define("a", HEAD + before)
    outcome = run("check", "--fix", "-C", str(repo.root))
    assert path.read_text() == HEAD + after
    assert outcome.code == 0, outcome.out
    assert "+" in outcome.err
    assert "Mended 1 file." in outcome.err


def test_a_command_line_is_taken_apart(repo: RepoBuilder, run: Run) -> None:
    path = repo.define("a", "title: T\nowners: [t]\ndefinition:\n  exec: /usr/bin/tr -d x\n  timeout: 5\n")
    run("check", "--fix", "-C", str(repo.root))
    assert path.read_text() == 'title: T\nowners: [t]\ndefinition:\n  exec: /usr/bin/tr\n  argv: ["-d", "x"]\n  timeout: 5\n'


@pytest.mark.parametrize(
    "rest",
    [
        "  argv: [a]\n  args: [b]\n",  # both are there: a person must say which
        "  argv: echo 'a b' | wc\n",  # a shell would be needed
        "  environment: [A=b, just words]\n",
        "  environment: [A=b, A=c]\n",
        "  environment:  # a list\n    - A=b  # why\n",
        "  zzz: 1\n",
        "  timeout: soon\n",
    ],
)
def test_what_a_person_must_decide_is_left_alone(repo: RepoBuilder, run: Run, rest: str) -> None:
    path = repo.define("a", HEAD + rest)
    outcome = run("check", "--fix", "-C", str(repo.root))
    assert path.read_text() == HEAD + rest
    assert (outcome.code, "Nothing that is safe to mend." in outcome.err) == (1, True)


def test_line_ends_a_byte_order_mark_and_other_files_stay(repo: RepoBuilder, run: Run) -> None:
    path = repo.define("a", "")
    path.write_bytes(b"\xef\xbb\xbftitle: \xc3\x9c\r\nowners: [t]\r\ndefinition: {exec: x, args: [1]}\r\n")
    other = repo.define("b", "title: T\nowners: [t]\ndefinition: {exec: x, args: []}\n")
    outcome = run("check", "--fix", "definitions/process_definition/a.yaml", "-C", str(repo.root))
    assert outcome.code == 0
    assert path.read_bytes() == b'\xef\xbb\xbftitle: \xc3\x9c\r\nowners: [t]\r\ndefinition: {exec: x, argv: ["1"]}\r\n'
    assert "args" in other.read_text()
    assert run("check", "--fix", "--source", "HEAD", "-C", str(repo.root)).code == 2


def test_a_credential_is_not_told_in_what_it_shows(repo: RepoBuilder, run: Run) -> None:
    repo.define("a", "title: T\nowners: [t]\ndefinition:\n  exec: x\n  args: [a]\n  environment: {DB_PASSWORD: kXq9Lr2vTz81Wm4p}\n")
    outcome = run("check", "--fix", "-C", str(repo.root))
    assert "+  argv: [a]" in outcome.err
    assert "kXq9Lr2vTz81Wm4p" not in outcome.out + outcome.err


def test_keys_are_put_in_the_usual_order_where_a_team_asks_for_it(repo: RepoBuilder, run: Run) -> None:
    text = "# the file\n# its schema\ndefinition:  # what\n  exec: x\n  # inside\n\n# who\n# answers\nowners: [t]\ntitle: |\n  T\nx-a: 1\nid: 7"
    path = repo.define("a", text)
    assert run("check", "--fix", "-C", str(repo.root)).code == 0
    assert path.read_text() == text
    repo.write("registry.yaml", "rules: {W205: warning}\n")
    assert "W205" in run("check", "-C", str(repo.root)).out
    run("check", "--fix", "-C", str(repo.root))
    assert path.read_text() == (
        "# the file\n# its schema\nid: 7\ntitle: |\n  T\n# who\n# answers\nowners: [t]\nx-a: 1\ndefinition:  # what\n  exec: x\n  # inside\n\n"
    )
    assert "W205" not in run("check", "-C", str(repo.root)).out
    flow = repo.define("b", "{definition: {exec: x}, title: T, owners: [t]}\n")
    run("check", "--fix", "-C", str(repo.root))
    assert flow.read_text() == "{definition: {exec: x}, title: T, owners: [t]}\n"
