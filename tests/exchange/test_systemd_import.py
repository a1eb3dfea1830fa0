"""systemd units: what a definition gets from them, what is lost, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import UsageError
from registry.exchange.importer import Imported, ImportOptions
from registry.exchange.systemd_import import read_unit

UNIT = """\
[Unit]
Description=Quality control, 100%% of the packets
Documentation=man:qc(8) https://docs.example.org/qc
After=network.target
  # a comment
[Service]
Type=exec
User=weather
WorkingDirectory=/srv/my data
Environment="LEVEL=very high" 'HOME_PAGE=$HOME' \\
; a comment between the parts of one line
    ZONE=UTC
Environment=LEVEL=2
ExecStart=/opt/qc --from "a b" 'c "d"' --x="y z" e\\x20f \\u00e9 $$HOME ${ZONE}/$LEVEL \\;

[Install]
WantedBy=multi-user.target
[X-Team]
Floor=3
"""


def unit(*service: str, name: str = "qc.service") -> Imported:
    """The definition of a unit with these lines in [Service]."""
    text = "\n".join(["[Service]", *service, ""])
    (found,) = read_unit(name, text, ImportOptions()).definitions
    return found


def inside(*service: str) -> dict[str, Any]:
    """The content of `definition`."""
    content: dict[str, Any] = unit(*service).document["definition"]
    return content


def argv(command: str) -> list[str]:
    """The arguments after the program."""
    arguments: list[str] = inside(f"ExecStart=/bin/x {command}").get("argv", [])
    return arguments


def test_a_unit_gives_what_a_definition_can_hold_and_lists_the_rest_with_its_lines() -> None:
    (found,) = read_unit("etc/qc.service", UNIT, ImportOptions()).definitions
    assert found.name == "qc"
    assert found.document == {
        "title": "Quality control, 100% of the packets",
        "links": [{"href": "https://docs.example.org/qc"}],
        "definition": {
            "exec": "/opt/qc",
            "process_type": "service",
            "cwd": "/srv/my data",
            "environment": {"LEVEL": "2", "HOME_PAGE": "$HOME", "ZONE": "UTC"},
            "argv": ["--from", "a b", 'c "d"', "--x=y z", "e f", "é", "$HOME", "UTC/$LEVEL", ";"],
        },
    }
    assert [(loss.line, loss.field) for loss in found.losses] == [
        (3, "[Unit] Documentation"),
        (4, "[Unit] After"),
        (8, "[Service] User"),
    ]
    assert found.notes == ("line 14: ${ZONE} is replaced by its value",)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (r"\a\b\f\n\r\t\v\\\"\'\s", ["\a\b\f\n\r\t\v\\\"' "]),
        (r'"\101\x41\u0041\U00000041"', ["AAAA"]),
        (r"\xc3\xa9", ["é"]),
        (r'\q "\q"', [r"\q", r"\q"]),
        (r"\x00 \ud800 \400", [r"\x00", r"\ud800", r"\400"]),
        ('"" \'\' a""b', ["", "", "ab"]),
        (r"'it'\''s' 'a\nb'", ["it's", "a\nb"]),
        (r'";" a;b', [";", "a;b"]),
        ("a \\\n  b\\\\\\\n c", ["a", "b\\", "c"]),
        ("$$ $$x a$b ${unclosed$$ 50%%", ["$", "$x", "a$b", "${unclosed$$", "50%"]),
    ],
)
def test_words_are_read_as_systemd_reads_them(command: str, words: list[str]) -> None:
    assert argv(command) == words


def test_variables_of_the_unit_are_replaced_and_those_of_the_host_are_not() -> None:
    lines = ("Environment=A=1 'B=2  3'", "ExecStart=/bin/x ${A}${B} $B $OPTS")
    found = unit(*lines)
    assert found.document["definition"]["argv"] == ["12  3", "2", "3"]
    assert [(loss.field, loss.line) for loss in found.losses] == [("$OPTS", 3)]
    with_file = unit("EnvironmentFile=-/etc/default/x", *lines)
    assert [loss.field for loss in with_file.losses] == [
        "[Service] EnvironmentFile",
        "${A}",
        "${B}",
        "$B",
        "$OPTS",
    ]
    as_it_is = unit("Environment=A=1", "ExecStart=:/bin/x $A ${A} $$")
    assert as_it_is.document["definition"]["argv"] == ["$A", "${A}", "$$"]


def test_variables_that_the_host_passes_on_are_references() -> None:
    found = unit("PassEnvironment=TOKEN ZONE", "Environment=ZONE=UTC", "ExecStart=/bin/x")
    assert found.document["definition"]["environment"] == {"ZONE": "UTC", "TOKEN": "${TOKEN}"}
    assert found.losses == ()
    literal = unit("Environment=A=${B}", "ExecStart=/bin/x")
    assert [loss.field for loss in literal.losses] == ["A"]


def test_an_empty_value_resets_a_list() -> None:
    assert inside(
        "ExecStart=/bin/a", "ExecStart=", "ExecStart=/bin/b", "Environment=A=1", "Environment="
    ) == {
        "exec": "/bin/b",
        "process_type": "service",
    }


@pytest.mark.parametrize(
    ("span", "seconds"),
    [
        ("90", 90),
        ("1min 30s", 90),
        ("1.5h", 5400),
        ("2ms", 0.002),
        ("infinity", None),
        ("0", None),
        ("1w2d", 777_600),
    ],
)
def test_the_time_limit_of_a_oneshot_unit_is_that_of_a_run(span: str, seconds: float | None) -> None:
    found = inside("Type=oneshot", f"TimeoutStartSec={span}", "TimeoutStopSec=10", "ExecStart=/bin/x")
    assert (found["process_type"], found.get("timeout")) == ("single", seconds)


def test_the_time_limit_of_a_start_is_no_limit_of_a_service() -> None:
    found = unit("TimeoutStartSec=90", "ExecStart=/bin/x")
    assert "timeout" not in found.document["definition"]
    assert [loss.field for loss in found.losses] == ["[Service] TimeoutStartSec"]


def test_files_of_standard_streams_are_messages_of_a_run() -> None:
    found = unit("Type=oneshot", "StandardInput=file:/in", "StandardOutput=truncate:/out", "ExecStart=/bin/x")
    content = found.document["definition"]
    assert content["input_adapter"]["input_params"] == {"file_type": "stream", "stream_name": "STDIN"}
    assert content["output_adapter"]["output_params"] == {"file_type": "stream", "stream_name": "STDOUT"}
    assert [loss.field for loss in found.losses] == ["[Service] StandardInput", "[Service] StandardOutput"]
    plain = inside("Type=oneshot", "ExecStart=/bin/x")
    assert (plain["input_adapter"], plain["output_adapter"]) == (
        {"input_type": "none"},
        {"output_type": "none"},
    )


def test_the_wrapper_of_an_export_becomes_what_it_stands_for() -> None:
    command = "registry-run -t 1.5 -i -I .wav -o -- /bin/x --in=$${input_file} $${output_file}"
    assert inside("Type=oneshot", f"ExecStart={command}") == {
        "exec": "/bin/x",
        "process_type": "single",
        "timeout": 1.5,
        "argv": ["--in=${input_file}", "${output_file}"],
        "input_adapter": {
            "input_type": "file",
            "input_params": {"file_path": "${input_file}", "suffix": ".wav"},
        },
        "output_adapter": {"output_type": "file", "output_params": {"file_path": "${output_file}"}},
    }


def test_prefixes_of_the_program_are_lost_by_name() -> None:
    found = unit("ExecStart=-@!!/bin/x zeroth first")
    assert found.document["definition"] == {"exec": "/bin/x", "process_type": "service", "argv": ["first"]}
    assert [loss.field for loss in found.losses] == ["ExecStart=-", "ExecStart=@", "ExecStart=!"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["Type=exec"], "has no ExecStart"),
        (["ExecStart=/bin/a", "ExecStart=/bin/b"], "qc.service:3: there are several commands"),
        (["ExecStart=/bin/a ; /bin/b"], "qc.service:2: there are several commands"),
        (["ExecStart=/bin/x %i"], "qc.service:2: the specifier %i"),
        (["ExecStart=/bin/x 100%"], "the specifier %"),
        (["ExecStart=/bin/x 'a"], "a quotation mark is not closed"),
        (["ExecStart=/bin/x ${A}"], "the value of ${A} in an argument is on the host"),
        (["Environment=A=1", "ExecStart=/bin/x ${é${A}"], "the value of ${é${A} in an argument"),
        (["Environment=\"A='1'\"", "ExecStart=/bin/x $A"], "the words of $A are quoted"),
        ([r"ExecStart=/bin/x \xff"], "is not UTF-8"),
        (["ExecStart=-"], "there is no program"),
        ([r"ExecStart=/bin/\tx"], "control characters"),
        (["WorkingDirectory=srv", "ExecStart=/bin/x"], "not an absolute path"),
        (["Type=oneshot", "TimeoutSec=soon", "ExecStart=/bin/x"], "is not a time span"),
        (["ExecStart=/bin/x $${input_file}"], "an argument contains ${input_file}"),
        (["[Service"], "is not a section"),
    ],
)
def test_what_no_definition_can_express_is_refused_with_its_line(lines: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        unit(*lines)
    assert said in refused.value.message


def test_a_service_of_the_bus_is_no_unit() -> None:
    with pytest.raises(UsageError, match=r"has no section \[Service\]"):
        read_unit("a.service", "[D-BUS Service]\nExec=/bin/x\n", ImportOptions())


def test_a_program_that_goes_to_the_background_is_reported() -> None:
    (loss,) = unit("Type=forking", "ExecStart=/bin/x").losses
    assert "goes to the background" in loss.why


def test_a_line_that_systemd_does_not_read_is_refused() -> None:
    with pytest.raises(UsageError, match=r"qc.service:2: a line has more than"):
        unit("ExecStart=/bin/x " + "a\\\n" * 2**19)
    assert inside("ExecStart=/bin/x " + "a" * 1_000_000)["argv"] == ["a" * 1_000_000]


def test_a_template_is_refused() -> None:
    with pytest.raises(UsageError, match="template"):
        unit("ExecStart=/bin/x", name="getty@tty1.service")


def test_lines_that_systemd_ignores_are_reported() -> None:
    found = unit("no setting", "Environment=1A=x B", "ExecStart=/bin/x")
    assert [(loss.field, loss.line) for loss in found.losses] == [
        ("no setting", 2),
        ("[Service] Environment", 3),
        ("[Service] Environment", 3),
    ]


@pytest.mark.parametrize("value", ["A=1 'B=2", "A=1 B=\\q C=3", r"A=1 B=\x00", r"A=1 B=\ud800", 'A=1 "'])
def test_the_rest_of_a_list_that_systemd_cannot_read_is_reported(value: str) -> None:
    found = unit(f"Environment={value}", "ExecStart=/bin/x")
    assert found.document["definition"]["environment"] == {"A": "1"}
    assert [(loss.field, loss.line) for loss in found.losses] == [("[Service] Environment", 2)]


@given(st.text(st.sampled_from("ab%$\\\"'; \t\n[]={}@x0é#"), max_size=60))
def test_any_text_is_imported_or_refused(text: str) -> None:
    try:
        unit(f"ExecStart=/bin/x {text}", text)
    except UsageError as error:
        assert error.message
