"""Placeholders `${input_file}` and `${output_file}` in `argv`, and variables in templates of applications."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from registry.check.rule import Registry, Rule
from registry.model.definition import Definition, text_at
from registry.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACEHOLDERS = {"input": "${input_file}", "output": "${output_file}"}
_PATHS = ("file_path", "pipe_path", "file")
_ANY = re.compile(r"\$\{[^}]*\}?")
# The syntax of Python's string.Template, which the 2013 service used: $$, $name, ${name}.
_TEMPLATE = re.compile(r"\$(?:\$|[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})")


def adapter_path(definition: Definition, side: str) -> tuple[tuple[str, ...], str] | None:
    """Return pointer and value of the path in the adapter of `side` ("input" or "output"), or None."""
    adapter: Any = definition.inside.get(f"{side}_adapter")
    for name in (f"{side}_params", f"{side}_parameters") if isinstance(adapter, dict) else ():
        params = adapter.get(name)
        for key in _PATHS if isinstance(params, dict) else ():
            value = params.get(key)
            if isinstance(value, str):
                return ("definition", f"{side}_adapter", name, key), value
    return None


def _argv(definition: Definition) -> list[Any]:
    argv = definition.inside.get("argv")
    return argv if isinstance(argv, list) else []


def _in_exec(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    text = text_at(definition.inside, "exec")
    if text and "${" in text:
        yield rule.problem(
            definition,
            ("definition", "exec"),
            "placeholder in `exec`",
            "name the executable; placeholders belong in argv",
        )


def _unprovided(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for side, placeholder in PLACEHOLDERS.items():
        found = adapter_path(definition, side)
        if found and found[1] == placeholder:
            continue
        for index, item in enumerate(_argv(definition)):
            if isinstance(item, str) and placeholder in item:
                yield rule.problem(
                    definition,
                    ("definition", "argv", index),
                    f"the {side} adapter does not provide `{placeholder}`",
                    f"add {side}_adapter: "
                    f'{{{side}_type: file, {side}_params: {{file_path: "{placeholder}"}}}}',
                )
                break


def _unused(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for side, placeholder in PLACEHOLDERS.items():
        found = adapter_path(definition, side)
        if not found or "${" not in found[1]:
            continue
        pointer, value = found
        if value != placeholder:
            yield rule.problem(
                definition,
                pointer,
                f"the path of the {side} adapter is `{value}`",
                f'write "{placeholder}" alone, or a path without a placeholder',
            )
        elif not any(isinstance(item, str) and placeholder in item for item in _argv(definition)):
            yield rule.problem(
                definition,
                pointer,
                f"`{placeholder}` is not in `argv`: the process does not get the path",
                f'add "{placeholder}" to argv',
            )


def _unknown(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for index, item in enumerate(_argv(definition)):
        for found in _ANY.finditer(item) if isinstance(item, str) else ():
            if found.group() not in PLACEHOLDERS.values():
                yield rule.problem(
                    definition,
                    ("definition", "argv", index),
                    f"`{found.group()}` is not a placeholder and is passed on unchanged",
                    "the placeholders are ${input_file} and ${output_file}",
                )


def _invalid_dollar(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    start = ("definition", "contextualization")
    pending: list[tuple[tuple[str | int, ...], Any]] = [(start, definition.inside.get("contextualization"))]
    while pending:
        pointer, value = pending.pop()
        if isinstance(value, dict):
            pending.extend(((*pointer, key), item) for key, item in value.items())
        elif isinstance(value, list):
            pending.extend(((*pointer, index), item) for index, item in enumerate(value))
        elif isinstance(value, str) and "$" in _TEMPLATE.sub("", value):
            yield rule.problem(
                definition,
                pointer,
                "this `$` does not start a variable: the template cannot be filled in",
                "write $$ for a dollar sign",
            )


def template_variables(value: Any) -> list[str]:
    """Return the sorted names of the variables (`${name}`, `$name`) in all texts of `value`."""
    if isinstance(value, dict):
        found = {name for item in value.values() for name in template_variables(item)}
    elif isinstance(value, list):
        found = {name for item in value for name in template_variables(item)}
    else:
        found = (
            {match.strip("${}") for match in _TEMPLATE.findall(value) if match != "$$"}
            if isinstance(value, str)
            else set()
        )
    return sorted(found)


def _process(rest: str, exec_: str = "/bin/x") -> str:
    return f"title: T\ndefinition:\n  exec: {exec_}\n{rest}"


_PROVIDED = (
    '  argv: ["${input_file}"]\n'
    '  input_adapter: {input_type: file, input_params: {file_path: "${input_file}"}}\n'
)
_APPLICATION = (
    "title: T\ndefinition:\n  mappings: {hotel: {iaas_image: i, iaas_allocation: a}}\n"
    '  contextualization: {method: userdata, userdata: "%s"}\n'
)
RULES = (
    Rule(
        "A020",
        Severity.ERROR,
        "Placeholder in `exec`",
        "The runner must know the program before a message arrives.",
        _process("", '"/bin/${input_file}"'),
        _process(_PROVIDED),
        find=_in_exec,
    ),
    Rule(
        "A021",
        Severity.ERROR,
        "Placeholder without a matching adapter",
        "The process would get the text of the placeholder.",
        _process('  argv: ["${input_file}"]\n'),
        _process(_PROVIDED),
        find=_unprovided,
    ),
    Rule(
        "A022",
        Severity.ERROR,
        "Adapter path missing in `argv`",
        "The process does not know where its file is.",
        _process('  output_adapter: {output_type: file, output_params: {file_path: "${output_file}"}}\n'),
        _process(_PROVIDED),
        find=_unused,
    ),
    Rule(
        "A023",
        Severity.WARNING,
        "Unknown placeholder",
        "Only two placeholders are replaced. All other text is passed on unchanged.",
        _process('  argv: ["${inputfile}"]\n'),
        _process('  argv: ["$HOME"]\n'),
        find=_unknown,
    ),
    Rule(
        "A030",
        Severity.ERROR,
        "`$` that does not start a variable",
        "The service that fills in the template fails on it.",
        _APPLICATION % "cost 5$",
        _APPLICATION % "cost 5$$ ${name}",
        find=_invalid_dollar,
        kind="machine",
    ),
)
