"""Adapters: type, direction and parameters must match each other and the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.check.placeholders import adapter_path
from registry.check.rule import Registry, Rule
from registry.errors import nearest
from registry.model.problem import Problem, Severity
from registry.model.values import map_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.model.definition import Definition

SIDES = ("input", "output")
_MANUAL_PLACEHOLDERS = frozenset({"intype", "outtype", "typeofprocess"})


def _adapter(definition: Definition, side: str) -> dict[str, Any]:
    return map_of(definition.inside.get(f"{side}_adapter"))


def _type(definition: Definition, side: str) -> str:
    """Return the type of a side's adapter; "" when it is missing or not a string."""
    return text_of(_adapter(definition, side).get(f"{side}_type"))


def adapter_params(definition: Definition, side: str) -> tuple[str, dict[str, Any]]:
    """Return the key of the parameters of a side, as spelled in the file, and the parameters."""
    adapter = _adapter(definition, side)
    key = (
        f"{side}_parameters"
        if f"{side}_parameters" in adapter and f"{side}_params" not in adapter
        else f"{side}_params"
    )
    params = adapter.get(key)
    return key, params if isinstance(params, dict) else {}


def _both_spellings(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for side in SIDES:
        if {f"{side}_params", f"{side}_parameters"} <= _adapter(definition, side).keys():
            yield rule.problem(
                definition,
                ("definition", f"{side}_adapter", f"{side}_parameters"),
                f"both `{side}_params` and `{side}_parameters` are set",
                f"keep `{side}_params`",
                key=True,
            )


def _older_spelling(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for side in SIDES:
        adapter = _adapter(definition, side)
        if f"{side}_parameters" in adapter and f"{side}_params" not in adapter:
            yield rule.problem(
                definition,
                ("definition", f"{side}_adapter", f"{side}_parameters"),
                f"`{side}_parameters` is a deprecated spelling",
                f"write `{side}_params`",
                key=True,
            )
        key, params = adapter_params(definition, side)
        if "file" in params and adapter.get(f"{side}_type") == "file":
            yield rule.problem(
                definition,
                ("definition", f"{side}_adapter", key, "file"),
                "`file` is a deprecated spelling",
                "write `file_path`",
                key=True,
            )


def _unknown_type(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    for side in SIDES:
        name = _type(definition, side)
        if not name or name in registry.kinds.adapters or "/" in name.strip("/"):
            continue
        known = [adapter.name for adapter in registry.kinds.adapters.values() if side in adapter.directions]
        hint = (
            nearest(name, known) or f"known types: {', '.join(known)}; write a type of your own as team/type"
        )
        if name in _MANUAL_PLACEHOLDERS:
            hint = "this is a placeholder from the manual: write the intended type"
        yield rule.problem(
            definition,
            ("definition", f"{side}_adapter", f"{side}_type"),
            f"unknown {side} type `{name}`",
            hint,
        )


def _wrong_direction(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    for side in SIDES:
        adapter = registry.kinds.adapters.get(_type(definition, side))
        if adapter and side not in adapter.directions:
            yield rule.problem(
                definition,
                ("definition", f"{side}_adapter", f"{side}_type"),
                f"the type `{adapter.name}` does not support {side}",
                f"it supports {' and '.join(adapter.directions)}",
            )


def _unfit(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    process_type = definition.inside.get("process_type")
    for side in SIDES:
        adapter = registry.kinds.adapters.get(_type(definition, side))
        if (
            not adapter
            or (process_type or "single") in adapter.fits
            or process_type not in (None, "single", "service")
        ):
            continue
        if process_type is None:
            yield rule.problem(
                definition,
                ("definition", f"{side}_adapter", f"{side}_type"),
                f"the type `{adapter.name}` needs a service, and `process_type` is not set",
                "add `process_type: service`",
            )
        else:
            why = "would never end" if process_type == "single" else "would never start"
            yield rule.problem(
                definition,
                ("definition", f"{side}_adapter", f"{side}_type"),
                f"the type `{adapter.name}` does not fit a {process_type} process: it {why}",
                f"it fits {' and '.join(adapter.fits)}",
            )


def _stream_side(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    for side, right in (("input", ("STDIN",)), ("output", ("STDOUT", "STDERR"))):
        key, params = adapter_params(definition, side)
        name = params.get("stream_name")
        if name in ("STDIN", "STDOUT", "STDERR") and name not in right:
            yield rule.problem(
                definition,
                ("definition", f"{side}_adapter", key, "stream_name"),
                f"{name} cannot be an {side}",
                f"write {' or '.join(right)}",
            )


def _same_port(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    (_, fed), (key, yielded) = (adapter_params(definition, side) for side in SIDES)
    if any(_type(definition, side) != "port" for side in SIDES):
        return
    for port in ("tcp_port", "udp_port"):
        if (
            port in fed
            and fed.get(port) == yielded.get(port)
            and "listen" in (fed.get("role"), yielded.get("role"))
        ):
            yield rule.problem(
                definition,
                ("definition", "output_adapter", key, port),
                f"input and output share {port} {fed[port]}",
                "two processes cannot listen on the same port: choose another for one of them",
            )


def _reply(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    key, params = adapter_params(definition, "output")
    if _adapter(definition, "output").get("output_type") != "http" or params.get("reply") is not True:
        return
    if (
        _adapter(definition, "input").get("input_type") != "http"
        or adapter_params(definition, "input")[1].get("reply") is not True
    ):
        yield rule.problem(
            definition,
            ("definition", "output_adapter", key, "reply"),
            "`reply: true` needs an http input with `reply: true`",
            "set `reply: true` in the input adapter: the reply answers its request",
        )


def _same_path(rule: Rule, definition: Definition, _registry: Registry) -> Iterator[Problem]:
    fed, yielded = adapter_path(definition, "input"), adapter_path(definition, "output")
    if fed and yielded and fed[1] == yielded[1]:
        yield rule.problem(
            definition,
            yielded[0],
            f"input and output share the path `{fed[1]}`",
            "use another path for the output",
        )


def _no_parameters(rule: Rule, definition: Definition, registry: Registry) -> Iterator[Problem]:
    for side in SIDES:
        name = _type(definition, side)
        if (
            name in registry.kinds.adapters
            and name != "none"
            and not {f"{side}_params", f"{side}_parameters"} & _adapter(definition, side).keys()
        ):
            yield rule.problem(
                definition,
                ("definition", f"{side}_adapter", f"{side}_type"),
                f"the adapter `{name}` has no parameters",
                f"add `{side}_params: {{…}}`",
            )


def _process(adapters: str, process_type: str = "") -> str:
    given = f"  process_type: {process_type}\n" if process_type else ""
    return f"title: T\ndefinition:\n  exec: /bin/x\n{given}{adapters}"


def _port(role: str) -> str:
    return _process(
        "  input_adapter: {input_type: port, input_params: {tcp_port: 80}}\n"
        f"  output_adapter: {{output_type: port, output_params: {{tcp_port: 80, role: {role}}}}}\n",
        "service",
    )


_IN = "  input_adapter: {input_type: %s, input_params: {%s}}\n"
_OUT = "  output_adapter: {output_type: %s, output_params: {%s}}\n"
_STDIN = _IN % ("file", "file_type: stream, stream_name: STDIN")
_HTTP = "tcp_port: 80, path: /"
RULES = (
    Rule(
        "A001",
        Severity.ERROR,
        "Both spellings of the parameters",
        "It is ambiguous which of the two applies.",
        _process("  input_adapter: {input_type: none, input_params: {}, input_parameters: {}}\n"),
        _process(_STDIN),
        find=_both_spellings,
    ),
    Rule(
        "A002",
        Severity.WARNING,
        "Deprecated spelling",
        "Both spellings work. A single spelling is easier to search for.",
        _process("  input_adapter: {input_type: none, input_parameters: {}}\n"),
        _process(_STDIN),
        find=_older_spelling,
    ),
    Rule(
        "A003",
        Severity.WARNING,
        "Unknown adapter type",
        "A misspelled type looks like a custom one. Custom types are written as team/type.",
        _process(_IN % ("flie", "")),
        _process(_IN % ("acme/kafka", "")),
        find=_unknown_type,
    ),
    Rule(
        "A004",
        Severity.ERROR,
        "Adapter type on the wrong side",
        "The adapter cannot carry messages in this direction.",
        _process("  output_adapter: {output_type: tick}\n"),
        _process("  input_adapter: {input_type: tick}\n"),
        find=_wrong_direction,
        beside={
            "schema/adapters/tick": '{"x-registry": {"directions": ["input"], "fits": ["single", "service"]},'
            ' "$defs": {"input": {}}}'
        },
    ),
    Rule(
        "A005",
        Severity.WARNING,
        "Adapter that does not fit the process type",
        "The process would never start or never end.",
        _process(_IN % ("append", "file_path: /x"), "single"),
        _process(_IN % ("append", "file_path: /x"), "service"),
        find=_unfit,
    ),
    Rule(
        "A006",
        Severity.ERROR,
        "Standard stream on the wrong side",
        "Input uses STDIN. Output uses STDOUT or STDERR.",
        _process(_IN % ("file", "file_type: stream, stream_name: STDOUT")),
        _process(_STDIN),
        find=_stream_side,
    ),
    Rule(
        "A007",
        Severity.ERROR,
        "Same port for input and output",
        "Only one process can listen on a port.",
        _port("listen"),
        _port("connect"),
        find=_same_port,
    ),
    Rule(
        "A008",
        Severity.ERROR,
        "Reply without a request",
        "A reply needs an HTTP request to answer.",
        _process(_OUT % ("http", _HTTP + ", reply: true"), "service"),
        _process(
            _IN % ("http", _HTTP + ", reply: true") + _OUT % ("http", _HTTP + ", reply: true"), "service"
        ),
        find=_reply,
    ),
    Rule(
        "A009",
        Severity.ERROR,
        "Same path for input and output",
        "The output would overwrite the input while it is read.",
        _process(_IN % ("pipe", "pipe_path: /x") + _OUT % ("pipe", "pipe_path: /x")),
        _process(_IN % ("pipe", "pipe_path: /x") + _OUT % ("pipe", "pipe_path: /y")),
        find=_same_path,
    ),
    Rule(
        "A010",
        Severity.WARNING,
        "Adapter without parameters",
        "The definition does not state how messages are passed.",
        _process("  input_adapter: {input_type: file}\n"),
        _process("  input_adapter: {input_type: none}\n"),
        find=_no_parameters,
    ),
)
