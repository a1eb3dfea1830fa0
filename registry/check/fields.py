"""Fields inside `definition` that are valid but probably a mistake."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from registry.check.rule import Registry, Rule
from registry.load.yaml.writer import flow
from registry.model.definition import Definition, text_at
from registry.model.problem import Problem, Severity
from registry.model.values import map_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHELL_CHARACTERS = re.compile(r"[|&;<>()$`\\\"'*?\[\]#~!{}]")
_LOADING = re.compile(
    r"(?:LD_[A-Z_]+|DYLD_[A-Z_]+|PATH|PYTHONPATH|PYTHONHOME|PYTHONSTARTUP|NODE_OPTIONS|NODE_PATH|PERL5LIB|PERL5OPT"
    r"|RUBYLIB|RUBYOPT|CLASSPATH|JAVA_TOOL_OPTIONS|BASH_ENV|ENV|IFS|SHELLOPTS|PS4)\Z"
)


def changes_loading(name: str) -> bool:
    """Return True for a variable that changes which code a program loads."""
    return _LOADING.match(name) is not None


_UNSTABLE = ("/tmp/", "/var/tmp/", "/dev/shm/", "/root/", "/home/")
_DEFINITION = "definition"
# A longer hint is not useful to copy.
_LONGEST_HINT = 500


def is_command_line(text: str) -> bool:
    """Return True when `exec` certainly contains a program with arguments, not a path with spaces.

    That is: an option follows the program, and no later word can belong to a path. `/opt/My App/bin/run -v`
    is not certain.
    """
    words = text.split(" ")
    return (
        len(words) > 1
        and re.match(r"--?[A-Za-z0-9]", words[1]) is not None
        and not any("/" in word and not word.startswith("/") for word in words[1:])
    )


def _command_line(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    text = text_at(definition.inside, "exec")
    if text and len(text.strip(" ").split(" ")) > 1:
        try:
            words = shlex.split(text)
        except ValueError:
            words = []
        if len(words) < 2 or len(text) > _LONGEST_HINT:
            hint = "name one executable, and put its arguments in argv"
        else:
            rest = ", ".join(json.dumps(word, ensure_ascii=False) for word in words[1:])
            split = f"write exec: {flow(words[0])} and move the rest to argv: [{rest}]"
            hint = (
                split
                if is_command_line(text)
                else f"if it is a command line, {split}; a path may contain spaces"
            )
        yield rule.problem(definition, (_DEFINITION, "exec"), "`exec` looks like a command line", hint)


def _shell_characters(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    text = text_at(definition.inside, "exec")
    found = _SHELL_CHARACTERS.search(text) if text and "${" not in text else None
    if found:
        yield rule.problem(
            definition,
            (_DEFINITION, "exec"),
            f"`exec` contains `{found.group()}`, but no shell interprets it",
            "name the executable; put shell commands into a script",
        )


def _relative(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    text = text_at(definition.inside, "exec")
    if text and "/" in text and not text.startswith("/") and len(text.split()) == 1:
        yield rule.problem(
            definition,
            (_DEFINITION, "exec"),
            "`exec` is a relative path: the program depends on the working directory",
            "write an absolute path, or a name without slashes",
        )


def _unstable(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    text = text_at(definition.inside, "exec")
    folder = next((folder for folder in _UNSTABLE if text and text.startswith(folder)), None)
    if folder:
        yield rule.problem(
            definition,
            (_DEFINITION, "exec"),
            f"`exec` is in {folder}, which belongs to a user or is cleared at any time",
            "install it in /opt or /usr/local",
        )


def _process_name(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if "process_name" in definition.inside:
        yield rule.problem(
            definition,
            (_DEFINITION, "process_name"),
            "`process_name` is not needed: the path is the name",
            "remove it",
            key=True,
        )


def _service_timeout(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if "timeout" in definition.inside and definition.inside.get("process_type") == "service":
        yield rule.problem(
            definition,
            (_DEFINITION, "timeout"),
            "`timeout` has no effect on a service",
            "remove it",
            key=True,
        )


def _cwd_slash(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    text = text_at(definition.inside, "cwd")
    if text and len(text) > 1 and text.startswith("/") and text.endswith("/"):
        yield rule.problem(
            definition, (_DEFINITION, "cwd"), "`cwd` ends in a slash", f"write {text.rstrip('/') or '/'}"
        )


def _cwd_parent(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    text = text_at(definition.inside, "cwd")
    if text and ".." in text.split("/"):
        yield rule.problem(
            definition,
            (_DEFINITION, "cwd"),
            "`cwd` contains `..`: the folder depends on symbolic links",
            "write the path without `..`",
        )


def _loading(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for name in map_of(definition.inside.get("environment")):
        if _LOADING.match(name):
            yield rule.problem(
                definition,
                (_DEFINITION, "environment", name),
                f"`{name}` changes which programs and libraries are loaded",
                "use absolute paths, or a wrapper script on the host",
                key=True,
            )


def _repeated(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    argv, text = definition.inside.get("argv"), text_at(definition.inside, "exec")
    first = argv[0] if isinstance(argv, list) and argv else None
    if text and isinstance(first, str) and first in (text, text.rsplit("/", 1)[-1]):
        yield rule.problem(
            definition,
            (_DEFINITION, "argv", 0),
            "the first item of `argv` repeats `exec`",
            "`argv` contains only the arguments after `exec`",
        )


def _contextualization_keys(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    found = definition.inside.get("contextualization")
    if isinstance(found, dict) and "method" not in found and any(not key.startswith("x-") for key in found):
        methods = {
            "chef_config": "chef-solo",
            "run_list": "chef",
            "attributes": "chef",
            "userdata": "userdata",
        }
        guess = next((methods[key] for key in found if key in methods), "userdata")
        yield rule.problem(
            definition,
            (_DEFINITION, "contextualization"),
            "`contextualization` has no `method`",
            f"add `method: {guess}`",
        )


def _no_timeout(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if (
        definition.inside.get("process_type", "single") == "single"
        and definition.inside
        and "timeout" not in definition.inside
    ):
        yield rule.problem(
            definition,
            (_DEFINITION,),
            "no `timeout`: a run that hangs never ends",
            "add `timeout: SECONDS`",
            key=True,
        )


def _no_adapters(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    if definition.inside and not {"input_adapter", "output_adapter"} & definition.inside.keys():
        yield rule.problem(
            definition,
            (_DEFINITION,),
            "no adapters: the process reads one message from standard input and writes the answer to "
            "standard output",
            "write the defaults: "
            "input_adapter: {input_type: file, input_params: {file_type: stream, stream_name: STDIN}}, and "
            "so on",
            key=True,
        )


def _process(**fields: str) -> str:
    return (
        "title: T\ndefinition:\n  exec: "
        + fields.pop("exec", "/bin/true")
        + "\n"
        + "".join(f"  {key}: {value}\n" for key, value in fields.items())
    )


_APPLICATION = (
    "title: T\ndefinition:\n  mappings: {hotel: {iaas_image: i, iaas_allocation: a}}\n  contextualization: {"
)
RULES = (
    Rule(
        "W101",
        Severity.WARNING,
        "`exec` looks like a command line",
        "The program is started directly, and no program has this name.",
        _process(exec="/bin/tr -d x"),
        _process(exec="/bin/tr", argv='["-d", "x"]'),
        find=_command_line,
    ),
    Rule(
        "W102",
        Severity.WARNING,
        "Shell characters in `exec`",
        "No shell interprets `exec`.",
        _process(exec="/bin/run|tee"),
        _process(),
        find=_shell_characters,
    ),
    Rule(
        "W103",
        Severity.WARNING,
        "Relative path in `exec`",
        "The program depends on the folder in which the runner starts.",
        _process(exec="bin/run"),
        _process(exec="run"),
        find=_relative,
    ),
    Rule(
        "W104",
        Severity.WARNING,
        "`exec` in an unstable location",
        "The program may disappear or be replaced at any time.",
        _process(exec="/root/app/run.py"),
        _process(exec="/opt/app/run.py"),
        find=_unstable,
    ),
    Rule(
        "W105",
        Severity.WARNING,
        "`process_name` in a definition",
        "The name of a definition is its path.",
        _process(process_name="x"),
        _process(),
        find=_process_name,
    ),
    Rule(
        "W106",
        Severity.WARNING,
        "Timeout on a service",
        "A timeout limits one run, and a service does not end.",
        _process(process_type="service", timeout="5"),
        _process(timeout="5"),
        find=_service_timeout,
    ),
    Rule(
        "W107",
        Severity.WARNING,
        "Trailing slash in `cwd`",
        "Two spellings of the same folder look like two folders.",
        _process(cwd="/srv/app/"),
        _process(cwd="/srv/app"),
        find=_cwd_slash,
    ),
    Rule(
        "W108",
        Severity.WARNING,
        "`..` in `cwd`",
        "The folder depends on symbolic links on the host.",
        _process(cwd="/srv/../app"),
        _process(cwd="/app"),
        find=_cwd_parent,
    ),
    Rule(
        "W109",
        Severity.WARNING,
        "Variable that changes code loading",
        "It decides which code is loaded, in every program that the process starts.",
        _process(environment="{LD_PRELOAD: /x.so}"),
        _process(environment="{LEVEL: info}"),
        find=_loading,
    ),
    Rule(
        "W110",
        Severity.WARNING,
        "`argv` repeats `exec`",
        "The program gets its own name as first argument.",
        _process(argv='["true"]'),
        _process(argv='["-v"]'),
        find=_repeated,
    ),
    Rule(
        "W120",
        Severity.WARNING,
        "Single process without a timeout",
        "A run that hangs blocks its slot until someone stops it.",
        _process(),
        _process(timeout="60"),
        find=_no_timeout,
        settings="rules: {W120: warning}\n",
        is_opt_in=True,
    ),
    Rule(
        "W121",
        Severity.WARNING,
        "Implicit adapters",
        "Readers must know the default.",
        _process(),
        _process(input_adapter="{input_type: none}"),
        find=_no_adapters,
        settings="rules: {W121: warning}\n",
        is_opt_in=True,
    ),
    Rule(
        "W111",
        Severity.WARNING,
        "Contextualization without a method",
        "It is ambiguous which key applies.",
        _APPLICATION + 'userdata: "x"}\n',
        _APPLICATION + 'method: userdata, userdata: "x"}\n',
        find=_contextualization_keys,
        kind="machine",
    ),
)
