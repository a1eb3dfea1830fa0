"""Text that is not what it looks like: characters nobody sees, and texts that a process gets otherwise than its author means."""

import re
from collections.abc import Iterator
from typing import Any

from registry.check.rule import Registry, Rule
from registry.model.characters import CONTROLS, bidi_control_in, described, invisible_in, without_emoji
from registry.model.definition import Definition
from registry.model.problem import Problem, Severity

_Pointer = tuple[str | int, ...]
# Parameters of adapters whose value names a place.
_PLACES = frozenset({"file", "url", "host", "path"})
_SAMPLES = ("input_file", "output_file")
# These characters are values like any other in an argument or a variable.
_VALID_IN_VALUES = "\t\n\x7f"
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}\Z")
_SHELL_VARIABLE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]{0,63}|\{[^{}]{0,63}\}?|\()")
# MAX_ARG_STRLEN of Linux (execve(2)): one argument, or one variable with its name, and the zero byte at its end.
_LONGEST_ARGUMENT = 128 * 1024 - 1


def _invisible(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    """Characters that are not seen, in what names a program, a place or a variable."""
    for pointer, text, but in _named(definition, registry):
        is_key = pointer[1] == "environment"
        what = "the name of a variable" if is_key else f"`{pointer[-1]}`"
        if found := invisible_in(text, but=but):
            message = f"{what} holds {described(found)}, which is not seen"
            yield rule.problem(definition, pointer, message, "type it again without it", key=is_key)
        elif text != text.strip(" "):
            yield rule.problem(
                definition, pointer, f"{what} starts or ends with a blank", "remove the blank", key=is_key
            )


def _unseen_in_values(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    """Characters that are not seen, in arguments and variables (S007 and W112 are told apart by what they do)."""
    for pointer, what, text in _values(definition):
        if text.isascii() and text.isprintable():
            continue
        if bidi := bidi_control_in(text):
            message = f"{what} holds {described(bidi)}: what is shown is not what the process gets"
            yield rule.problem(definition, pointer, message, "remove it")
        elif other := invisible_in(without_emoji(text), but=_VALID_IN_VALUES):
            message = f"{what} holds {described(other)}, which is not seen"
            hint = f'if it is meant, write it as an escape: "{_escape(other)}"'
            yield definition.problem("W112", Severity.WARNING, pointer, message, hint)


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _named(definition: Definition, registry: Registry) -> Iterator[tuple[_Pointer, str, str]]:
    """Pointer and text of what names a program, a place or a variable; and characters that the schema refuses there."""
    inside = definition.inside
    for field in ("exec", "cwd"):
        text = inside.get(field)
        if isinstance(text, str) and (
            field == "exec" or text.startswith("/")
        ):  # the schema refuses other folders
            yield ("definition", field), text, CONTROLS
    for name in _environment(definition):
        yield ("definition", "environment", name), name, CONTROLS
    for side in ("input", "output"):
        yield from _places(inside.get(f"{side}_adapter"), side, registry)
    examples = definition.data.get("examples")
    for number, example in enumerate(examples if isinstance(examples, list) else ()):
        for key in _SAMPLES if isinstance(example, dict) else ():
            if isinstance(text := example.get(key), str):
                yield ("examples", number, key), text, CONTROLS


def _places(adapter: Any, side: str, registry: Registry) -> Iterator[tuple[_Pointer, str, str]]:
    """The same of the places that one adapter names."""
    if not isinstance(adapter, dict):
        return
    name = adapter.get(f"{side}_type")
    is_known = isinstance(name, str) and name in registry.kinds.adapters
    for params in (f"{side}_params", f"{side}_parameters"):
        found = adapter.get(params)
        for key, text in found.items() if isinstance(found, dict) else ():
            if isinstance(text, str) and (key in _PLACES or key.endswith("_path")):
                yield (
                    ("definition", f"{side}_adapter", params, key),
                    text,
                    CONTROLS if is_known and key != "file" else "",
                )


def _environment(definition: Definition) -> dict[str, Any]:
    environment = definition.inside.get("environment")
    return environment if isinstance(environment, dict) else {}


def _values(definition: Definition) -> Iterator[tuple[_Pointer, str, str]]:
    """Pointer, name and value of each argument and each variable."""
    argv = definition.inside.get("argv")
    for index, item in enumerate(argv if isinstance(argv, list) else ()):
        if isinstance(item, str):
            yield ("definition", "argv", index), f"item {index + 1} of `argv`", item
    for name, value in _environment(definition).items():
        if isinstance(value, str):
            yield ("definition", "environment", name), f"`{name}`", value


def _variable_name(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for name in _environment(definition):
        if (
            not name
            or _SHELL_NAME.match(name)
            or "=" in name
            or name != name.strip(" ")
            or invisible_in(name)
        ):
            continue  # right, or an error already
        message = f"`{name}` is a name that no shell can set or read"
        hint = "letters, digits and _, not starting with a digit"
        yield rule.problem(definition, ("definition", "environment", name), message, hint, key=True)


def _too_long(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for pointer, what, text in _values(definition):
        room = _LONGEST_ARGUMENT - (len(str(pointer[-1])) + 1 if pointer[1] == "environment" else 0)
        if 4 * len(text) > room and (size := len(text.encode("utf-8", "surrogatepass"))) > room:
            message = f"{what} has {size:,} bytes: Linux starts no process with more than 128 KiB in one argument or variable"
            yield rule.problem(definition, pointer, message, "put it into a file, and pass the path")


def _shell_variable(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for name, value in _environment(definition).items():
        if (
            isinstance(value, str)
            and "$" in value
            and not _REFERENCE.match(value)
            and (found := _SHELL_VARIABLE.search(value))
        ):
            message = f"`{found.group()}` in the value of `{name}` is passed on unchanged: no shell reads it"
            hint = "write the value itself; only `${NAME}` as the whole value is taken from the runner's environment"
            yield rule.problem(definition, ("definition", "environment", name), message, hint)


def _process(**fields: str) -> str:
    lines = {"exec": "/bin/true", **fields}
    return "title: T\ndefinition:\n" + "".join(f"  {key}: {value}\n" for key, value in lines.items())


RULES = (
    Rule(
        "S006",
        Severity.ERROR,
        "A program, a place or a name with characters nobody sees",
        "It names another thing than it seems to: blanks at its ends, U+00A0, zero-width characters, and such that change the direction of writing.",
        _process(exec='"/bin/\\u200btrue"'),
        _process(),
        find=_invisible,
    ),
    Rule(
        "S007",
        Severity.ERROR,
        "An argument or variable that changes the direction of writing",
        "What a reviewer sees is not what the process gets (U+202A to U+202E, U+2066 to U+2069).",
        _process(argv='["--user=\\u202enimda"]'),
        _process(argv='["--user=admin"]'),
        find=_unseen_in_values,
    ),
    Rule(
        "W112",
        Severity.WARNING,
        "An argument or variable with characters nobody sees",
        "Most come from copying out of a page or a mail.",
        _process(argv='["a\\u00a0b"]'),
        _process(argv='["a b", " ", "\\t", "🛠\ufe0f"]'),
    ),
    Rule(
        "W113",
        Severity.WARNING,
        "A variable whose name no shell can set",
        "Scripts cannot read it, and some systems drop it.",
        _process(environment="{log.level: info}"),
        _process(environment="{LOG_LEVEL: info}"),
        find=_variable_name,
    ),
    Rule(
        "W114",
        Severity.WARNING,
        "An argument that is too long to be passed",
        "Linux refuses to start the process (E2BIG).",
        _process(argv=f'["{"x" * 131_072}"]'),
        _process(argv='["@/srv/arguments"]'),
        find=_too_long,
    ),
    Rule(
        "W115",
        Severity.WARNING,
        "A variable of a shell in a value",
        "No shell reads the environment: the process would get the text as it is.",
        _process(environment='{DATA: "$HOME/data"}'),
        _process(environment='{DATA: /srv/data, TOKEN: "${TOKEN}", PRICE: "5$"}'),
        find=_shell_variable,
    ),
)
