"""Procfiles: a line that starts one program becomes its words, any other one a call of the shell."""

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import UsageError
from registry.exchange.importer import ImportOptions
from registry.exchange.procfile_import import read_procfile
from registry.exchange.shell_words import simple_command

FILE = """\
# main
web: bundle exec puma -p $PORT
worker_2: RAILS_ENV=production bundle exec rake jobs:work

what is this
"""


def test_lines_become_services() -> None:
    found = read_procfile("Procfile", FILE, ImportOptions())
    web, worker = found.definitions
    assert web.document["definition"] == {
        "exec": "/bin/sh",
        "process_type": "service",
        "argv": ["-c", "bundle exec puma -p $PORT"],
    }
    assert web.notes == ("web: the command needs a shell, so /bin/sh -c starts it",)
    assert worker.document["definition"] == {
        "exec": "bundle",
        "process_type": "service",
        "environment": {"RAILS_ENV": "production"},
        "argv": ["exec", "rake", "jobs:work"],
    }
    assert (worker.name, worker.notes) == ("worker_2", ())
    assert [(loss.field, loss.line) for loss in found.losses] == [("what is this", 5)]


def test_a_file_without_processes_is_refused() -> None:
    with pytest.raises(UsageError, match="has no process"):
        read_procfile("Procfile", "no colon\n", ImportOptions())


def test_many_comments_take_no_time() -> None:
    found = read_procfile("Procfile", "# a\n" * 100_000 + "# Title\n# web\nweb: x\n", ImportOptions())
    assert found.definitions[0].document["title"] == "Title"


@pytest.mark.parametrize(
    ("line", "words", "environment", "cwd"),
    [
        ("x a b", ["x", "a", "b"], {}, None),
        (r"""'x y' "a \"\$\q" b\ c '' d'e'"f" #""", None, {}, None),
        (r"""'x y' "a \"\$\q" b\ c '' d'e'"f" g#h""", ["x y", 'a "$\\q', "b c", "", "def", "g#h"], {}, None),
        ("cd '/a && b' && exec :", [":"], {}, "/a && b"),
        ("A=\"${B?}\" exec env 'C=d e' x", ["x"], {"A": "${B}", "C": "d e"}, None),
        ("A=1 env B=2 x C=3", ["x", "C=3"], {"A": "1", "B": "2"}, None),
        ("env -i x", ["env", "-i", "x"], {}, None),
        ("x 'a && b' a=~ --b=c", None, {}, None),
        ("'A=1' x", ["A=1", "x"], {}, None),
    ],
)
def test_a_simple_command_is_split(
    line: str, words: list[str] | None, environment: dict[str, str], cwd: str | None
) -> None:
    found = simple_command(line)
    if words is None:
        assert found is None
    else:
        assert found is not None
        assert (list(found.words), found.environment, found.cwd) == (words, environment, cwd)


@pytest.mark.parametrize(
    "line",
    ["x | y", "x; y", "x &", "x > y", "x $Y", "x `y`", "x *.c", "x ~", "x {a,b}", "x 'y", 'x "$y"', "source x",
     "if x", "cd x", "cd x && cd y", "! x", "# x", "A=1", 'A=x"${B?}" y', 'x "${B?}"', "", 'A="${B}" x', "x \\"],
)  # fmt: skip
def test_what_a_shell_does_more_than_removing_quotes_is_left_to_it(line: str) -> None:
    assert simple_command(line) is None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), min_size=1, max_size=5))
def test_quoted_words_come_back(words: list[str]) -> None:
    found = simple_command(shlex.join(["/bin/x", *words]))
    assert found is not None
    assert list(found.words) == ["/bin/x", *words]


PIECES = (
    "a",
    "=",
    "'",
    '"',
    "\\",
    " ",
    "  ",
    "#",
    "~",
    "$",
    "{",
    "}",
    "*",
    "!",
    "''",
    '""',
    r"\'",
    r"\"",
    "é",
    "-",
    "%",
    ",",
    ":",
)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(PIECES), max_size=10).map("".join))
def test_a_shell_gives_the_program_the_same_words(text: str) -> None:
    line = f"exec /usr/bin/printf '%s\\0' '' {text}"
    found = simple_command(line)
    if found is not None:
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True, cwd="/")
        assert done.stdout.split("\0")[:-1] == list(found.words[2:])
