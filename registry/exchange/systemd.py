"""systemd service units: one file for each process.

Sources of the format: systemd.syntax(7) for lines and escapes; systemd.unit(5), "Specifiers";
systemd.service(5), "Command Lines"; systemd.exec(5) for the settings of the process. Where they are silent,
the reader of systemd 252 decides (load-fragment.c, utf8.c).
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from registry.exchange.exporter import Exportable, ExportedText, Exporter, NotExportableError
from registry.exchange.fields import Carried, FieldTable, Loss, Lost, is_reference, losses
from registry.exchange.messages import message_file
from registry.exchange.narrow_name import narrow_name
from registry.exchange.quantities import core_count, memory_bytes
from registry.exchange.wrapped_command import WRAPPER_LIMITS, seconds_text, wrapped_command
from registry.model.pointer import pointer_of
from registry.model.values import list_of, map_of, text_of

_NO_METADATA = "a unit has no setting for this"
_NO_STREAM = "a unit connects no messages to a long-running process"
_OWN_FILE = "the program opens the file itself"
_LONGEST_NAME = 240  # a unit has at most 255 characters, and instances of templates may follow
_GRACE_S = 10
_SHORTEST_S = 0.000001
_Steps = tuple[str | int, ...]

_TABLE: FieldTable = {
    "title": Carried("`Description=`"),
    "description": Lost("a unit has a line for a description, which is the title"),
    "owners": Lost(_NO_METADATA),
    "tags": Lost(_NO_METADATA),
    "lifecycle": Lost(_NO_METADATA),
    "links": Carried("`Documentation=`, without titles and relations"),
    "interface": Lost(_NO_METADATA),
    "examples": Lost(_NO_METADATA),
    "exec": Carried("first word of `ExecStart=`; a bare name is looked up in systemd's own path"),
    "argv": Carried("quoted words of `ExecStart=`"),
    "environment": Carried('`Environment="NAME=value"`'),
    "references": Carried("`PassEnvironment=` and the file of `EnvironmentFile=`, which must exist"),
    "cwd": Carried("`WorkingDirectory=`"),
    "single": Carried("`Type=oneshot`"),
    "service": Carried("`Type=exec`, `Restart=on-failure`, `WantedBy=multi-user.target`"),
    "timeout": Carried("`TimeoutStartSec=`, and KILL after `TimeoutStopSec=10`"),
    "application": Lost("a unit starts the program of the host; it has the limits of `container_resources`"),
    "standard_streams": Carried(
        "`StandardInput=file:/run/NAME.input`, `StandardOutput=truncate:/run/NAME.output`"
    ),
    "files": Carried(f"`registry-run`; with a fixed path {_OWN_FILE}", by_wrapper=True),
    "stream": Lost(_NO_STREAM),
    "append": Carried(_OWN_FILE),
    "pipe": Lost("a unit creates no named pipes: create it first"),
    "network": Lost("a unit does not say on which port the process listens"),
    "other_adapters": Lost(_NO_METADATA),
    "message_details": Lost(_NO_METADATA),
    "extensions": Lost(_NO_METADATA),
}

_PLANES = range(0, 0x110000, 0x10000)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_CONTROL = re.compile(r"[\x01-\x1f\x7f]")
# Planes of Unicode end with two noncharacters; there is a block of others.
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in _PLANES)
_NONCHARACTER = re.compile(f"[{_NONCHARACTERS}]")
_UNREADABLE = re.compile(rf"[\x00-\x08\x0e-\x1f\x7f{_NONCHARACTERS}]")
_ADDRESS_SIGNS = ":/?#[]@!$&()*+,;=%"
_SAFE_WORD = re.compile(r"[A-Za-z0-9_./:=,@+-]+")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def _export(one: Exportable) -> ExportedText:
    """Return a service unit. Raises NotExportableError."""
    command = wrapped_command(one, limits_time=False)
    _check_program(command.words[0])
    sections = {
        "Unit": _unit(one),
        "Service": [*_service(one, command.words)],
        "Install": [("WantedBy", "multi-user.target")] if not _is_single(one) else [],
    }
    text = "\n".join(
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in settings)
        for name, settings in sections.items()
        if settings
    )
    return ExportedText(text, (*losses(_TABLE, one.document), *_lost(one)), command.is_wrapped)


def _is_single(one: Exportable) -> bool:
    return text_of(one.inside.get("process_type", "single")) == "single"


def _unit(one: Exportable) -> list[tuple[str, str]]:
    title = _specifiers(_readable(text_of(one.document.get("title"))))
    links = [_specifiers(_address(text_of(link.get("href")))) for link in list_of(one.document.get("links"))]
    settings = {
        # A backslash at the end of a line joins it with the next one; systemd removes the space.
        "Description": f"{title} " if title.endswith("\\") else title,
        "Documentation": " ".join(links),
        "X-Registry-Name": one.name,
        "X-Registry-Id": str(one.id) if one.id is not None else "",
        "X-Registry-Revision": str(one.revision) if one.revision else "",
        "X-Registry-Commit": one.commit,
    }
    return [(key, value) for key, value in settings.items() if value]


def _service(one: Exportable, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    inside = one.inside
    is_single = _is_single(one)
    yield "Type", "oneshot" if is_single else "exec"
    yield "ExecStart", _command(one, words)
    if "cwd" in inside:
        yield "WorkingDirectory", _folder(inside["cwd"])
    yield from _environment(one, map_of(inside.get("environment")))
    if is_single:
        yield from _streams(one)
        if "timeout" in inside:
            # systemd counts microseconds, and 0 means no limit.
            yield "TimeoutStartSec", seconds_text(max(inside["timeout"], _SHORTEST_S))
    else:
        yield "Restart", "on-failure"
    yield "TimeoutStopSec", str(_GRACE_S)
    yield from _limits(map_of(map_of(one.application).get("container_resources")))


def _command(one: Exportable, words: Sequence[str]) -> str:
    """Return the words of ExecStart=. Variables are expanded in all but the path of the program."""
    first = len(words) - len(list_of(one.inside.get("argv")))
    program = _word(words[0], ("exec",))
    arguments = [_argument(word, ("exec",)) for word in words[1:first]]
    arguments += [_argument(word, ("argv", place)) for place, word in enumerate(words[first:])]
    return " ".join((program, *arguments))


def _argument(text: str, steps: _Steps) -> str:
    return _word(text.replace("$", "$$"), steps)


def _environment(one: Exportable, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        steps = ("environment", name)
        if not _VARIABLE_NAME.fullmatch(name):
            raise _refusal(steps, "systemd ignores a variable with this name")
        if not is_reference(value):
            yield "Environment", _word(f"{name}={value}", steps)
    references = {name: value[2:-1] for name, value in environment.items() if is_reference(value)}
    passed = [name for name, other in references.items() if name == other]
    if passed:
        yield "PassEnvironment", " ".join(passed)
    if references:
        yield "EnvironmentFile", f"/etc/registry/{unit_name(one.name)}.env"


def _streams(one: Exportable) -> Iterator[tuple[str, str]]:
    base = f"/run/{unit_name(one.name)}"
    taken = message_file(one.document, "input")
    if taken is not None and not taken.is_fixed:
        yield "StandardInput", f"file:{base}.input"
    given = message_file(one.document, "output")
    if given is not None and not given.is_fixed:
        key = "StandardError" if given.stream == "STDERR" else "StandardOutput"
        yield key, f"truncate:{base}.output"


def _limits(resources: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if "cpu" in resources:
        yield "CPUQuota", f"{math.ceil(core_count(resources['cpu']) * 100)}%"
    if "memory" in resources:
        yield "MemoryMax", str(memory_bytes(resources["memory"]))


def _lost(one: Exportable) -> Iterator[Loss]:
    for place, link in enumerate(list_of(one.document.get("links"))):
        for key in ("title", "rel"):
            if key in link:
                yield Loss(f"/links/{place}/{key}", "a unit has addresses of documentation only")
    for name, value in map_of(one.inside.get("environment")).items():
        if is_reference(value) and value != f"${{{name}}}":
            why = "a unit does not rename variables: set this one in the file of EnvironmentFile="
            yield Loss(pointer_of(("definition", "environment", name)), why)


def _check_program(program: str) -> None:
    """Raise NotExportableError for a program that systemd cannot start."""
    why = ""
    if program[0] in "-@:+!|":
        why = "systemd takes the first character for a prefix"
    elif re.search(r"[\"'\\$\x7f]", program):
        why = "systemd starts no program with `$`, a quotation mark or a backslash in its path"
    elif not program.startswith("/") and "/" in program:
        why = "systemd starts no program by a relative path"
    elif program.endswith("/") or program in (".", ".."):
        why = "it is a folder"
    elif program == ";":
        why = "systemd takes it for the end of a command"
    if why:
        raise _refusal(("exec",), why)


def _folder(path: str) -> str:
    steps = ("cwd",)
    _check_text(path, steps)
    if path != path.rstrip(" ") or path.endswith("\\"):
        raise _refusal(steps, "systemd cannot read a path that ends in a blank or a backslash")
    if ".." in path.split("/"):
        raise _refusal(steps, "systemd takes no working directory with `..`")
    return _specifiers(path)


def _word(text: str, steps: _Steps) -> str:
    """Return a word that systemd unquotes and expands to a text; `steps` lead to it in `definition`."""
    _check_text(text, steps)
    if _SAFE_WORD.fullmatch(text):
        return text
    escaped = "".join(_ESCAPES.get(char, char) for char in _specifiers(text))
    return '"' + _CONTROL.sub(lambda match: rf"\x{ord(match[0]):02x}", escaped) + '"'


def _check_text(text: str, steps: _Steps) -> None:
    if _NONCHARACTER.search(text):
        raise _refusal(steps, "systemd takes a noncharacter of Unicode for invalid text")


def _address(href: str) -> str:
    """Return an address in the characters of RFC 3986, as systemd ignores others."""
    return quote(href, safe=_ADDRESS_SIGNS, errors="replace")


def _readable(text: str) -> str:
    """Return a text for people, on one line and without characters that systemd does not read."""
    return " ".join(_UNREADABLE.sub("\ufffd", text).split())


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _refusal(steps: _Steps, why: str) -> NotExportableError:
    return NotExportableError(pointer_of(("definition", *steps)), why)


def unit_name(name: str) -> str:
    """Return the name of the unit of a definition, without its suffix."""
    return narrow_name(name, signs="._-", longest=_LONGEST_NAME)


EXPORTER = Exporter(
    "systemd",
    "systemd unit",
    _TABLE,
    _export,
    lambda name: f"{unit_name(name)}.service",
    limits=(
        "`exec` that is a relative path, ends in `/`, contains `\"`, `'`, `\\` or `$`, or begins with `-`, "
        "`@`, `:`, `+`, `!` or `|`; and `;`",
        "`cwd` that ends in a blank or a backslash, or has the step `..`",
        "variables whose names are not letters, digits and `_`",
        "noncharacters of Unicode, such as U+FFFE",
        *WRAPPER_LIMITS,
    ),
)
