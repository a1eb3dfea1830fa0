"""Imports the programs of supervisord.

Sources: the documentation of Supervisor 4.3, "Configuration File". Its reader is Python's configparser with
inline comments, then `%` expansion, then shlex for the command and for the variables; it is the same here.
"""

import configparser
import re
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import PurePath

from registry.errors import UsageError
from registry.exchange.fields import Loss
from registry.exchange.imported_process import (
    ImportedParts,
    ProcessDraft,
    imported_process,
    no_adapter,
    take_identity,
)
from registry.exchange.importer import Imported, ImportedText, Importer, ImportOptions, suggested_name

_SECTION = re.compile(r"\[(?P<name>[^\]]+)\]")
_OPTION = re.compile(r"(?P<name>[^=:\s\[;#][^=:]*)[=:]")
_PROGRAM = "program:"
_EXPANSION = re.compile(r"%(?:%|\((?P<name>[^()%]*)\)s)")
_ENVIRONMENT = "ENV_"
# Settings that a definition always has, by what they must say.
_MEANT = {
    "stopwaitsecs": ("10", "15"),
    "stopasgroup": ("true",),
    "killasgroup": ("true",),
    "numprocs": ("1",),
    "autostart": ("true",),
}
_TRUE = {"true": "true", "yes": "true", "on": "true", "1": "true"}
_REASONS = {
    **dict.fromkeys(
        ("numprocs", "numprocs_start", "process_name", "priority"),
        "the engine decides how many processes there are, and in which order they start",
    ),
    **dict.fromkeys(
        ("autostart", "autorestart", "startsecs", "startretries", "exitcodes"),
        "the engine decides when to start a process again",
    ),
    **dict.fromkeys(
        ("stopsignal", "stopwaitsecs", "stopasgroup", "killasgroup"), "the engine stops processes"
    ),
    **dict.fromkeys(("user", "umask"), "the engine chooses the user"),
}
_SECTIONS = {
    "group": "a definition has no order and no relations to other processes",
    "eventlistener": "it speaks a protocol of supervisord",
    "fcgi-program": "supervisord opens its socket",
    "include": "other files are not read: import them, too",
}


class _Configuration:
    """The sections of a file, as supervisord reads them, with their lines."""

    def __init__(self, origin: str, text: str) -> None:
        self.origin = origin
        self.parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
        try:
            self.parser.read_string(text, origin)
        except configparser.Error as error:
            line = getattr(error, "lineno", 0) or next((line for line, _ in getattr(error, "errors", ())), 0)
            raise UsageError(f"{origin}:{line}: the line is no section and no setting") from error
        self.lines: dict[tuple[str, str], int] = {}
        self.comments: dict[str, list[str]] = {}
        section, comments = "", list[str]()
        for number, line in enumerate(text.splitlines(), 1):
            found = _SECTION.match(line)
            if found:
                section = found["name"]
                self.lines[section, ""] = number
                self.comments[section] = comments
            elif option := _OPTION.match(line):
                self.lines[section, option["name"].rstrip().lower()] = number
            comments = (
                [*comments[-1:], line.removeprefix(";").removeprefix(" ")] if line.startswith(";") else []
            )

    def line(self, section: str, option: str = "") -> int:
        return self.lines.get((section, option), self.lines.get((section, ""), 0))


def read_supervisord(origin: str, text: str, options: ImportOptions) -> ImportedText:
    """Return the programs of a configuration. Raises UsageError when none can be imported."""
    configuration = _Configuration(origin, text)
    parts = ImportedParts(origin)
    for section in configuration.parser.sections():
        line = configuration.line(section)
        if section.startswith(_PROGRAM):
            parts.add(f"[{section}]", line, partial(_programs, configuration, section, options))
        else:
            why = _SECTIONS.get(section.partition(":")[0], "it configures supervisord itself")
            parts.losses.append(Loss(f"[{section}]", why, line))
    return parts.result("a file has sections [program:NAME]")


def _programs(configuration: _Configuration, section: str, options: ImportOptions) -> list[Imported]:
    settings = dict(configuration.parser.items(section))
    name = section.removeprefix(_PROGRAM).strip()
    place = f"{configuration.origin}:{configuration.line(section, 'command')}"
    draft = ProcessDraft(place, suggested_name(name))
    take_identity(draft, name, configuration.comments.get(section, ()))
    expansion = _Expansion(configuration.origin, place, name)
    draft.command = _words(place, expansion.replaced(settings.pop("command", "")))
    if "directory" in settings:
        draft.cwd = expansion.replaced(settings.pop("directory"))
    if "environment" in settings:
        line = configuration.line(section, "environment")
        _variables(draft, expansion, settings.pop("environment"), line)
    if settings.get("autorestart", "").lower() == "false" and settings.get("startsecs") == "0":
        draft.process_type = "single"
        draft.adapters = {side: no_adapter(side) for side in ("input", "output")}
        del settings["autorestart"], settings["startsecs"]
        settings.pop("autostart", None)
    elif settings.get("autorestart") == "unexpected":
        del settings["autorestart"]
    for key, value in settings.items():
        if _TRUE.get(value.lower(), value) not in _MEANT.get(key, ()):
            why = _REASONS.get(key, _reason(key))
            draft.lose(f"[{section}] {key}", why, configuration.line(section, key))
    return [imported_process(draft, options)]


def _reason(key: str) -> str:
    is_output = key.startswith(("stdout_", "stderr_", "redirect_"))
    return "the engine chooses where output goes" if is_output else "a definition has no such setting"


def _words(place: str, command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{place}: the command cannot be split: {error}") from error


class _Expansion:
    """Replaces `%(…)s` in the settings of one program."""

    def __init__(self, origin: str, place: str, program: str) -> None:
        self._origin = origin
        self._place = place
        self._known = {"program_name": program}

    def replaced(self, text: str, mark: Callable[[str], str] | None = None) -> str:
        """Return a setting as supervisord uses it.

        `mark` returns what is written for the value of a variable of the host, which is refused without it.
        """
        rest = _EXPANSION.sub("", text)
        if "%" in rest:
            unknown = re.search(r"%(?:\([^()%]*\).?)?", rest)
            raise UsageError(f"{self._place}: supervisord cannot expand {unknown[0] if unknown else '%'}")
        return _EXPANSION.sub(lambda match: self._value(match, mark), text)

    def _value(self, match: re.Match[str], mark: Callable[[str], str] | None) -> str:
        name = match["name"]
        if name is None:
            return "%"
        if name in self._known:
            return self._known[name]
        if name == "here":
            return self._folder()
        if name.startswith(_ENVIRONMENT) and mark is not None:
            return mark(name.removeprefix(_ENVIRONMENT))
        raise UsageError(
            f"{self._place}: the value of {match[0]} is on the host of supervisord", "replace it by its value"
        )

    def _folder(self) -> str:
        folder = PurePath(self._origin).parent
        if not folder.is_absolute():
            raise UsageError(
                f"{self._place}: %(here)s is the folder of the file", "give the absolute path of the file"
            )
        return str(folder)


def _variables(draft: ProcessDraft, expansion: _Expansion, text: str, line: int) -> None:
    """Add the variables of `environment`, whose values can be in quotes."""
    references: dict[str, str] = {}
    stem = "variable"
    while stem in text:
        stem += "e"

    def mark(name: str) -> str:
        word = f"{stem}{len(references)}z"
        references[word] = name
        return word

    lexer = shlex.shlex(expansion.replaced(text, mark))
    lexer.wordchars += "/.+-():"
    try:
        tokens = list(lexer)
    except ValueError as error:
        raise UsageError(f"{draft.place}: environment cannot be split: {error}") from error
    for start in range(0, len(tokens), 4):
        triple = tokens[start : start + 3]
        if len(triple) != 3 or triple[1] != "=":
            raise UsageError(f"{draft.place}: environment is not a list of NAME=value")
        name, value = triple[0], triple[2].strip("'\"")
        if any(word in name for word in references):
            raise UsageError(f"{draft.place}: the name of a variable is on the host of supervisord")
        draft.environment.pop(name, None)
        draft.references.discard(name)
        if value in references:
            draft.environment[name] = f"${{{references[value]}}}"
            draft.references.add(name)
        elif any(word in value for word in references):
            draft.lose(f"environment {name}", "a part of its value is on the host of supervisord", line)
        else:
            draft.environment[name] = value


IMPORTER = Importer(
    "supervisord",
    "supervisord program",
    ("supervisord.conf", "*.conf", "*.ini"),
    read_supervisord,
    lambda text: re.search(r"^\[program:", text, re.MULTILINE) is not None,
    gives=(
        "`command` as words, `directory` and `environment`, with `%(here)s` and `%(program_name)s` replaced",
        "`%(ENV_NAME)s`, if it is the whole value of a variable, as `${NAME}`",
        "`autorestart=false` with `startsecs=0` as `single`; other programs as `service`",
    ),
    refuses=("`%(ENV_NAME)s` in `command` and `directory`, and expansions such as `%(process_num)s`",),
)
