"""`registry check --fix`: what is safe is mended in the text, comments stay, and a file never gets worse."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.autofix import fix_files
from registry.load import yaml
from registry.load.source import WorkTree
from registry.pipeline import check_source
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
        (
            "  environment: {A: 1, B: yes, C: 0777}  # x\n",
            '  environment: {A: "1", B: "yes", C: "0777"}  # x\n',
        ),
        ('  environment: ["A=b", "C=d e=f"]\n', '  environment: {A: "b", C: "d e=f"}\n'),
        ("  argv: -d x\n", '  argv: ["-d", "x"]\n'),
        ("  timeout: 1m30s\n", "  timeout: 90\n"),
        ("  timeout: 500ms\n", "  timeout: 0.5\n"),
        ("  timeout: 2d\n", "  timeout: 172800\n"),
        ("  timeout: 1w\n", "  timeout: 604800\n"),
        ("  timeout: 1.5h\n", "  timeout: 5400\n"),
        ("  timeout: '10 min'\n", "  timeout: 600\n"),
        ("  enviroment: [A=b]\n", '  environment: {A: "b"}\n'),
        (
            "  environment:\n    - A=b  # why\n    # both\n    - 'C=d e'\n",
            '  environment:\n    A: "b"  # why\n    # both\n    C: "d e"\n',
        ),
        ("  environment:\n  - A=b\n  timeout: 5\n", '  environment:\n    A: "b"\n  timeout: 5\n'),
        ("  environment: {ON: yes, B: ~}\n", '  environment: {"ON": "yes", B: "~"}\n'),
        ("  cwd: /srv/x/\n", "  cwd: /srv/x\n"),
        ('  cwd: "/srv/x//"   # here\n', '  cwd: "/srv/x"   # here\n'),
        (
            "  environment: {AWS_SECRET_ACCESS_KEY: FIXME}\n",
            '  environment: {AWS_SECRET_ACCESS_KEY: "${AWS_SECRET_ACCESS_KEY}"}\n',
        ),
        (
            "  input_adapter:\n    input_type: file\n    input_parameters: {file_type: stream, stream_name: STDIN}\n",
            "  input_adapter:\n    input_type: file\n    input_params: {file_type: stream, stream_name: STDIN}\n",
        ),
    ],
)
def test_it_is_mended_and_all_else_stays(repo: RepoBuilder, run: Run, before: str, after: str) -> None:
    path = repo.define("a", HEAD + before)
    outcome = run("check", "--fix", "-C", str(repo.root))
    assert path.read_text() == HEAD + after
    assert outcome.code == 0, outcome.out
    assert "+" in outcome.err
    assert "Fixed 1 file." in outcome.err


def test_a_command_line_is_taken_apart(repo: RepoBuilder, run: Run) -> None:
    path = repo.define("a", "title: T\nowners: [t]\ndefinition:\n  exec: /usr/bin/tr -d x\n  timeout: 5\n")
    run("check", "--fix", "-C", str(repo.root))
    assert (
        path.read_text()
        == 'title: T\nowners: [t]\ndefinition:\n  exec: /usr/bin/tr\n  argv: ["-d", "x"]\n  timeout: 5\n'
    )


@pytest.mark.parametrize(
    "rest",
    [
        "  argv: [a]\n  args: [b]\n",  # both are there: a person must say which
        "  argv: echo 'a b' | wc\n",  # a shell would be needed
        "  environment: [A=b, just words]\n",
        "  environment: [A=b, A=c]\n",
        '  environment: [A="b"]\n',  # the quotes are part of the value, and seldom meant to be
        "  environment:\n    - A=b\n    - C\n",
        "  timeout: 1M\n",  # a minute, or a month
        "  timeout: 1h30\n",
        "  timeout: 60w\n",  # longer than what the schema takes
        "  timeout: 1h 2h\n",
        "  timeout: 1e3\n",  # quotes would make it text, which is no number
        "  timeout: 1:30\n",
        "  timeout: |\n    90s\n",
        "  argv: hello world\n",  # one argument, or two
        "  cmd: /bin/x\n",  # one letter from `cwd`
        "  process_type: service\n  input_adapter: {input_type: port, input_params: {port: 8090}}\n",  # TCP, or UDP
        "  input_adapter: {input_type: acme/x, input_params: {ack: yes, level: 0777}}\n",  # text, or not: no schema says
        "  enviroment: [a, b]\n",  # the right name would show a new finding
        "  zzz: 1\n",
        "  timeout: soon\n",
    ],
)
def test_what_a_person_must_decide_is_left_alone(repo: RepoBuilder, run: Run, rest: str) -> None:
    path = repo.define("a", HEAD + rest)
    outcome = run("check", "--fix", "-C", str(repo.root))
    assert path.read_text() == HEAD + rest
    assert (outcome.code, "Nothing that can be fixed safely." in outcome.err) == (1, True)


@pytest.mark.parametrize(
    "exec_",
    [
        '"/opt/My App/bin/run"',
        "/opt/My App",
        "/opt/My App/bin/run -v",
        "/opt/a -b/c d",
        "Google Chrome",
        "/opt/a  -v b/c",
        "|\n    tr -d x",
    ],
)
def test_a_path_with_blanks_is_not_taken_apart(repo: RepoBuilder, run: Run, exec_: str) -> None:
    text = f"title: T\nowners: [t]\ndefinition:\n  exec: {exec_}\n"
    path = repo.define("a", text)
    outcome = run("check", "--fix", "-C", str(repo.root))
    assert path.read_text() == text
    assert "Nothing that can be fixed safely." in outcome.err


def test_files_with_findings_that_stay_are_fixed_too(repo: RepoBuilder, run: Run) -> None:
    """Without `owners`, and with a misspelled key that nobody can guess."""
    path = repo.define(
        "a", "title: T\nzzz: 1\ndefinition:\n  exce: /usr/bin/tr -d x\n  environment:\n  - A=b\n  - C=d"
    )
    outcome = run("check", "--fix", "-C", str(repo.root))
    assert path.read_text() == (
        'title: T\nzzz: 1\ndefinition:\n  exec: /usr/bin/tr\n  argv: ["-d", "x"]\n  environment:\n    A: "b"\n    C: "d"'
    )
    assert [word for word in ("S002", "S003", "W101", "W202") if word in outcome.out] == ["S002", "W202"]


_SCALARS = st.sampled_from(
    [
        "a",
        "1",
        "2.50",
        "yes",
        "~",
        "0777",
        "1e3",
        "2d",
        "500ms",
        "'x y'",
        '"q"',
        "A=b",
        "A=b # c",
        "[A=b, C=d]",
        "[1, yes, -v]",
        "{A: 1, B: no}",
        "-d x",
        "/srv/x/",
        "/opt/My App/run",
        "/usr/bin/tr -d x",
        "|\n    text\n",
        ">-\n    -d x",
        "\n    - A=b\n    - C=d  # c",
        "\n  - A=b\n  - 1",
        "\n    A: 1\n    # c\n    B: yes",
        "",
        "[]",
        "{}",
        "FIXME",
        "8090",
        "{input_type: port, input_params: {port: 80}}",
        "'it''s'",
        '"\\x41"',
        "ü",
        "{input_type: file, input_parameters: {file: /x}}",
        "2026-01-01",
        "12:30",
        "[a, [b]]",
        "[A=1, A=2]",
        '["A=b", "C=\'d\'"]',
        "a#b",
        "[ -x , y ]",
    ]
)
_KEYS = st.sampled_from(
    [
        "exec",
        "exce",
        "command",
        "argv",
        "args",
        "arg",
        "environment",
        "enviroment",
        "env",
        "timeout",
        "timout",
        "cwd",
        "cmd",
        "process_type",
        "type",
        "input_adapter",
        "output_adaptor",
        "zzz",
        "x-a",
        '"args"',
        "application",
        "name",
        "FIXME",
    ]
)
_COMMENTS = st.sampled_from(["", "", "   # c", "\n  # c", "\n"])


@settings(max_examples=80)
@given(
    st.lists(st.tuples(_KEYS, _SCALARS, _COMMENTS), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_what_is_fixed_is_the_same_definition_with_fewer_findings(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str]], line_end: str, has_head: bool
) -> None:
    root = tmp_path_factory.mktemp("fix")
    path = "definitions/process_definition/a.yaml"
    head = "title: T\nowners: [t]\n" if has_head else "# top\n"
    text = head + "definition:\n" + "".join(f"  {key}: {value}{comment}\n" for key, value, comment in lines)
    file = root / path
    file.parent.mkdir(parents=True)
    file.write_bytes(text.replace("\n", line_end).encode())

    def found() -> Counter[str]:
        return Counter(problem.rule for problem in check_source(WorkTree(root)).problems)

    before, data = found(), file.read_bytes()
    fixed = fix_files(root, [path])
    after = found()
    assert bool(fixed) == (file.read_bytes() != data)
    if fixed:
        assert yaml.read(file.read_bytes(), path).document is not None
        assert after < before, f"{dict(before)} became {dict(after)}"
        assert file.read_bytes().count(b"#") == data.count(b"#")
        assert file.read_bytes().count(b"\r") - data.count(b"\r") in (
            (0, 1) if line_end == "\r\n" else (0,)
        )  # `argv` gets a line of its own
        assert fix_files(root, [path]) == ()
    else:
        assert after == before


def test_a_file_that_changes_meanwhile_is_left_alone(
    repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = repo.define("a", HEAD + "  args: [a]\n")

    def edit_and_check(*words: Any, **named: Any) -> Any:
        path.write_text(HEAD + "  args: [b]\n")
        return check_source(*words, **named)

    monkeypatch.setattr("registry.autofix.check_source", edit_and_check)
    assert fix_files(repo.root, ["definitions/process_definition/a.yaml"]) == ()
    assert path.read_text() == HEAD + "  args: [b]\n"


def test_nothing_is_written_where_no_fix_is_found_to_be_right(
    repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fix is tried in memory: a run that is ended half way leaves the file as it was."""
    repo.define("a", HEAD + "  args: [a]\n  timeout: 1M\n")
    monkeypatch.setattr("registry.autofix.replace_in", lambda *_: pytest.fail("written"))
    monkeypatch.setattr("registry.autofix.fixer.FileFixer._applied", lambda *_: None)
    assert fix_files(repo.root, ["definitions/process_definition/a.yaml"]) == ()


def test_line_ends_a_byte_order_mark_and_other_files_stay(repo: RepoBuilder, run: Run) -> None:
    path = repo.define("a", "")
    path.write_bytes(b"\xef\xbb\xbftitle: \xc3\x9c\r\nowners: [t]\r\ndefinition: {exec: x, args: [1]}\r\n")
    other = repo.define("b", "title: T\nowners: [t]\ndefinition: {exec: x, args: []}\n")
    outcome = run("check", "--fix", "definitions/process_definition/a.yaml", "-C", str(repo.root))
    assert outcome.code == 0
    assert (
        path.read_bytes()
        == b'\xef\xbb\xbftitle: \xc3\x9c\r\nowners: [t]\r\ndefinition: {exec: x, argv: ["1"]}\r\n'
    )
    assert "args" in other.read_text()
    assert run("check", "--fix", "--source", "HEAD", "-C", str(repo.root)).code == 2


def test_a_credential_is_not_told_in_what_it_shows(repo: RepoBuilder, run: Run) -> None:
    repo.define(
        "a",
        "title: T\nowners: [t]\ndefinition:\n  exec: x\n  args: [a]\n  environment: {DB_PASSWORD: kXq9Lr2vTz81Wm4p}\n",
    )
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
        "# the file\n# its schema\nid: 7\n\ntitle: |\n  T\n# who\n# answers\nowners: [t]\nx-a: 1\ndefinition:  # what\n  exec: x\n  # inside\n"
    )
    assert "W205" not in run("check", "-C", str(repo.root)).out
    flow = repo.define("b", "{definition: {exec: x}, title: T, owners: [t]}\n")
    run("check", "--fix", "-C", str(repo.root))
    assert flow.read_text() == "{title: T, owners: [t], definition: {exec: x}}\n"
