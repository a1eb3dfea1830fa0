"""Imports command line tools of the Common Workflow Language: a tool that reads one file and writes one.

Source of the format: "Common Workflow Language Command Line Tool Description", v1.2.1. The order of arguments
is that of its section "Input binding". Parameter references are replaced where their value is known before a
run; JavaScript is not run.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import PurePath
from typing import Any, NamedTuple

from registry.errors import UsageError
from registry.exchange.anchored_yaml import LineMap, read_anchored_yaml
from registry.exchange.cwl_expressions import UnknownValueError, evaluate, whole_reference
from registry.exchange.imported_process import (
    ProcessDraft,
    application_stub,
    imported_process,
    is_image,
    name_of_image,
    no_adapter,
    standard_stream,
)
from registry.exchange.importer import (
    Imported,
    ImportedText,
    Importer,
    ImportOptions,
    name_or_none,
    suggested_name,
)
from registry.exchange.messages import INPUT_FILE, OUTPUT_FILE
from registry.model.values import list_of, map_of, text_of

_VERSIONS = ("v1.0", "v1.1", "v1.2")
_CLASSES = {
    "Workflow": "a workflow has several steps, and a definition is one process",
    "ExpressionTool": "it is JavaScript, and not a program",
    "Operation": "it does not say what to run",
}
_REFUSED = {
    "ShellCommandRequirement": "its command line is a text for a shell",
    "InitialWorkDirRequirement": "it needs files in its folder, beside its input",
}
_UNNEEDED = frozenset(
    (
        "InlineJavascriptRequirement",
        "SchemaDefRequirement",
        "LoadListingRequirement",
        # Carried:
        "EnvVarRequirement",
        "ToolTimeLimit",
    )
)
_LOST = {
    "SoftwareRequirement": "an application has what a process needs",
    "WorkReuse": "the engine decides whether to run a process again",
    "InplaceUpdateRequirement": "the engine decides where the files of a message are",
    "NetworkAccess": "a definition does not limit the network",
    "ResourceRequirement": "an application with an image has resources",
    "DockerRequirement": "an application has the name of an image",
}
_SCALARS = frozenset(("string", "int", "long", "float", "double", "enum"))
_READ = frozenset(
    (
        *("cwlVersion", "class", "id", "label", "doc", "$namespaces", "$schemas"),
        *("s:identifier", "s:maintainer", "s:keywords", "s:relatedLink"),
        *("baseCommand", "arguments", "stdin", "stdout", "stderr"),
        *("inputs", "outputs", "requirements", "hints"),
    )
)
_NO_SETTING = "a definition has no such setting"
_REASONS = dict.fromkeys(
    ("successCodes", "temporaryFailCodes", "permanentFailCodes"), "a process succeeds with exit status 0 only"
)
_MAX_DESCRIPTION = 10_240
_OWNER = re.compile(r"[^\x00-\x1f\x7f]{1,120}")
_TAG = re.compile(r"[a-z0-9][a-z0-9+#:-]{0,62}")
_LINK = re.compile(r"https://[^\x00-\x20<>\"]+")
_RELATION = re.compile(r"[a-z][a-z0-9.-]*")
_NOT_IN_NAMES = re.compile(r"[*?\[\]\x00-\x1f\x7f]")
# What replaces a path that only a run knows: not part of any text, since texts with NUL are refused.
_INPUT_MARK = "\ue000\x00input"
_FOLDER_MARK = "\ue000\x00folder"
_INTEGER = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,2})?")
# Types of which not every text is a value.
_FORMS = {
    "int": _INTEGER,
    "long": _INTEGER,
    "float": _NUMBER,
    "double": _NUMBER,
    "boolean": re.compile("true|false"),
}


class _Parameter(NamedTuple):
    """An input: its base type without `?`, its binding, and its value; None if it has none."""

    name: str
    type: str
    is_optional: bool
    binding: Mapping[str, Any] | None
    value: str | None
    line: int


@dataclass(slots=True)
class _Tool:
    """A tool on its way to a definition."""

    origin: str
    data: LineMap
    draft: ProcessDraft
    requirements: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    hints: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    parameters: list[_Parameter] = field(default_factory=list)
    message: _Parameter | None = None
    values: dict[str, str] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)

    def fail(self, key: str, why: str, hint: str = "") -> UsageError:
        """Return the error that a top-level key prevents the import."""
        return UsageError(f"{self.origin}:{self.data.lines.get(key, 1)}: {why}", hint)

    def lose(self, field_: str, why: str) -> None:
        """Report what the definition does not have."""
        self.draft.lose(field_, why, self.data.lines.get(field_.partition(".")[0], 0))

    def text(self, key: str, value: Any, others: Mapping[str, str] | None = None) -> str:
        """Return a text whose references have values. Raises UsageError if a value is unknown."""
        if not isinstance(value, str):
            raise self.fail(key, f"{key} has a value that is no text")
        try:
            return evaluate(value, self.values | dict(others or {}), self.data["cwlVersion"])
        except UnknownValueError as error:
            settable = {f"inputs.{one.name}": one.name for one in self.parameters if one.type in _SCALARS}
            name = settable.get(error.reference)
            hint = f"fix it with --set {name}=VALUE" if name else ""
            raise self.fail(key, f"{key}: {error}", hint) from error


def read_cwl(origin: str, text: str, options: ImportOptions) -> ImportedText:
    """Return the definition of a tool, and its container image as an application.

    Raises UsageError for everything that is not a tool with one program, one input file, and fixed values for
    all other parameters.
    """
    data = read_anchored_yaml(origin, text, is_yaml_1_2=True)
    if not isinstance(data, LineMap):
        raise UsageError(f"{origin} is not a CWL document", "a tool is a map with `class: CommandLineTool`")
    _require_tool(origin, data)
    given = text_of(data.get("s:identifier"))
    stem = text_of(data.get("id")).rpartition("#")[2] or PurePath(origin).stem
    draft = ProcessDraft(origin, name_or_none(given) or suggested_name(stem), process_type="single")
    tool = _Tool(origin, data, draft)
    _read_texts(tool)
    _read_requirements(tool)
    _read_parameters(tool, options)
    _read_command(tool)
    _read_input(tool)
    _read_output(tool)
    _read_environment(tool)
    application = _read_container(tool)
    _replace_marks(tool)
    for key in data:
        if key not in _READ:
            tool.lose(key, _REASONS.get(key, _NO_SETTING))
    if application is not None:
        draft.application = application.name
    process = imported_process(draft, options)
    return ImportedText((process,) if application is None else (process, application))


def _require_tool(origin: str, data: LineMap) -> None:
    class_ = text_of(data.get("class"))
    if "$graph" in data:
        raise UsageError(f"{origin} has several tools or steps ($graph)", "import one tool from its own file")
    if class_ != "CommandLineTool":
        why = _CLASSES.get(class_, f"it is not a command line tool: class {class_ or 'is missing'}")
        raise UsageError(f"{origin}:{data.lines.get('class', 1)}: {why}")
    version = text_of(data.get("cwlVersion"))
    if version not in _VERSIONS:
        known = ", ".join(_VERSIONS)
        raise UsageError(f"{origin}: cwlVersion {version or 'is missing'}", f"supported versions: {known}")
    for value in _all_values(data):
        if isinstance(value, str) and "\x00" in value:
            raise UsageError(f"{origin} has a text with NUL", "no program can get it")
        for key in value if isinstance(value, dict) else ():
            if key in ("$import", "$include", "$mixin"):
                hint = "`cwltool --pack` makes one file of them"
                raise UsageError(f"{origin} includes another file ({key})", hint)


def _all_values(data: Any) -> Iterator[Any]:
    """Yield a value and all values inside, each once, however many aliases it has."""
    seen = set()
    waiting = [data]
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, (dict, list)) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value


def _read_texts(tool: _Tool) -> None:
    data, metadata = tool.data, tool.draft.metadata
    tool.draft.title = text_of(data.get("label"))
    doc = data.get("doc")
    description = "\n".join(map(text_of, doc)) if isinstance(doc, list) else text_of(doc)
    if len(description) > _MAX_DESCRIPTION:
        tool.lose("doc", f"a description has at most {_MAX_DESCRIPTION:,} characters")
    elif description:
        metadata["description"] = description
    if map_of(data.get("$namespaces")).get("s") != "https://schema.org/":
        return
    for term, key, pattern in (("s:maintainer", "owners", _OWNER), ("s:keywords", "tags", _TAG)):
        texts = list_of(data.get(term))
        if texts and all(pattern.fullmatch(text_of(text)) for text in texts):
            metadata[key] = list(dict.fromkeys(texts))
    terms = {"s:url": "href", "s:name": "title", "s:linkRelationship": "rel"}
    links = [
        {key: link[term] for term, key in terms.items() if term in link}
        for link in map(map_of, list_of(data.get("s:relatedLink")))
        if _LINK.fullmatch(text_of(link.get("s:url")))
        and _OWNER.fullmatch(text_of(link.get("s:name", "x")))
        and _RELATION.fullmatch(text_of(link.get("s:linkRelationship", "x")))
    ]
    if links and len(links) == len(list_of(data.get("s:relatedLink"))):
        metadata["links"] = links
    for term, key in (("s:maintainer", "owners"), ("s:keywords", "tags"), ("s:relatedLink", "links")):
        if term in data and key not in metadata:
            tool.lose(term, f"{key} of a definition have another form")


def _read_requirements(tool: _Tool) -> None:
    for key, found in (("hints", tool.hints), ("requirements", tool.requirements)):
        for class_, content in _by_key(tool.data.get(key), "class"):
            found[class_] = map_of(content)
            _require_supported(tool, key, class_, content)
    limit = _requirement(tool, "ToolTimeLimit").get("timelimit")
    if limit is not None and limit != "0":
        text = tool.text("requirements", limit)
        if not text.isdecimal():
            raise tool.fail("requirements", f"the time limit {text!r} is not a number of seconds")
        tool.draft.timeout_s = int(text)
    for class_ in ("SoftwareRequirement", "WorkReuse", "InplaceUpdateRequirement"):
        if _requirement(tool, class_):
            tool.lose(_place_of(tool, class_), _LOST[class_])
    if _requirement(tool, "NetworkAccess").get("networkAccess", "true") != "true":
        tool.lose(_place_of(tool, "NetworkAccess"), _LOST["NetworkAccess"])


def _require_supported(tool: _Tool, key: str, class_: str, content: Any) -> None:
    """Report a hint that is unknown. Raises UsageError for a requirement that no definition fulfills."""
    if class_ in _REFUSED:
        if key == "hints" or _staged_path(content) is None:
            raise tool.fail(key, f"{class_}: {_REFUSED[class_]}")
    elif class_ not in _LOST and class_ not in _UNNEEDED:
        if key == "requirements":
            raise tool.fail(key, f"{class_} is not supported")
        tool.lose(f"{key}.{class_}", _NO_SETTING)


def _requirement(tool: _Tool, class_: str) -> Mapping[str, Any]:
    return tool.requirements.get(class_) or tool.hints.get(class_) or {}


def _place_of(tool: _Tool, class_: str) -> str:
    return f"{'requirements' if class_ in tool.requirements else 'hints'}.{class_}"


def _by_key(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a map, or of a list of maps that have their key as `name`."""
    if isinstance(value, dict):
        yield from value.items()
    for one in list_of(value):
        content = dict(map_of(one))
        yield text_of(content.pop(name, None)).rpartition("#")[2], content


def _staged_path(content: Any) -> tuple[str, str] | None:
    """Return the path at which a tool wants its input file, and the name of the input, or None."""
    listing = list_of(map_of(content).get("listing"))
    entry = map_of(listing[0]) if len(listing) == 1 else {}
    source = whole_reference(text_of(entry.get("entry")))
    path = text_of(entry.get("entryname"))
    if not source.startswith("inputs.") or not path or set(entry) - {"entryname", "entry", "writable"}:
        return None
    return path, source.removeprefix("inputs.")


def _read_parameters(tool: _Tool, options: ImportOptions) -> None:
    lines = tool.data["inputs"].lines if isinstance(tool.data.get("inputs"), LineMap) else {}
    unused = dict(options.values)
    for name, content in _by_key(tool.data.get("inputs"), "id"):
        line = lines.get(name, tool.data.lines.get("inputs", 1))
        tool.parameters.append(_parameter(tool, name, content, unused.pop(name, None), line))
    if unused:
        known = ", ".join(one.name for one in tool.parameters) or "none"
        raise tool.fail("inputs", f"there is no input {', '.join(unused)}", f"inputs: {known}")
    files = [one for one in tool.parameters if one.type in ("File", "stdin")]
    needed = [one for one in files if not one.is_optional] or files[:1]
    if len(needed) > 1:
        names = ", ".join(one.name for one in needed)
        raise tool.fail("inputs", f"it has several input files: {names}", "a process gets one message")
    tool.message = needed[0] if needed else None
    for one in tool.parameters:
        if one is tool.message:
            tool.values[f"inputs.{one.name}.path"] = _INPUT_MARK
        elif one.value is not None:
            # In a longer text, runners write fractions in their own way: 2.50 as 2.5, 0.00001 as 1e-05.
            if one.type not in ("float", "double") or one.value == repr(float(one.value)):
                tool.values[f"inputs.{one.name}"] = one.value
            tool.lose(f"inputs.{one.name}", f"a definition has no parameters: its value is {one.value!r}")
        elif one.is_optional:
            tool.lose(f"inputs.{one.name}", "a definition has no parameters: it is left out")
    tool.values["runtime.outdir"] = _FOLDER_MARK


def _parameter(tool: _Tool, name: str, content: Any, given: str | None, line: int) -> _Parameter:
    declared = map_of(content) if isinstance(content, dict) and "type" in content else {"type": content}
    type_, is_optional = _type_of(declared["type"])
    binding = declared.get("inputBinding")
    default = declared.get("default")
    value = given if given is not None else default
    for key in ("secondaryFiles", "format", "streamable", "loadContents", "loadListing"):
        if key in declared:
            tool.draft.lose(f"inputs.{name}.{key}", "a message is one file", line)
    if type_ in ("File", "stdin"):
        if value is not None:
            tool.draft.lose(f"inputs.{name}.default", "a message has no default", line)
        value = None
    elif value is not None and (type_ not in (*_SCALARS, "boolean") or not isinstance(value, str)):
        raise UsageError(f"{tool.origin}:{line}: the input {name} has a value of the type {type_}")
    elif value is not None:
        value = _of_type(tool, name, type_, value, line)
    elif type_ not in _SCALARS and not is_optional:
        # A boolean without a value needs one, too. A text may become a variable of the host.
        raise _no_value(tool, name, type_, line)
    return _Parameter(name, type_, is_optional, map_of(binding) if binding is not None else None, value, line)


def _no_value(tool: _Tool, name: str, type_: str, line: int) -> UsageError:
    why = f"{tool.origin}:{line}: the input {name} ({type_}) needs a value: a definition has no parameters"
    is_settable = type_ in _SCALARS or type_ == "boolean"
    return UsageError(why, f"fix it with --set {name}=VALUE" if is_settable else "")


def _of_type(tool: _Tool, name: str, type_: str, value: str, line: int) -> str:
    """Return a value as it is on a command line: numbers without an exponent."""
    pattern = _FORMS.get(type_)
    if pattern is not None and not pattern.fullmatch(value):
        raise UsageError(
            f"{tool.origin}:{line}: the input {name} has the value {value!r}, which is no {type_}"
        )
    if type_ in ("int", "long"):
        return str(int(value))
    return format(Decimal(value), "f") if type_ in ("float", "double") else value


def _type_of(declared: Any) -> tuple[str, bool]:
    """Return the name of a type and whether a value is optional. Types of several kinds are `union`."""
    if isinstance(declared, str):
        base = declared.removesuffix("?")
        return ("array" if base.endswith("[]") else base), base != declared
    if isinstance(declared, list):
        others = [one for one in declared if one not in (None, "null")]
        base = _type_of(others[0])[0] if len(others) == 1 else "union"
        return base, len(others) < len(declared)
    return text_of(map_of(declared).get("type")) or "union", False


def _read_command(tool: _Tool) -> None:
    """Set the command: `baseCommand`, then arguments and inputs by their positions."""
    base = tool.data.get("baseCommand")
    words = [word for word in list_of(base) or [base] if word]
    bound: list[tuple[int, int, int | str, list[str]]] = []
    for place, argument in enumerate(list_of(tool.data.get("arguments"))):
        binding = map_of(argument) if isinstance(argument, dict) else {"valueFrom": argument}
        position = _position(tool, "arguments", binding)
        bound.append((position, 0, place, _words(tool, "arguments", binding, None)))
    for one in tool.parameters:
        if one.binding is None:
            continue
        value = _INPUT_MARK if one is tool.message else one.value
        if value is None and not one.is_optional:
            raise _no_value(tool, one.name, one.type, one.line)
        if value is not None:
            position = _position(tool, "inputs", one.binding)
            bound.append((position, 1, one.name, _words(tool, "inputs", one.binding, one, value)))
    bound.sort(key=lambda item: (item[0], item[1], item[2]))
    tool.draft.command = [*map(text_of, words), *(word for *_, some in bound for word in some)]
    if _requirement(tool, "DockerRequirement"):
        if not tool.draft.command or (not words and tool.draft.command[0].startswith("-")):
            raise tool.fail("baseCommand", "the program is in the image")
        if not words:
            tool.lose("baseCommand", "it is missing, and the image can have an entry point")


def _position(tool: _Tool, key: str, binding: Mapping[str, Any]) -> int:
    text = binding.get("position") or "0"
    if not isinstance(text, str) or not re.fullmatch(r"-?[0-9]+", text):
        raise tool.fail(key, f"the position {text!r} is not a number")
    return int(text)


def _words(
    tool: _Tool, key: str, binding: Mapping[str, Any], one: _Parameter | None, value: str = ""
) -> list[str]:
    """Return the words that a binding adds to the command line."""
    prefix = binding.get("prefix")
    if one is not None and one.type == "boolean":
        return [text_of(prefix)] if prefix and value == "true" else []
    if "valueFrom" in binding:
        # Of a file, `self` is an object that has a path.
        name = "self.path" if one is not None and one.type in ("File", "stdin") else "self"
        value = tool.text(key, binding["valueFrom"], {name: value} if one is not None else None)
    if prefix is None:
        return [value]
    return [text_of(prefix), value] if binding.get("separate", "true") == "true" else [f"{prefix}{value}"]


def _read_input(tool: _Tool) -> None:
    adapters, message = tool.draft.adapters, tool.message
    staged = _staged_path(tool.requirements.get("InitialWorkDirRequirement"))
    stdin = tool.text("stdin", tool.data["stdin"]) if "stdin" in tool.data else ""
    is_stdin = stdin == _INPUT_MARK or (message is not None and message.type == "stdin")
    is_argument = any(_INPUT_MARK in word for word in tool.draft.command)
    if stdin and not is_stdin:
        raise tool.fail("stdin", "standard input is not the input file")
    if is_stdin + is_argument + (staged is not None) > 1:
        raise tool.fail(
            "inputs", "the input file is passed in several ways", "a message is passed in one way"
        )
    if is_stdin:
        adapters["input"] = standard_stream("input", "single")
    elif is_argument:
        adapters["input"] = {"input_type": "file", "input_params": {"file_path": INPUT_FILE}}
    elif staged is not None:
        path, name = staged
        if message is None or name != message.name:
            raise tool.fail("requirements", f"InitialWorkDirRequirement: {name} is not the input file")
        path = tool.text("requirements", path)
        if not path or _NOT_IN_NAMES.search(path):
            raise tool.fail("requirements", f"InitialWorkDirRequirement: {path!r} is no name of a file")
        adapters["input"] = {"input_type": "file", "input_params": {"file_path": path}}
    else:
        adapters["input"] = no_adapter("input")
        if message is not None:
            tool.lose(f"inputs.{message.name}", "the program does not get it")


def _read_output(tool: _Tool) -> None:
    tool.draft.adapters["output"] = no_adapter("output")
    streams = {
        tool.text(stream, tool.data[stream]): stream for stream in ("stdout", "stderr") if stream in tool.data
    }
    is_first = True
    for name, content in _by_key(tool.data.get("outputs"), "id"):
        adapter = _output_adapter(tool, content, streams) if is_first else None
        if adapter is None:
            tool.lose(f"outputs.{name}", "a process gives one message: a stream, or a file with a known name")
            continue
        is_first = False
        if adapter.get("output_params") == tool.draft.adapters["input"].get("input_params"):
            raise tool.fail("outputs", "the program changes its input file, which is also its output")
        tool.draft.adapters["output"] = adapter
        for key in ("secondaryFiles", "format", "streamable"):
            if isinstance(content, dict) and key in content:
                tool.lose(f"outputs.{name}.{key}", "a message is one file")


def _output_adapter(tool: _Tool, content: Any, streams: Mapping[str, str]) -> dict[str, Any] | None:
    declared = map_of(content) if isinstance(content, dict) and "type" in content else {"type": content}
    type_, _ = _type_of(declared["type"])
    if type_ in ("stdout", "stderr"):
        return standard_stream("output", "single", type_.upper())
    binding = map_of(declared.get("outputBinding"))
    glob = binding.get("glob")
    if type_ != "File" or not isinstance(glob, str) or set(binding) - {"glob"}:
        return None
    path = tool.text("outputs", glob)
    if path in streams:
        return standard_stream("output", "single", streams[path].upper())
    if not path or _NOT_IN_NAMES.search(path) or _INPUT_MARK in path:
        return None
    in_folder = f"{_FOLDER_MARK}/{path}"
    if not any(in_folder in word for word in tool.draft.command):
        return {"output_type": "file", "output_params": {"file_path": path}}
    tool.draft.command = [word.replace(in_folder, OUTPUT_FILE) for word in tool.draft.command]
    suffix = "".join(PurePath(path).suffixes)
    params = {"file_path": OUTPUT_FILE} | ({"suffix": suffix} if suffix else {})
    return {"output_type": "file", "output_params": params}


def _read_environment(tool: _Tool) -> None:
    unset = {
        f"inputs.{one.name}": one
        for one in tool.parameters
        if one.value is None and one.type in _SCALARS and not one.is_optional
    }
    environment = tool.draft.environment
    for name, content in _by_key(_requirement(tool, "EnvVarRequirement").get("envDef"), "envName"):
        value = content.get("envValue") if isinstance(content, dict) else content
        parameter = unset.get(whole_reference(text_of(value)))
        if parameter is None:
            environment[name] = tool.text(_place_of(tool, "EnvVarRequirement").partition(".")[0], value)
            continue
        variable = parameter.name.removeprefix("env_")
        if not (variable.isidentifier() and variable.isascii()):
            raise _no_value(tool, parameter.name, parameter.type, parameter.line)
        environment[name] = f"${{{variable}}}"
        tool.draft.references.add(name)
        tool.draft.notes.append(f"the input {parameter.name} is now the variable {variable} of the host")
        tool.passed.add(parameter.name)
    for parameter in unset.values():
        if parameter.name not in tool.passed:
            raise _no_value(tool, parameter.name, parameter.type, parameter.line)


def _read_container(tool: _Tool) -> Imported | None:
    docker = _requirement(tool, "DockerRequirement")
    resources = _requirement(tool, "ResourceRequirement")
    image = text_of(docker.get("dockerPull"))
    if not is_image(image):
        for class_, content in (("DockerRequirement", docker), ("ResourceRequirement", resources)):
            if content:
                tool.lose(_place_of(tool, class_), _LOST[class_])
        return None
    for key in docker:
        if key not in ("dockerPull", "class"):
            tool.lose(
                f"{_place_of(tool, 'DockerRequirement')}.{key}", "an application has the name of an image"
            )
    found: dict[str, Any] = {}
    for key, value in resources.items():
        if key == "coresMin" and re.fullmatch(r"[0-9]+(?:\.[0-9]{1,3})?", text_of(value)) and float(value):
            thousandths = round(float(value) * 1000)
            found["cpu"] = f"{thousandths}m" if thousandths % 1000 else thousandths // 1000
        elif key == "ramMin" and re.fullmatch(r"[1-9][0-9]*", text_of(value)):
            found["memory"] = f"{value}Mi"
        else:
            tool.lose(
                f"{_place_of(tool, 'ResourceRequirement')}.{key}", "an application has cores and memory"
            )
    return application_stub(image, name_of_image(image), found)


def _replace_marks(tool: _Tool) -> None:
    """Replace the mark of the input path by its placeholder. Raises UsageError for a path that is unknown."""
    words = list(tool.draft.command)
    texts = [*words, *tool.draft.environment.values()]
    if any(_FOLDER_MARK in text for text in texts):
        raise tool.fail("arguments", "the folder of a run is unknown ($(runtime.outdir))")
    if any(_INPUT_MARK in text for text in tool.draft.environment.values()):
        raise tool.fail("requirements", "a variable contains the path of the input file")
    if any(INPUT_FILE in word for word in words):
        raise tool.fail(
            "arguments", f"an argument contains {INPUT_FILE}", "a definition replaces it by a path"
        )
    tool.draft.command = [word.replace(_INPUT_MARK, INPUT_FILE) for word in words]


def _is_cwl(text: str) -> bool:
    return re.search(r"""^[ \t]*(?:[{,][ \t]*)?["']?cwlVersion["']?[ \t]*:""", text, re.MULTILINE) is not None


IMPORTER = Importer(
    "cwl",
    "CWL tool",
    ("*.cwl",),
    read_cwl,
    _is_cwl,
    has_parameters=True,
    gives=(
        "`baseCommand`, `arguments`, and inputs with their defaults or the values of `--set NAME=VALUE`",
        "an input and an output of the type `File`, `stdin`, `stdout` and `stderr` as messages",
        "`EnvVarRequirement`, `ToolTimeLimit`, and `DockerRequirement` as an application",
    ),
    refuses=(
        "workflows and expression tools",
        "JavaScript, and inputs without a value",
        "tools with several input files",
    ),
)
