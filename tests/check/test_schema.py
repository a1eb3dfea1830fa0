"""Findings of the schema read as a person would say them: one a mistake, with the nearest right word."""

import pytest

from registry.load.source import WorkTree
from registry.pipeline import check_source
from tests.support.repo import APPLICATION, RepoBuilder

HEAD = "title: T\nowners: [team]\n"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("{exec: ''}", "3:20 S005 `exec` is empty: name the executable to start | "),
        ("{exce: /bin/x}", "3:14 S002 unknown key `exce` | did you mean `exec`?"),
        ("{}", "3:1 S001 `exec` is missing | add `exec: …`"),
        ("[]", "3:13 S003 `definition` must be a map, not a list | "),
        ("{exec: 5}", '3:20 S003 `exec` must be text, not a number | quote it: "5"'),
        ("{exec: x, args: [a]}", "3:23 S002 unknown key `args` | did you mean `argv`?"),
        ("{exec: x, argv: -d x}", '3:29 S003 `argv` must be a list, not text | write argv: ["-d", "x"]'),
        ("{exec: x, argv: [1]}", '3:30 S003 item 1 of `argv` must be text, not a number | quote it: "1"'),
        (
            "{exec: x, timeout: 0}",
            "3:32 S005 `timeout` must be more than 0 seconds; leave it out for no limit | ",
        ),
        ("{exec: x, timeout: 40000000}", "3:32 S005 `timeout` is longer than a year (31,536,000 seconds) | "),
        ("{exec: x, timeout: 1m30s}", "3:32 S003 `timeout` must be a number, not text | write 90"),
        ("{exec: x, timeout: '2 h'}", "3:32 S003 `timeout` must be a number, not text | write 7200"),
        ("{exec: x, timeout: 500ms}", "3:32 S003 `timeout` must be a number, not text | write 0.5"),
        ("{exec: x, timeout: 2d}", "3:32 S003 `timeout` must be a number, not text | write 172800"),
        ("{exec: x, timeout: 1w 1d}", "3:32 S003 `timeout` must be a number, not text | write 691200"),
        (
            "{exec: x, timeout: 1M}",
            "3:32 S003 `timeout` must be a number, not text | write a number of seconds",
        ),
        (
            "{exec: x, timeout: 99w}",
            "3:32 S003 `timeout` must be a number, not text | write a number of seconds",
        ),
        (
            "{exec: x, timeout: 0s}",
            "3:32 S003 `timeout` must be a number, not text | write a number of seconds",
        ),
        (
            "{exec: x, argv: a b}",
            '3:29 S003 `argv` must be a list, not text | write argv: ["a", "b"], or argv: ["a b"] for one argument',
        ),
        (
            "{exec: x, argv: [2.50]}",
            '3:30 S003 item 1 of `argv` must be text, not a number | quote it exactly as written: "…"',
        ),
        ("{exec: x, cwd: srv}", "3:28 S005 `cwd` must be an absolute path, without control characters | "),
        (
            "{exec: x, process_type: sinlge}",
            "3:37 S004 `process_type` cannot be `sinlge` | did you mean `single`?",
        ),
        (
            "{exec: x, process_type: typeofprocess}",
            "3:37 S004 `process_type` cannot be `typeofprocess` | one of single, service",
        ),
        (
            "{exec: x, environment: {PORT: 80}}",
            '3:43 S003 `PORT` must be text, not a number | quote it: "80"',
        ),
        (
            "{exec: x, environment: {FLAG: true}}",
            '3:43 S003 `FLAG` must be text, not true or false | quote it: "true"',
        ),
        (
            "{exec: x, environment: ['A=b']}",
            '3:36 S003 `environment` must be a map, not a list | write a map: NAME: "value"',
        ),
        (
            "{exec: x, environment: {A=c: b}}",
            "3:37 S002 `A=c` is no name of an environment variable: it must not be empty, nor hold `=` or control characters | ",
        ),
        (
            "{exec: x, environment: null}",
            "3:36 S003 `environment` must be a map, not empty | give it a value, or remove the key",
        ),
        ("{exec: x, input_adapter: {}}", "3:23 S001 `input_type` is missing | add `input_type: …`"),
        (
            "{exec: x, input_adapter: {input_type: file, input_params: {}}}",
            "3:71 S005 specify the file: `file_path`, or `file_type: stream` with `stream_name` | ",
        ),
        (
            "{exec: x, input_adapter: {input_type: file, input_params: {stream_name: STDIN}}}",
            "3:57 S001 `file_type` is missing | add `file_type: …`",
        ),
        (
            "{exec: x, input_adapter: {input_type: file, input_params: {file_path: /x, tcp_port: 80}}}",
            "3:87 S002 unknown key `tcp_port` | known keys: file_type, stream_name, file_path, suffix, content_type, framing, chunk_size, max_message_size",
        ),
        (
            "{exec: x, process_type: service, input_adapter: {input_type: port, input_params: {tcp_port: '80'}}}",
            "3:105 S003 `tcp_port` must be a whole number, not text | write 80, without quotes",
        ),
        (
            "{exec: x, process_type: service, input_adapter: {input_type: port, input_params: {tcp_port: 80, port: 1}}}",
            "3:109 S002 unknown key `port` | did you mean `tcp_port` or `udp_port`?",
        ),
        (
            "{exec: x, process_type: service, input_adapter: {input_type: port, input_params: {framing: line, tcp_port: 80}}}",
            "3:104 S004 `framing` cannot be `line` | did you mean `lines`?",
        ),
        (
            "{exec: x, process_type: service, input_adapter: {input_type: port, input_params: {}}}",
            "3:80 S001 specify the port: `tcp_port` or `udp_port` | ",
        ),
        (
            "{exec: x, process_type: service, input_adapter: {input_type: port, input_params: {tcp_port: 80, udp_port: 80}}}",
            "3:105 S005 `tcp_port` cannot be combined with `udp_port`: keep one of the two | ",
        ),
        (
            "{exec: x, process_type: service, input_adapter: {input_type: port, input_params: {tcp_port: 70000}}}",
            "3:105 S005 `tcp_port` must be at most 65,535 | ",
        ),
        (
            "{exec: x, input_adapter: {input_type: 5}}",
            '3:51 S003 `input_type` must be text, not a number | quote it: "5"',
        ),
    ],
)
def test_one_mistake_in_a_process_definition_is_one_clear_finding(
    inside: str, expected: str, repo: RepoBuilder
) -> None:
    repo.define("a", f"{HEAD}definition: {inside}\n")
    found = [
        f"{p.span.line}:{p.span.column} {p.rule} {p.message} | {p.hint}"
        for p in check_source(WorkTree(repo.root)).problems
    ]
    assert found == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("definition: {mappings: {}}", "S005 `mappings` names no site: give at least one"),
        ("definition: {mappings: {a: {iaas_image: x}}}", "S001 `iaas_allocation` is missing"),
        (
            "definition: {mappings: {'a b': {iaas_image: x, iaas_allocation: z}}}",
            "S002 `a b` is no site name: letters, digits and . _ -",
        ),
        ("contextualization: {method: chef-solo}", "S001 `chef_config` is missing"),
        (
            "contextualization: {method: userdata, userdata: x, run_list: []}",
            "S005 `run_list` belongs to another method",
        ),
        (
            "contextualization: {method: chef, run_list: [ffmpeg]}",
            "S005 item 1 of `run_list` must be `recipe[…]` or `role[…]`",
        ),
        ("contextualization: {method: ansible}", "S004 `method` cannot be `ansible`"),
    ],
)
def test_one_mistake_in_an_application_is_one_clear_finding(
    text: str, expected: str, repo: RepoBuilder
) -> None:
    whole = f"{HEAD}lifecycle: deprecated\ndeprecation: {{reason: old}}\n"
    whole += (
        text
        if text.startswith("definition")
        else APPLICATION[APPLICATION.index("definition") :] + f"  {text}"
    )
    repo.define("a", whole + "\n", "application")
    assert [f"{p.rule} {p.message}" for p in check_source(WorkTree(repo.root)).problems] == [expected]


def test_fields_around_the_definition_are_checked_too(repo: RepoBuilder) -> None:
    repo.write("samples/a", "a")
    repo.define(
        "a",
        "id: 0\ntitle: ''\nowner: [x]\ntags: [Big]\nlifecycle: old\ndeprecation: {since: '2026-13-01'}\nlinks: [{href: 'http://x'}]\n"
        "examples: [{input_text: a, input_file: samples/a}, {input_file: samples/../a}]\ndefinition: {exec: x}\n",
    )
    found = [
        f"{p.span.line} {p.rule} {p.message}"
        for p in check_source(WorkTree(repo.root)).problems
        if p.severity == "error"
    ]
    assert found == [
        "1 S005 `id` must be at least 1",
        "2 S005 `title` is empty",
        "3 S002 unknown key `owner`",
        "4 S005 item 1 of `tags` is not a valid tag: lower-case letters, digits and + # : -, starting with a letter or digit, at most 63",
        "5 S004 `lifecycle` cannot be `old`",
        '6 S005 `since` is not a date: write "YYYY-MM-DD" in quotes',
        "7 S005 `href` must be an https address",
        "8 S005 item 1 of `examples` gives both `input_text` and `input_file`: keep one",
        "8 S005 `input_file` must be a path below samples/",
    ]
