"""Programs of supervisord."""

from typing import Any

import pytest

from registry.errors import UsageError
from registry.exchange.importer import ImportedText, ImportOptions
from registry.exchange.supervisord_import import read_supervisord

FILE = """\
; the head
[unix_http_server]
file=/tmp/s.sock
[program:web]
command=/usr/bin/gunicorn "app:app" -b 0.0.0.0:80
  --fmt '%%(h)s' \\"x ; a comment
directory=/srv/my web
environment=A="1,2",B='x',C="it's",
  TOKEN="%(ENV_TOKEN)s",P="/opt:%(ENV_PATH)s"
autostart=true
user=www
stopwaitsecs=10
[program:job]
command: /bin/job %(program_name)s %(here)s/x
autorestart=false
startsecs=0
[program:bad]
command=/bin/x --port %(ENV_PORT)s
[group:all]
programs=web,job
"""


def read(text: str) -> ImportedText:
    """The result for one text."""
    return read_supervisord("/etc/supervisor/supervisord.conf", text, ImportOptions())


def program(*lines: str) -> dict[str, Any]:
    """The content of `definition` of the only program, which has these lines."""
    (found,) = read("\n".join(["[program:a]", *lines, ""])).definitions
    content: dict[str, Any] = found.document["definition"]
    return content


def test_programs_become_definitions_and_the_rest_is_listed() -> None:
    found = read(FILE)
    web, job = found.definitions
    assert (web.name, web.document["definition"]) == (
        "web",
        {
            "exec": "/usr/bin/gunicorn",
            "process_type": "service",
            "cwd": "/srv/my web",
            "environment": {"A": "1,2", "B": "x", "C": "it's", "TOKEN": "${TOKEN}"},
            "argv": ["app:app", "-b", "0.0.0.0:80", "--fmt", "%(h)s", '"x'],
        },
    )
    assert [(loss.field, loss.line) for loss in web.losses] == [
        ("environment P", 8),
        ("[program:web] user", 11),
    ]
    assert (job.document["definition"]["process_type"], job.document["definition"]["argv"]) == (
        "single",
        ["job", "/etc/supervisor/x"],
    )
    assert [(loss.field, loss.line) for loss in found.losses] == [
        ("[unix_http_server]", 2),
        ("[program:bad]", 17),
        ("[group:all]", 19),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[supervisord]\n", "has no process that can be imported"),
        ("[program:a]\ncommand=x %(ENV_A)s", ":2: the value of %(ENV_A)s is on the host"),
        ("[program:a]\ncommand=x %(process_num)02d", ":2: supervisord cannot expand %(process_num)0"),
        ("[program:a]\ncommand=x %(process_num)s", "the value of %(process_num)s"),
        ("[program:a]\ncommand=x " + "%(" * 500_000, "cannot expand %"),
        ("[program:a]\ncommand=x 100%", "cannot expand %"),
        ("[program:a]\ncommand=x 'y", "the command cannot be split"),
        ("[program:a]\nuser=me", "there is no program"),
        ("[program:a]\ncommand=x\nenvironment=A", "is not a list of NAME=value"),
        ("[program:a]\ncommand=x\nenvironment=%(ENV_B)sA=1", "the name of a variable is on the host"),
        ("[program:a]\ncommand=x\nenvironment=A='b", "environment cannot be split"),
        ("[program:a]\ncommand=x\ndirectory=srv", "not an absolute path"),
        ("command=x", ":1: the line is no section"),
        ("[program:a]\nwhat", ":2: the line is no section"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(text)
    assert said in refused.value.message


def test_the_folder_of_the_file_must_be_known() -> None:
    with pytest.raises(UsageError, match="the folder of the file"):
        read_supervisord("s.conf", "[program:a]\ncommand=%(here)s/x", ImportOptions())


def test_a_later_value_that_is_lost_leaves_no_earlier_one() -> None:
    assert "environment" not in program("command=x", "environment=A=1,A=a%(ENV_B)s")


def test_later_values_win_and_marks_do_not_meet_values() -> None:
    content = program("command=x", "command=y", "environment=A=variable0z,B=%(ENV_variable)s")
    assert (content["exec"], content["environment"]) == ("y", {"A": "variable0z", "B": "${variable}"})
