"""The document of an imported process: what all import formats build from a command and its surroundings."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registry.errors import UsageError
from registry.exchange.fields import Loss, is_reference
from registry.exchange.importer import Imported, ImportedText, ImportOptions, name_or_none, suggested_name
from registry.exchange.narrow_name import is_narrow_name

_WRAPPER = "registry-run"
_MAX_TITLE = 120
_MAX_TIMEOUT_S = 31_536_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSET = re.compile(r"(?:FIXME|TODO|CHANGEME|CHANGE_ME|XXX+)\Z", re.IGNORECASE)
# Variables of registry-run: the files of the messages, which the engine chooses.
_MESSAGE_FILES = {"input": "REGISTRY_INPUT", "output": "REGISTRY_OUTPUT"}
_PLACEHOLDERS = {"input": "${input_file}", "output": "${output_file}"}


@dataclass(slots=True)
class ProcessDraft:
    """A process on its way to a document. `place` names it in messages, as `file:line`.

    `command` is the program and its arguments. `name` is the name that the text suggests. `title` is ""
    if the text has none. `adapters`, by `input` and `output`, are there if the text says how messages are
    passed. `references` names the variables whose values the host supplies, which have the value `${NAME}`.
    `metadata` is what stands around `definition` beside the title, `extensions` are keys `x-…` in it.
    """

    place: str
    name: str
    command: Sequence[str] = ()
    title: str = ""
    process_type: str = "service"
    environment: dict[str, str] = field(default_factory=dict)
    cwd: str | None = None
    timeout_s: float | None = None
    application: str | None = None
    adapters: dict[str, dict[str, Any]] = field(default_factory=dict)
    references: set[str] = field(default_factory=set)
    metadata: dict[str, Any] = field(default_factory=dict)
    extensions: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    def lose(self, key: str, why: str, line: int = 0) -> None:
        """Report a value that the document does not have."""
        self.losses.append(Loss(key, why, line))


def imported_process(draft: ProcessDraft, options: ImportOptions) -> Imported:
    """Return the definition of a draft. Raises UsageError for a value that no definition can have."""
    command = _unwrapped(draft)
    _check(draft, command)
    _environment(draft, options)
    inside: dict[str, Any] = {"exec": command[0]}
    if draft.application is not None:
        inside["application"] = draft.application
    inside["process_type"] = draft.process_type
    if draft.timeout_s is not None:
        inside["timeout"] = (
            int(draft.timeout_s) if draft.timeout_s == int(draft.timeout_s) else draft.timeout_s
        )
    if draft.cwd is not None:
        inside["cwd"] = draft.cwd
    if draft.environment:
        inside["environment"] = draft.environment
    if len(command) > 1:
        inside["argv"] = list(command[1:])
    for side in ("input", "output"):
        if side in draft.adapters:
            inside[f"{side}_adapter"] = draft.adapters[side]
    document = _titles(draft) | draft.metadata | {"definition": inside | draft.extensions}
    return Imported(draft.name, document, tuple(draft.notes), tuple(draft.losses))


def no_adapter(side: str) -> dict[str, Any]:
    """Return the `input` or `output` adapter of a process without messages."""
    return {f"{side}_type": "none"}


def standard_stream(side: str, process_type: str, stream: str = "") -> dict[str, Any]:
    """Return the adapter of a process whose messages are on a standard stream."""
    name = stream or {"input": "STDIN", "output": "STDOUT"}[side]
    if process_type == "service":
        return {f"{side}_type": "stream", f"{side}_params": {"stream_name": name}}
    return {f"{side}_type": "file", f"{side}_params": {"file_type": "stream", "stream_name": name}}


def title_from(name: str) -> str:
    """Return a title for a definition whose source has none."""
    return re.sub(r"[-_.]+", " ", name.rpartition("/")[2]).strip().capitalize()


def take_identity(draft: ProcessDraft, key: str, comments: Sequence[str]) -> None:
    """Take name and title from the comments above a process, if an export wrote them.

    An export writes the title and then name, id and revision. `key` is the name of the process in the format.
    """
    if not comments:
        return
    name = name_or_none(comments[-1].strip().partition(", ")[0])
    if name is None or not is_narrow_name(key, name):
        return
    draft.name = name
    # Lines of a list of losses are indented.
    if len(comments) > 1 and not comments[-2].startswith("  "):
        draft.title = comments[-2].strip()


def _titles(draft: ProcessDraft) -> dict[str, Any]:
    title = " ".join(_CONTROL.sub(" ", draft.title).split()) or title_from(draft.name)
    if len(title) <= _MAX_TITLE:
        return {"title": title}
    short = f"{title[: _MAX_TITLE - 1].rstrip()}…"
    if not draft.title:
        return {"title": short}
    draft.notes.append(f"the title has more than {_MAX_TITLE} characters: it is the description, too")
    return {"title": short, "description": title}


def _unwrapped(draft: ProcessDraft) -> Sequence[str]:
    """Return the command that `registry-run` starts, and take over what its options say."""
    words = list(draft.command)
    if not words or words[0].rpartition("/")[2] != _WRAPPER or "--" not in words:
        return words
    draft.process_type = "single"
    for side, variable in _MESSAGE_FILES.items():
        if draft.environment.pop(variable, None) is not None:
            draft.adapters[side] = standard_stream(side, draft.process_type)
    end = words.index("--")
    options = iter(words[1:end])
    suffixes = {"input": "", "output": ""}
    sides = []
    for option in options:
        if option == "-t":
            draft.timeout_s = _seconds(draft, next(options, ""))
        elif option in ("-I", "-O"):
            suffixes["input" if option == "-I" else "output"] = next(options, "")
        elif option in ("-i", "-o"):
            sides.append("input" if option == "-i" else "output")
        else:
            raise UsageError(f"{draft.place}: {_WRAPPER} has no option {option}")
    for side in sides:
        suffix = {"suffix": suffixes[side]} if suffixes[side] else {}
        params = {"file_path": _PLACEHOLDERS[side], **suffix}
        draft.adapters[side] = {f"{side}_type": "file", f"{side}_params": params}
    return words[end + 1 :]


def _seconds(draft: ProcessDraft, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{draft.place}: {text!r} is not a number of seconds") from error


def _check(draft: ProcessDraft, command: Sequence[str]) -> None:
    place = draft.place
    if not command or not command[0]:
        raise UsageError(f"{place}: there is no program to start")
    if _CONTROL.search(command[0]):
        raise UsageError(f"{place}: the path of the program has control characters")
    if draft.cwd is not None and (not draft.cwd.startswith("/") or _CONTROL.search(draft.cwd)):
        raise UsageError(f"{place}: {draft.cwd!r} is not an absolute path of a folder")
    if draft.timeout_s is not None and not 0 < draft.timeout_s <= _MAX_TIMEOUT_S:
        draft.lose("timeout", f"a time limit is more than 0 and at most {_MAX_TIMEOUT_S:,} seconds")
        draft.timeout_s = None
    for text in (*command, *draft.environment.values()):
        if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise UsageError(f"{place}: a value contains NUL or bytes that are not UTF-8")
    _check_placeholders(draft, command)
    _check_variables(draft)


def _check_placeholders(draft: ProcessDraft, command: Sequence[str]) -> None:
    for side, placeholder in _PLACEHOLDERS.items():
        params = draft.adapters.get(side, {}).get(f"{side}_params", {})
        is_fed = params.get("file_path") == placeholder
        if not is_fed and any(placeholder in word for word in command):
            raise UsageError(
                f"{draft.place}: an argument contains {placeholder}", "a definition replaces it by a path"
            )


def _check_variables(draft: ProcessDraft) -> None:
    for name, value in draft.environment.items():
        if not name or "=" in name or _CONTROL.search(name):
            raise UsageError(f"{draft.place}: {name!r} is not the name of a variable")
        if is_reference(value) and name not in draft.references:
            draft.lose(name, f"a definition takes the value {value} from its host")


def _environment(draft: ProcessDraft, options: ImportOptions) -> None:
    environment, note = with_secrets(draft.environment, options)
    draft.environment = dict(environment)
    if note:
        draft.notes.append(note)


def with_secrets(environment: Mapping[str, Any], options: ImportOptions) -> tuple[Mapping[str, Any], str]:
    """Return the variables with references instead of placeholders for secrets, if the options ask for it,
    and a note about them."""
    names = [name for name, value in environment.items() if isinstance(value, str) and _UNSET.match(value)]
    if not names:
        return environment, ""
    if not options.secrets_from_env:
        return environment, f"{', '.join(names)}: placeholder value; --secrets-from-env writes ${{NAME}}"
    replaced = {name: f"${{{name}}}" if name in names else value for name, value in environment.items()}
    return replaced, f"{', '.join(names)}: now taken from the runner's environment"


def application_stub(image: str, name: str, resources: Mapping[str, Any] | None = None) -> Imported:
    """Return an application that runs in a container image.

    An application needs a machine image for each site, which a container image does not say: a placeholder.
    """
    mapping = {"iaas_image": image, "iaas_allocation": "unknown"}
    document: dict[str, Any] = {"title": title_from(name), "container_image": image}
    if resources:
        document["container_resources"] = dict(resources)
    document["definition"] = {"mappings": {"container": mapping}}
    note = f"`mappings` of the application {name} is a placeholder: name the images of your sites"
    return Imported(name, document, (note,), kind="application", is_shared=True)


def is_image(text: str) -> bool:
    """True for the name of a container image, as an application can have it."""
    return re.match(r"[a-z0-9][A-Za-z0-9._/:@-]{0,511}\Z", text) is not None


def name_of_image(image: str) -> str:
    """Return the name of an application for a container image: the last part, without tag and digest."""
    return suggested_name(re.sub(r"[:@].*", "", image.rpartition("/")[2]))


# What follows the name of a text in a message about one of its lines.
_PLACE = re.compile(r"\A(?::[0-9]+)?: ")


class ImportedParts:
    """The definitions of one text. A part that cannot be imported is a loss, unless there is no other."""

    def __init__(self, origin: str) -> None:
        """Start without definitions; `origin` names the text in messages."""
        self.definitions: list[Imported] = []
        self.losses: list[Loss] = []
        self._origin = origin
        self._errors: list[UsageError] = []

    def add(self, key: str, line: int, read: Callable[[], Sequence[Imported]]) -> None:
        """Add the definitions of a part, which is named `key` and begins at a line."""
        try:
            self.definitions += read()
        except UsageError as error:
            self._errors.append(error)
            reason = _PLACE.sub("", error.message.removeprefix(self._origin))
            self.losses.append(Loss(key, f"it cannot be imported: {reason}", line))

    def result(self, hint: str) -> ImportedText:
        """Return all parts. Raises UsageError, with a hint about what a text must have, if there are none."""
        if not self.definitions:
            if len(self._errors) == 1:
                raise self._errors[0]
            reasons = [f"line {loss.line}: {loss.field}: {loss.why}" for loss in self.losses]
            raise UsageError(f"{self._origin} has no process that can be imported", hint, reasons)
        return ImportedText(tuple(self.definitions), tuple(sorted(self.losses, key=lambda loss: loss.line)))
