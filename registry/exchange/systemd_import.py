"""Imports systemd service units.

Sources: systemd.syntax(7) for lines, quoting and escapes; systemd.service(5), "Command Lines", and
systemd.exec(5) for the settings; systemd.time(7) for time spans. Where the manual is silent, the reader of
systemd 252 decides (conf-parser.c, extract-word.c, env-util.c).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePath

from registry.errors import UsageError
from registry.exchange.fields import Loss
from registry.exchange.imported_process import (
    ProcessDraft,
    imported_process,
    no_adapter,
    standard_stream,
)
from registry.exchange.importer import ImportedText, Importer, ImportOptions, name_or_none, suggested_name

_LONGEST_LINE = 1024 * 1024
_BLANKS = " \t\n\r"
_QUOTED_WORD = re.compile(
    r"""(?:[^ \t\n\r'"\\]++|\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+(?=[ \t\n\r]|\Z)""", re.DOTALL
)
_PIECE = re.compile(
    r"""\\(?:(?P<char>[abfnrtvs\\"'])|x(?P<byte>[0-9A-Fa-f]{2})|u(?P<short>[0-9A-Fa-f]{4})"""
    r"""|U(?P<long>[0-9A-Fa-f]{8})|(?P<octal>[0-3][0-7]{2}))|(?P<other>\\.|.)""",
    re.DOTALL,
)
_ESCAPES = dict(zip("abfnrtvs\\\"'", "\a\b\f\n\r\t\v \\\"'", strict=True))
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# The name of a variable is all up to the next brace. Without one, systemd replaces nothing after it.
_REPLACED = re.compile(r"\$(?:\$|\{(?P<name>[^}]*+)(?P<end>\}?))")
_SPAN = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zA-Zµμ]*)")
_UNITS = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("us", "usec", "µs", "μs"), 1e-6),
    **dict.fromkeys(("ms", "msec"), 1e-3),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3_600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604_800.0),
    **dict.fromkeys(("M", "month", "months"), 2_629_800.0),
    **dict.fromkeys(("y", "year", "years"), 31_557_600.0),
}
_MODES = {
    "-": "a definition does not ignore a failure",
    "@": "a definition does not set the zeroth argument",
    "+": "a definition does not say with which privileges a process starts",
    "!": "a definition does not say with which privileges a process starts",
    ":": "",
    "|": "a definition starts no login shell",
}
_GRACE_S = 10

# Why a definition lacks a setting, by a pattern of `Section.Key`. The first one that matches applies.
_REASONS = tuple(
    (re.compile(pattern), why)
    for pattern, why in (
        (r"Unit\.(?:Condition|Assert)", "a definition has no conditions for a start"),
        (
            r"Unit\.(?:After|Before|Default|Wants|Requi|Binds|PartOf|Upholds|Conflicts|On|Joins|Propagates)",
            "a definition has no order and no relations to other processes",
        ),
        (r"Install\.", "a definition does not say which hosts start it"),
        (
            r"Service\.(?:Protect|Private|Read|Inaccess|ExecPaths|NoExec|Bind|Temporary|Capab|Ambient|NoNew"
            r"|Secure|SystemCall|Restrict[A-Z]|Lock|Remove|Mount|Root|Proc|UMask|SELinux|AppArmor|Smack|Keyring"
            r"|MemoryDeny|IPAddress|Device)",
            "a definition has no sandbox",
        ),
        (r"Service\.Exec", "a definition starts one program"),
        (r"(?:Service|Unit)\.(?:Restart|StartLimit)", "the engine decides when to start a process again"),
        (r"Service\.Success", "a process succeeds with exit status 0"),
        (r"Service\.(?:User|Group|Supplementary|DynamicUser|PAM)", "the engine chooses the user"),
        (r"Service\.EnvironmentFile", "the variables in a file of the host are unknown"),
        (r"Service\.(?:Load|Set|Import)Credential", "the host has the secrets of a process"),
        (r"Service\.(?:Standard|Syslog|Log|TTY)", "the engine chooses where output goes"),
        (r"Service\.(?:Kill|SendSIG|FinalKill|Timeout|Watchdog|RuntimeMax)", "the engine stops processes"),
        (r"Service\.\w+Directory", "the host has the folders of a process"),
        (
            r"Service\.(?:Limit|Memory|CPU|IO|Block|Tasks|Nice|OOM|Slice|Delegate|NUMA|Startup)",
            "the host limits the resources of a process",
        ),
        (
            r"Service\.(?:Type|Notify|PIDFile|GuessMain|BusName|Remain|Sockets)",
            "a definition does not say when a process counts as started",
        ),
    )
)
_NO_SETTING = "a definition has no such setting"
# Keys without an effect on the process: for people and tools, or what a definition always means.
_IGNORED = re.compile(r"X-|(?:[^.]*\.)?X-|Unit\.(?:SourcePath|CollectMode)\Z")


@dataclass(frozen=True, slots=True)
class _Setting:
    section: str
    key: str
    value: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.section}.{self.key}"


class _Unit:
    """The settings of a unit file, with what its reader would ignore in `losses`."""

    def __init__(self, origin: str, text: str) -> None:
        self.origin = origin
        self.stem = PurePath(origin).name.removesuffix(".service")
        self.losses: list[Loss] = []
        self.settings = list(self._settings(text))

    def fail(self, line: int, why: str, hint: str = "") -> UsageError:
        """Return the error that a line prevents the import."""
        return UsageError(f"{self.origin}:{line}: {why}", hint)

    def all(self, section: str, key: str) -> list[_Setting]:
        """Return the settings of a list; an empty one resets it."""
        found: list[_Setting] = []
        for one in self.settings:
            if (one.section, one.key) == (section, key):
                if one.value:
                    found.append(one)
                else:
                    found.clear()
        return found

    def last(self, section: str, key: str) -> _Setting | None:
        """Return the last setting of a single value, or None."""
        return next(reversed(self.all(section, key)), None)

    def _settings(self, text: str) -> Iterator[_Setting]:
        section = ""
        try:
            lines = [*_logical_lines(text)]
        except ValueError as error:
            raise UsageError(f"{self.origin}:{error}", "systemd does not read such lines") from error
        for number, line in lines:
            if line.startswith("["):
                if not line.endswith("]"):
                    raise self.fail(number, f"{line} is not a section")
                section = line[1:-1]
                continue
            key, equals, value = line.partition("=")
            if not equals or not key.strip() or not section:
                self.losses.append(
                    Loss(line[:40], "systemd ignores it: it is not a setting in a section", number)
                )
                continue
            yield _Setting(section, key.strip(), value.strip(_BLANKS), number)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not blank and no comment, with its continuations.

    Raises ValueError for a line that is too long.
    """
    pieces: list[str] = []
    start = length = 0
    for number, line in enumerate((*re.split(r"\r\n|\n\r|[\n\r\x00]", text), ""), 1):
        piece = line.lstrip(_BLANKS)
        if piece.startswith(("#", ";")):
            continue
        start = start if pieces else number
        length = len(piece) + (length if pieces else 0)
        if length > _LONGEST_LINE:
            raise ValueError(f"{start}: a line has more than {_LONGEST_LINE:,} characters")
        if (len(piece) - len(piece.rstrip("\\"))) % 2:
            pieces.append(f"{piece[:-1]} ")
            continue
        joined = "".join((*pieces, piece)).strip(_BLANKS)
        if joined:
            yield start, joined
        pieces.clear()


def read_unit(origin: str, text: str, options: ImportOptions) -> ImportedText:
    """Return the process of a service unit. Raises UsageError when it cannot be imported."""
    unit = _Unit(origin, text)
    if "@" in unit.stem:
        raise UsageError(
            f"{origin} is a template: each instance is another process",
            "copy it to a file without @ for an instance, and replace its specifiers",
        )
    if not any(one.section == "Service" for one in unit.settings):
        raise UsageError(f"{origin} has no section [Service]", "it is not a service unit of systemd")
    draft = ProcessDraft(origin, suggested_name(unit.stem), losses=list(unit.losses))
    type_ = unit.last("Service", "Type")
    draft.process_type = "single" if type_ is not None and type_.value == "oneshot" else "service"
    carried = {id(one) for read in _READERS for one in read(unit, draft)}
    for one in unit.settings:
        if id(one) not in carried and not _IGNORED.match(one.place) and not _IGNORED.match(one.key):
            draft.lose(f"[{one.section}] {one.key}", _reason(one), one.line)
    draft.losses.sort(key=lambda loss: loss.line)
    return ImportedText((imported_process(draft, options),))


def _reason(one: _Setting) -> str:
    if one.section not in ("Unit", "Service", "Install"):
        return "a definition has no such section"
    if (one.key, one.value) == ("Type", "forking"):
        return "the program goes to the background, and a service stays in the foreground: change its options"
    return next((why for pattern, why in _REASONS if pattern.match(one.place)), _NO_SETTING)


def _identity(unit: _Unit, draft: ProcessDraft) -> Iterator[_Setting]:
    title = unit.last("Unit", "Description")
    if title is not None:
        draft.title = _without_specifiers(unit, title, title.value)
        yield from unit.all("Unit", "Description")
    for section in ("Unit", "Service"):
        name = unit.last(section, "X-Registry-Name")
        if name is not None:
            draft.name = name_or_none(name.value.replace("%%", "%")) or draft.name
    for one in unit.all("Unit", "Documentation"):
        for word in _words(unit, draft, one):
            if word.startswith("https://") and not re.search(r'[\x00-\x20<>"]', word):
                link = {"href": _without_specifiers(unit, one, word)}
                draft.metadata.setdefault("links", []).append(link)
            else:
                draft.lose("[Unit] Documentation", f"{word} is not an https address", one.line)
        yield one


def _type(unit: _Unit, draft: ProcessDraft) -> Iterator[_Setting]:
    simple = ("simple", "exec", "idle", "oneshot")
    yield from (one for one in unit.all("Service", "Type") if one.value in simple)
    is_single = draft.process_type == "single"
    for section, key, value in (
        ("Service", "Restart", "no" if is_single else "on-failure"),
        ("Install", "WantedBy", "" if is_single else "multi-user.target"),
    ):
        yield from (one for one in unit.all(section, key) if one.value == value)


def _environment(unit: _Unit, draft: ProcessDraft) -> Iterator[_Setting]:
    for one in unit.all("Service", "Environment"):
        yield one
        for raw in _words(unit, draft, one):
            name, equals, value = _without_specifiers(unit, one, raw).partition("=")
            if equals and _SHELL_NAME.match(name):
                draft.environment[name] = value
            else:
                draft.lose("[Service] Environment", f"systemd ignores {raw}: it is not NAME=value", one.line)
    for one in unit.all("Service", "PassEnvironment"):
        yield one
        for name in _words(unit, draft, one):
            if _SHELL_NAME.match(name) and name not in draft.environment:
                draft.environment[name] = f"${{{name}}}"
                draft.references.add(name)
    if draft.references:
        own = f"/etc/registry/{unit.stem}.env"
        yield from (one for one in unit.all("Service", "EnvironmentFile") if one.value == own)


def _command(unit: _Unit, draft: ProcessDraft) -> Iterator[_Setting]:
    found = unit.all("Service", "ExecStart")
    if not found:
        raise UsageError(f"{unit.origin} has no ExecStart", "a definition starts one program")
    if len(found) > 1:
        raise unit.fail(
            found[1].line, "there are several commands ExecStart", "a definition starts one program"
        )
    one = found[0]
    yield one
    draft.place = f"{unit.origin}:{one.line}"
    words = [_without_specifiers(unit, one, word) for word in _command_words(unit, one)]
    program = words[0].lstrip("".join(_MODES))
    modes = words[0][: len(words[0]) - len(program)]
    for mode in dict.fromkeys(modes):
        if _MODES[mode]:
            draft.lose(f"ExecStart={mode}", _MODES[mode], one.line)
    arguments = words[2:] if "@" in modes else words[1:]
    if ":" not in modes:
        arguments = [word for raw in arguments for word in _expanded(unit, draft, one, raw)]
    draft.command = [program, *arguments]


def _expanded(unit: _Unit, draft: ProcessDraft, one: _Setting, word: str) -> list[str]:
    """Return an argument with its variables replaced, as systemd does when it starts the program."""
    known = {name: value for name, value in draft.environment.items() if name not in draft.references}
    if word.startswith("$") and word[1:2] not in ("{", "$"):
        value = known.get(word[1:])
        if value is None:
            draft.lose(word, "its value is on the host: the argument is left out", one.line)
            return []
        if re.search(r"[\"'\\]", value):
            raise unit.fail(one.line, f"the words of {word} are quoted", "write them into ExecStart")
        _note_expansion(unit, draft, one, word)
        return value.split()

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return "$"
        if not match["end"]:
            return match[0]
        if name not in known:
            raise unit.fail(
                one.line, f"the value of {match[0]} in an argument is on the host", "write it into ExecStart"
            )
        _note_expansion(unit, draft, one, match[0])
        return known[name]

    return [_REPLACED.sub(replace, word)]


def _note_expansion(unit: _Unit, draft: ProcessDraft, one: _Setting, word: str) -> None:
    if unit.all("Service", "EnvironmentFile"):
        draft.lose(word, "a file of the host can change the value, which is now fixed", one.line)
    else:
        draft.notes.append(f"line {one.line}: {word} is replaced by its value")


def _folder(unit: _Unit, draft: ProcessDraft) -> Iterator[_Setting]:
    one = unit.last("Service", "WorkingDirectory")
    if one is None:
        return
    yield from unit.all("Service", "WorkingDirectory")
    value = one.value
    if value.startswith("-"):
        draft.lose("WorkingDirectory=-", "the folder of a definition must exist", one.line)
        value = value[1:]
    if value == "~":
        draft.lose("[Service] WorkingDirectory", "it is the home of the user of the host", one.line)
    else:
        draft.cwd = _without_specifiers(unit, one, value)


def _time_limit(unit: _Unit, draft: ProcessDraft) -> Iterator[_Setting]:
    for key in ("TimeoutStartSec", "TimeoutSec", "TimeoutStopSec"):
        one = unit.last("Service", key)
        seconds = _seconds(unit, one) if one is not None else None
        if one is None:
            continue
        if key == "TimeoutStopSec":
            if seconds == _GRACE_S:
                yield from unit.all("Service", key)
        elif draft.process_type == "single" and draft.timeout_s is None:
            draft.timeout_s = seconds or None
            yield from unit.all("Service", key)


def _seconds(unit: _Unit, one: _Setting) -> float | None:
    """Return a time span in seconds, or None for an infinite one."""
    if one.value == "infinity":
        return None
    total, end = 0.0, 0
    while end < len(one.value):
        match = _SPAN.match(one.value, end)
        if match is None or match[2] not in _UNITS:
            raise unit.fail(one.line, f"{one.value!r} is not a time span")
        total += float(match[1]) * _UNITS[match[2]]
        end = match.end()
    return round(total, 6)


def _streams(unit: _Unit, draft: ProcessDraft) -> Iterator[_Setting]:
    if draft.process_type == "single":
        draft.adapters = {side: no_adapter(side) for side in ("input", "output")}
    for side, key in (("input", "StandardInput"), ("output", "StandardError"), ("output", "StandardOutput")):
        one = unit.last("Service", key)
        kind, _, path = (one.value if one is not None else "").partition(":")
        if one is None or not path or kind not in ("file", "append", "truncate"):
            continue
        yield from unit.all("Service", key)
        stream = "STDERR" if key == "StandardError" else ""
        draft.adapters[side] = standard_stream(side, draft.process_type, stream)
        if path != f"/run/{unit.stem}.{side}":
            draft.lose(f"[Service] {key}", f"the engine chooses the file, here {path}", one.line)


def _without_specifiers(unit: _Unit, one: _Setting, text: str) -> str:
    match = re.search(r"%[^%]|%\Z", text.replace("%%", ""))
    if match:
        raise unit.fail(
            one.line, f"the specifier {match[0]} has another value on each host", "replace it by its value"
        )
    return text.replace("%%", "%")


def _words(unit: _Unit, draft: ProcessDraft, one: _Setting) -> list[str]:
    """Return the words of a list, up to the first one that systemd cannot read."""
    raw, is_complete = _raw_words(one.value)
    readable = [*takewhile(lambda word: not _has_unknown_escape(word), raw)]
    if not is_complete or len(readable) < len(raw):
        why = "systemd ignores the rest of the line, because of its quotation marks or escapes"
        draft.lose(f"[{one.section}] {one.key}", why, one.line)
    return [_unquoted(unit, one, word) for word in readable]


def _command_words(unit: _Unit, one: _Setting) -> list[str]:
    """Return the words of a command, in which systemd keeps unknown escapes."""
    raw, is_complete = _raw_words(one.value)
    if not is_complete:
        raise unit.fail(one.line, "a quotation mark is not closed")
    if ";" in raw:
        raise unit.fail(one.line, "there are several commands", "a definition starts one program")
    return [";" if word == r"\;" else _unquoted(unit, one, word) for word in raw]


def _raw_words(text: str) -> tuple[list[str], bool]:
    """Return the words with their quotation marks and escapes, and whether the text has no other ones."""
    words: list[str] = []
    end = 0
    while end < len(text):
        if text[end] in _BLANKS:
            end += 1
            continue
        match = _QUOTED_WORD.match(text, end)
        if match is None:
            return words, False
        words.append(match[0])
        end = match.end()
    return words, True


def _has_unknown_escape(raw: str) -> bool:
    return any(
        len(match["other"]) > 1 if match["other"] is not None else _escaped(match) == match[0].encode()
        for match in _PIECE.finditer(raw)
    )


def _unquoted(unit: _Unit, one: _Setting, raw: str) -> str:
    data = bytearray()
    quote = ""
    for match in _PIECE.finditer(raw):
        other = match["other"]
        if other is None:
            data += _escaped(match)
        elif other in "\"'" and quote in ("", other):
            quote = "" if quote else other
        else:
            data += other.encode("utf-8", "surrogatepass")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise unit.fail(one.line, "a value is not UTF-8", "a definition has text only") from error


def _escaped(match: re.Match[str]) -> bytes:
    """Return the bytes of an escape sequence; systemd keeps those that have no meaning."""
    if match["char"]:
        return _ESCAPES[match["char"]].encode()
    if match["byte"] or match["octal"]:
        number = int(match["byte"], 16) if match["byte"] else int(match["octal"], 8)
        return bytes([number]) if number else match[0].encode()
    number = int(match["short"] or match["long"], 16)
    is_character = 0 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
    return chr(number).encode() if is_character else match[0].encode()


_READERS: tuple[Callable[[_Unit, ProcessDraft], Iterator[_Setting]], ...] = (
    _identity,
    _type,
    _environment,
    _command,
    _folder,
    _time_limit,
    _streams,
)

IMPORTER = Importer(
    "systemd",
    "systemd unit",
    ("*.service",),
    read_unit,
    lambda text: re.search(r"^[ \t]*\[Service\]", text, re.MULTILINE) is not None,
    gives=(
        "the words of `ExecStart=`, with variables of `Environment=` in them replaced by their values",
        "`Environment=`, `WorkingDirectory=`, and `PassEnvironment=` as `${NAME}`",
        "`Type=oneshot` as `single`, with `TimeoutStartSec=` as `timeout`; other types as `service`",
        "`Description=` as title, and https addresses of `Documentation=` as links",
        "files of `StandardInput=`, `StandardOutput=` and `StandardError=` as messages on these streams",
    ),
    refuses=(
        "templates and their instances (`@`)",
        "a unit without `ExecStart=`, or with several commands",
        "specifiers, such as `%i`, except for `%%`",
        "`${NAME}` in a command, if the value is on the host",
    ),
)
