"""Misleading text: invisible characters, and values that the process gets differently than they look."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from registry.check.rule import Registry, Rule
from registry.model.characters import bidi_control_in, described, invisible_in, without_emoji
from registry.model.host_variable import host_variable
from registry.model.problem import Problem, Severity
from registry.model.values import list_of, map_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.model.definition import Definition

_Pointer = tuple[str | int, ...]
# Adapter parameters that contain a location.
_PLACES = frozenset({"file", "url", "host", "path"})
_SAMPLES = ("input_file", "output_file")
# What the schemas reject: ASCII controls (C0 and DEL) in most fields, in some without DEL. They know nothing
# of C1 controls (U+0080 to U+009F), of which terminals take some for the start of a command.
_C0 = "".join(map(chr, range(0x20)))
_ASCII_CONTROLS = f"{_C0}\x7f"
# Valid characters of arguments and variables.
_VALID_IN_VALUES = "\t\n\x7f"
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SHELL_VARIABLE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]{0,63}|\{[^{}]{0,63}\}?|\()")
# MAX_ARG_STRLEN of Linux (execve(2)): one argument, or one variable as NAME=value, including the final null
# byte.
_LONGEST_ARGUMENT = 128 * 1024 - 1


def _invisible(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    """Invisible characters in programs, locations and variable names."""
    for pointer, text, but in _named(definition, registry):
        is_key = pointer[1] == "environment"
        what = "the name of a variable" if is_key else f"`{pointer[-1]}`"
        if found := invisible_in(text, but=but):
            message = f"{what} contains the invisible character {described(found)}"
            yield rule.problem(definition, pointer, message, "remove it", key=is_key)
        elif text != text.strip(" "):
            yield rule.problem(
                definition, pointer, f"{what} starts or ends with a space", "remove the space", key=is_key
            )


def _invisible_in_values(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    """Invisible characters in arguments and variables: S007 for bidirectional controls, W112 for others."""
    for pointer, what, text in _values(definition):
        if text.isascii() and text.isprintable():
            continue
        if bidi := bidi_control_in(text):
            message = f"{what} contains {described(bidi)}: the text that is displayed differs from the value"
            yield rule.problem(definition, pointer, message, "remove it")
        elif other := invisible_in(without_emoji(text), but=_VALID_IN_VALUES):
            message = f"{what} contains the invisible character {described(other)}"
            hint = f'if it is intended, write it as an escape: "{_escape(other)}"'
            yield definition.problem("W112", Severity.WARNING, pointer, message, hint)


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _named(definition: Definition, registry: Registry) -> Iterator[tuple[_Pointer, str, str]]:
    """Yield pointer and text of programs, locations and variable names, and what the schema rejects."""
    inside = definition.inside
    for field in ("exec", "cwd"):
        text = inside.get(field)
        # The schema rejects relative folders.
        if isinstance(text, str) and (field == "exec" or text.startswith("/")):
            yield ("definition", field), text, _ASCII_CONTROLS
    for name in _environment(definition):
        yield ("definition", "environment", name), name, _ASCII_CONTROLS
    for side in ("input", "output"):
        yield from _places(inside.get(f"{side}_adapter"), side, registry)
    for number, example in enumerate(list_of(definition.data.get("examples"))):
        for key in _SAMPLES if isinstance(example, dict) else ():
            if isinstance(text := example.get(key), str):
                yield ("examples", number, key), text, _C0


def _places(adapter: Any, side: str, registry: Registry) -> Iterator[tuple[_Pointer, str, str]]:
    """Yield the same for the locations in the parameters of one adapter."""
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
                    _rejected(key) if is_known else "",
                )


def _rejected(key: str) -> str:
    """The characters that the schema of an adapter type rejects in this parameter."""
    return {"file": "", "url": _C0}.get(key, _ASCII_CONTROLS)


def _environment(definition: Definition) -> dict[str, Any]:
    return map_of(definition.inside.get("environment"))


def _values(definition: Definition) -> Iterator[tuple[_Pointer, str, str]]:
    """Yield pointer, label and text of each argument and each variable."""
    for index, item in enumerate(list_of(definition.inside.get("argv"))):
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
            continue  # valid, or an error already
        message = f"no shell can set or read a variable named `{name}`"
        hint = "letters, digits and _, not starting with a digit"
        yield rule.problem(definition, ("definition", "environment", name), message, hint, key=True)


def _too_long(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for pointer, what, text in _values(definition):
        room = _LONGEST_ARGUMENT - (len(str(pointer[-1])) + 1 if pointer[1] == "environment" else 0)
        if 4 * len(text) > room and (size := len(text.encode("utf-8", "surrogatepass"))) > room:
            message = f"{what} has {size:,} bytes: Linux allows 128 KiB for one argument or variable"
            yield rule.problem(definition, pointer, message, "put it into a file and pass the path")


def _shell_variable(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for name, value in _environment(definition).items():
        if (
            isinstance(value, str)
            and "$" in value
            and host_variable(value) is None
            and (found := _SHELL_VARIABLE.search(value))
        ):
            message = (
                f"`{found.group()}` in the value of `{name}` is passed on unchanged: no shell expands it"
            )
            hint = "write the value; the runner expands `${NAME}` only if it is the whole value"
            yield rule.problem(definition, ("definition", "environment", name), message, hint)


def _process(**fields: str) -> str:
    lines = {"exec": "/bin/true", **fields}
    return "title: T\ndefinition:\n" + "".join(f"  {key}: {value}\n" for key, value in lines.items())


RULES = (
    Rule(
        "S006",
        Severity.ERROR,
        "Invisible character in a program, location or variable name",
        "The text names something else than it appears to: leading or trailing spaces, U+00A0, zero-width "
        "characters, "
        "bidirectional controls.",
        _process(exec='"/bin/\\u200btrue"'),
        _process(),
        find=_invisible,
    ),
    Rule(
        "S007",
        Severity.ERROR,
        "Bidirectional control in an argument or variable",
        "Reviewers see another text than the process gets (U+202A to U+202E, U+2066 to U+2069).",
        _process(argv='["--user=\\u202enimda"]'),
        _process(argv='["--user=admin"]'),
        find=_invisible_in_values,
    ),
    Rule(
        "W112",
        Severity.WARNING,
        "Invisible character in an argument or variable",
        "Such characters usually come from text copied from a web page or an e-mail.",
        _process(argv='["a\\u00a0b"]'),
        _process(argv='["a b", " ", "\\t", "🛠\ufe0f"]'),
    ),
    Rule(
        "W113",
        Severity.WARNING,
        "Variable name that no shell can set",
        "Scripts cannot read the variable, and some systems drop it.",
        _process(environment="{log.level: info}"),
        _process(environment="{LOG_LEVEL: info}"),
        find=_variable_name,
    ),
    Rule(
        "W114",
        Severity.WARNING,
        "Argument or variable too long",
        "Linux refuses to start the process (E2BIG).",
        _process(argv=f'["{"x" * 131_072}"]'),
        _process(argv='["@/srv/arguments"]'),
        find=_too_long,
    ),
    Rule(
        "W115",
        Severity.WARNING,
        "Shell variable in a value",
        "No shell expands the environment. The process gets the literal text.",
        _process(environment='{DATA: "$HOME/data"}'),
        _process(environment='{DATA: /srv/data, TOKEN: "${TOKEN}", PRICE: "5$"}'),
        find=_shell_variable,
    ),
)
