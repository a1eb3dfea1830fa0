"""Command line tools of the Common Workflow Language: one file for each process.

Source of the format: "Common Workflow Language Command Line Tool Description", v1.2.1. Its section
"Parameter references" has the rules for `$(`, `${` and backslashes.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from registry.exchange.exporter import (
    Exportable,
    ExportedText,
    Exporter,
    NotExportableError,
    identity,
    require_expressible,
)
from registry.exchange.fields import Carried, FieldTable, Loss, Lost, Refused, is_reference, losses
from registry.exchange.messages import INPUT_FILE, OUTPUT_FILE, MessageFile, message_file
from registry.exchange.quantities import core_count, mebibytes
from registry.load.yaml.writer import to_yaml
from registry.model.pointer import pointer_of
from registry.model.values import map_of, text_of

_NO_SERVICE = "a CWL tool is a program that ends"
_NO_MESSAGES = "a CWL tool gets files and starts, and its files are read after its end"

_TABLE: FieldTable = {
    "title": Carried("`label`"),
    "description": Carried("`doc`"),
    "owners": Carried("`s:maintainer`"),
    "tags": Carried("`s:keywords`"),
    "lifecycle": Lost("CWL has no state of a tool"),
    "links": Carried("`s:relatedLink`"),
    "interface": Lost("formats in CWL are terms of an ontology, and messages have no schemas"),
    "examples": Lost("in CWL, examples are files of their own"),
    "exec": Carried("`baseCommand`"),
    "argv": Carried("`arguments`"),
    "environment": Carried("`EnvVarRequirement`"),
    "references": Carried("an input `env_NAME`"),
    "cwd": Lost("a CWL tool starts in an empty folder that the runner creates"),
    "single": Carried("the tool"),
    "service": Refused(_NO_SERVICE),
    "timeout": Carried("`ToolTimeLimit`, rounded up to seconds"),
    "application": Carried("hint `DockerRequirement`, from its `container_image`"),
    "standard_streams": Carried("`stdin`, `stdout`, `stderr`"),
    "files": Carried(
        "input and output of the type `File`; `InitialWorkDirRequirement` for a fixed relative path"
    ),
    "stream": Lost(_NO_MESSAGES),
    "append": Lost(_NO_MESSAGES),
    "pipe": Refused("a CWL runner creates no named pipes"),
    "network": Lost(_NO_MESSAGES),
    "other_adapters": Lost(_NO_MESSAGES),
    "message_details": Lost("CWL says nothing of messages"),
    "extensions": Lost("CWL has no equivalent"),
}

_NAMESPACES = {"s": "https://schema.org/"}
_PLACEHOLDERS = re.compile(rf"({re.escape(INPUT_FILE)}|{re.escape(OUTPUT_FILE)})")
_INPUT_PATH = "$(inputs.input.path)"
_WILDCARDS = re.compile(r"[*?\[\]\\]")


@dataclass(slots=True)
class _Tool:
    """Parts of the document that several parts of a definition add to."""

    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    streams: dict[str, str] = field(default_factory=dict)
    requirements: dict[str, Any] = field(default_factory=dict)
    hints: dict[str, Any] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)


def _export(one: Exportable) -> ExportedText:
    """Return a CommandLineTool in YAML. Raises NotExportableError."""
    require_expressible(_TABLE, one)
    tool = _Tool(losses=losses(_TABLE, one.document))
    paths = {INPUT_FILE: _add_input(tool, one), OUTPUT_FILE: _add_output(tool, one)}
    _add_environment(tool, one)
    _add_time_limit(tool, one)
    _add_container(tool, one)
    arguments = [
        _with_paths(text, paths, pointer_of(("definition", "argv", place)))
        for place, text in enumerate(one.inside.get("argv", ()))
    ]
    document = {
        "cwlVersion": "v1.2",
        "class": "CommandLineTool",
        "id": _identifier(one.name),
        **_metadata(one),
        "baseCommand": [one.inside["exec"]],
        "arguments": arguments,
        **tool.streams,
        "inputs": tool.inputs,
        "outputs": tool.outputs,
        "requirements": tool.requirements,
        "hints": tool.hints,
    }
    required = ("inputs", "outputs")
    kept = {key: value for key, value in document.items() if value or key in required}
    return ExportedText(f"# {identity(one)}\n{to_yaml(kept)}", tuple(tool.losses))


def _identifier(name: str) -> str:
    return name.replace("/", "-").replace("+", "-")


def _metadata(one: Exportable) -> dict[str, Any]:
    document = one.document
    terms = {
        "s:identifier": one.name,
        "s:maintainer": document.get("owners"),
        "s:keywords": document.get("tags"),
        "s:relatedLink": [
            {
                term: link[key]
                for key, term in (("href", "s:url"), ("title", "s:name"), ("rel", "s:linkRelationship"))
                if key in link
            }
            for link in document.get("links", ())
        ],
    }
    present = {term: value for term, value in terms.items() if value}
    texts = {"label": document.get("title"), "doc": document.get("description")}
    return {**texts, "$namespaces": _NAMESPACES, **present}


def _add_input(tool: _Tool, one: Exportable) -> str:
    """Add the input of the message. Return what `${input_file}` becomes, "" if it is no placeholder."""
    message = message_file(one.document, "input")
    if message is None:
        return ""
    if message.is_fixed and not _is_inside(message.path):
        tool.losses.append(_not_passed(message))
        return ""
    tool.inputs["input"] = {"type": "File"}
    if message.stream:
        tool.streams["stdin"] = _INPUT_PATH
    if message.suffix:
        tool.losses.append(Loss(_field_of(message), "the suffix: a CWL runner keeps the name of the file"))
    if message.is_fixed:
        entry = {"entryname": _escaped(message.path, _field_of(message)), "entry": "$(inputs.input)"}
        tool.requirements["InitialWorkDirRequirement"] = {"listing": [entry]}
    return _INPUT_PATH if message.is_placeholder else ""


def _add_output(tool: _Tool, one: Exportable) -> str:
    """Add the output of the message. Return what `${output_file}` becomes, "" if it is no placeholder."""
    message = message_file(one.document, "output")
    if message is None:
        return ""
    if message.is_fixed and not _is_inside(message.path):
        tool.losses.append(_not_passed(message))
        return ""
    if message.stream:
        tool.outputs["output"] = {"type": message.stream.lower()}
        tool.streams[message.stream.lower()] = "output"
        return ""
    name = message.path if message.is_fixed else f"output{message.suffix}"
    if _WILDCARDS.search(name):
        raise NotExportableError(_field_of(message), "CWL takes `*`, `?`, `[`, `]` and `\\` for a pattern")
    glob = _escaped(name, _field_of(message))
    tool.outputs["output"] = {"type": "File", "outputBinding": {"glob": glob}}
    return f"$(runtime.outdir)/{glob}" if message.is_placeholder else ""


def _add_environment(tool: _Tool, one: Exportable) -> None:
    variables = {}
    for name, value in one.inside.get("environment", {}).items():
        if is_reference(value):
            source = f"env_{value[2:-1]}"
            tool.inputs[source] = {"type": "string", "doc": f"The value of the variable {value[2:-1]}."}
            variables[name] = f"$(inputs.{source})"
        else:
            variables[name] = _escaped(value, pointer_of(("definition", "environment", name)))
    if variables:
        tool.requirements["EnvVarRequirement"] = {"envDef": variables}


def _add_time_limit(tool: _Tool, one: Exportable) -> None:
    if "timeout" not in one.inside:
        return
    timeout = one.inside["timeout"]
    seconds = math.ceil(timeout)
    tool.requirements["ToolTimeLimit"] = {"timelimit": seconds}
    if seconds != timeout:
        tool.losses.append(Loss("/definition/timeout", f"CWL counts seconds: rounded up to {seconds}"))


def _add_container(tool: _Tool, one: Exportable) -> None:
    """Add what the application says of a container, as hints: the program also runs without one."""
    application = map_of(one.application)
    image = text_of(application.get("container_image"))
    resources = map_of(application.get("container_resources"))
    if image:
        tool.hints["DockerRequirement"] = {"dockerPull": image}
        # Otherwise a container has no network.
        tool.hints["NetworkAccess"] = {"networkAccess": True}
    elif "application" in one.inside:
        tool.losses.append(Loss("/definition/application", "the application names no container image"))
    minimum: dict[str, float] = {}
    if "cpu" in resources:
        number = core_count(resources["cpu"])
        minimum["coresMin"] = int(number) if number.denominator == 1 else float(number)
    if "memory" in resources:
        minimum["ramMin"] = mebibytes(resources["memory"])
    if minimum:
        tool.hints["ResourceRequirement"] = minimum


def _is_inside(path: str) -> bool:
    """True for a path in the folder that a tool starts in."""
    parsed = PurePosixPath(path)
    return not parsed.is_absolute() and ".." not in parsed.parts


def _not_passed(message: MessageFile) -> Loss:
    action = (
        "put the message there before the run" if message.side == "input" else "take the answer from there"
    )
    return Loss(_field_of(message), f"a CWL runner reads no files outside of its folders: {action}")


def _field_of(message: MessageFile) -> str:
    return f"/definition/{message.side}_adapter"


def _escaped(text: str, where: str) -> str:
    """Return a text that CWL does not evaluate. `where` is its JSON Pointer.

    A text without `$(` and `${` means itself. In others, backslashes are escapes. Raises NotExportableError
    for a text that runners change.
    """
    if "$(" not in text and "${" not in text:
        return text
    _require_no_outer_space(text, where)
    return _with_backslashes(text)


def _with_paths(text: str, paths: Mapping[str, str], where: str) -> str:
    """Return an argument with references instead of the placeholders that have a path."""
    pieces = _PLACEHOLDERS.split(text)
    if not any(paths.get(piece) for piece in pieces):
        return _escaped(text, where)
    _require_no_outer_space(text, where)
    return "".join(paths.get(piece) or _with_backslashes(piece) for piece in pieces)


def _with_backslashes(text: str) -> str:
    return re.sub(r"\\|\$(?=[({])", r"\\\g<0>", text)


def _require_no_outer_space(text: str, where: str) -> None:
    if text != text.strip():
        raise NotExportableError(where, "CWL runners remove white space around a text with `$(` or `${`")


EXPORTER = Exporter(
    "cwl",
    "CWL",
    _TABLE,
    _export,
    lambda name: f"{_identifier(name)}.cwl",
    limits=(
        "a text with `$(`, `${` or a placeholder that begins or ends with white space",
        "an output whose fixed path or suffix contains `*`, `?`, `[`, `]` or `\\`",
    ),
)
