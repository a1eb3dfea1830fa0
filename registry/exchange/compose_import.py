"""Imports Compose files: one process for each service with a command.

Source of the format: the Compose specification, "Services top-level elements" and "Interpolation".
"""

import json
import re
import shlex
from collections.abc import Mapping
from functools import partial
from typing import Any

from registry.errors import UsageError
from registry.exchange.anchored_yaml import LineMap, PlainText, read_anchored_yaml
from registry.exchange.fields import Loss
from registry.exchange.imported_process import (
    ImportedParts,
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
from registry.model.values import list_of, map_of, text_of

_LABEL = "process-registry."
_WRAPPER = "registry-run"
_SINGLE = "single"
_INTERPOLATED = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-?+])(?P<operand>[^${}]*))?\})"
)
_OF_A_SHELL = re.compile(r"[|&;<>()`]")
_MEMORY = re.compile(r"([1-9][0-9]*)([bkmg]?)b?\Z", re.IGNORECASE)
_UNITS = {"": "", "b": "", "k": "Ki", "m": "Mi", "g": "Gi"}
_METADATA: Mapping[str, type] = {
    "description": str,
    "owners": list,
    "tags": list,
    "lifecycle": str,
    "deprecation": dict,
    "links": list,
}
# Settings without an effect on a process, and those that describe what a definition always means.
_MEANT: Mapping[str, tuple[Any, ...]] = {
    "init": ("true",),
    "restart": ("on-failure",),
    "stop_grace_period": ("10s",),
    "tty": ("false",),
}
_REASONS = {
    key: why
    for keys, why in (
        ("ports expose networks network_mode hostname links extra_hosts dns", "a definition has no network"),
        ("volumes volumes_from tmpfs configs devices", "the host has the files"),
        ("secrets env_file", "the host has the files with variables and secrets"),
        ("depends_on healthcheck", "a definition has no order and no relations to other processes"),
        ("restart deploy scale profiles", "the engine decides where and when a process runs"),
        ("user privileged cap_add cap_drop security_opt read_only ulimits", "the engine chooses the user"),
        ("stop_grace_period stop_signal", "the engine stops processes"),
        ("build", "an application has an image, and not its recipe"),
    )
    for key in keys.split()
}
_NO_SETTING = "a definition has no such setting"
_TOP_LEVEL = ("services", "version", "name")


def read_compose(origin: str, text: str, options: ImportOptions) -> ImportedText:
    """Return the services with a command, and their images as applications.

    Raises UsageError when the text is no Compose file, or no service can be imported.
    """
    data = read_anchored_yaml(origin, text)
    services = data.get("services") if isinstance(data, LineMap) else None
    if not isinstance(data, LineMap) or not isinstance(services, LineMap):
        raise UsageError(f"{origin} has no map `services`", "a Compose file describes services")
    parts = ImportedParts(origin)
    for key in data:
        if key not in _TOP_LEVEL and not key.startswith("x-"):
            parts.losses.append(Loss(key, "a definition is about one process", data.lines[key]))
    applications: dict[str, Imported] = {}
    for name, service in services.items():
        line = services.lines[name]
        if not isinstance(service, LineMap):
            parts.losses.append(Loss(f"services.{name}", "it is not a map", line))
        elif not service.get("command") and not service.get("entrypoint"):
            parts.losses.append(
                Loss(f"services.{name}", "it has no command: the program is in the image", line)
            )
        else:
            read = partial(_Service(origin, line, name, service).read, applications, options)
            parts.add(f"services.{name}", line, read)
    return parts.result("a service needs `command` or `entrypoint`")


class _Service:
    """One service of a Compose file, on its way to a definition."""

    def __init__(self, origin: str, line: int, name: str, service: LineMap) -> None:
        """Take a service with the line that it begins at."""
        self.place = f"{origin}:{line}"
        self.line = line
        self.name = name
        self.service = service
        self.labels = self.pairs("labels")
        known = name_or_none(self.label("name"))
        self.draft = ProcessDraft(self.place, known or suggested_name(name), title=self.label("title"))
        self.read_keys = {
            "command",
            "entrypoint",
            "environment",
            "image",
            "labels",
            "working_dir",
            "profiles",
        }

    def read(self, applications: dict[str, Imported], options: ImportOptions) -> list[Imported]:
        """Return the definition, and its application, which is added to those of the services before."""
        draft = self.draft
        if "extends" in self.service:
            raise UsageError(f"{self.place}: it extends another service", "write the result of `config`")
        self.read_command()
        self.read_type()
        if self.service.get("working_dir") is not None:
            draft.cwd = self.text("working_dir", self.service["working_dir"])
        self.read_environment()
        application = self.application(applications)
        if application is not None:
            draft.application = application.name
        self.report_rest()
        draft.metadata = {key: value for key in _METADATA if (value := self.metadata(key)) is not None}
        draft.extensions = {
            key: _without_escapes(value) for key, value in self.service.items() if key.startswith("x-")
        }
        one = imported_process(draft, options)
        return [one] if application is None else [one, application]

    def lose(self, key: str, why: str) -> None:
        top = key.partition(".")[0]
        self.draft.lose(f"services.{self.name}.{key}", why, self.service.lines.get(top, self.line))

    def label(self, key: str) -> str:
        return self.labels.get(f"{_LABEL}{key}") or ""

    def metadata(self, key: str) -> Any:
        """Return metadata that an export wrote as a label; None without it."""
        text = self.label(key)
        type_ = _METADATA[key]
        if type_ is str or not text:
            return text or None
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if isinstance(value, type_):
            return value
        self.lose(f"labels.{_LABEL}{key}", "it is not JSON")
        return None

    def read_command(self) -> None:
        entrypoint = self.words("entrypoint")
        command = self.words("command") or []
        if entrypoint is None:
            self.lose("entrypoint", "the image can have an entry point, which would start before the command")
        words = [*(entrypoint or []), *command]
        if words and words[0].rpartition("/")[2] == _WRAPPER:
            words[0] = _WRAPPER
        self.draft.command = words

    def words(self, key: str) -> list[str] | None:
        """Return a command as words; None if the service does not have it."""
        value = self.service.get(key)
        if isinstance(value, list):
            return [self.text(key, item) for item in value]
        if value is None:
            return None
        text = self.text(key, value)
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(f"{self.place}: {key} cannot be split: {error}") from error
        if any(
            _OF_A_SHELL.search(part)
            for part in shlex.shlex(text, posix=False, punctuation_chars=True)
            if part[:1] not in "\"'"
        ):
            raise UsageError(f"{self.place}: {key} has characters of a shell", "write it as a list")
        return words

    def read_type(self) -> None:
        service, draft = self.service, self.draft
        if service.get("profiles") == [_SINGLE] and service.get("restart") == "no":
            draft.process_type = _SINGLE
            self.read_keys |= {"restart", "stdin_open"}
        elif service.get("profiles"):
            self.lose("profiles", _REASONS["profiles"])
        if service.get("stdin_open") == "true" and draft.process_type == "service":
            draft.adapters["input"] = standard_stream("input", draft.process_type)
            self.read_keys.add("stdin_open")
        if draft.process_type == _SINGLE and not self.label("name"):
            draft.adapters = {side: no_adapter(side) for side in ("input", "output")}

    def read_environment(self) -> None:
        for name, value in self.pairs("environment").items():
            reference = name if value is None else _whole_reference(value)
            if reference is not None:
                self.draft.environment[name] = f"${{{reference}}}"
                self.draft.references.add(name)
            else:
                self.draft.environment[name] = self.text(f"environment.{name}", value)

    def pairs(self, key: str) -> dict[str, str | None]:
        """Return a map of texts, which can also be a list of NAME=value."""
        value = self.service.get(key)
        if isinstance(value, list):
            texts = [text_of(item).partition("=") for item in value]
            return {name: text if equals else None for name, equals, text in texts}
        found = {name: text for name, text in map_of(value).items() if text is None or isinstance(text, str)}
        if key == "labels":
            return {name: (text or "").replace("$$", "$") for name, text in found.items()}
        return found

    def application(self, applications: dict[str, Imported]) -> Imported | None:
        if self.service.get("image") is None:
            return None
        image = self.text("image", self.service["image"])
        if not is_image(image):
            raise UsageError(f"{self.place}: {image!r} is not the name of an image")
        resources = self.resources()
        name = name_or_none(self.label("application")) or name_of_image(image)
        for one in (name, f"{name}-{self.draft.name}"):
            stub = application_stub(image, one, resources)
            if applications.setdefault(one, stub).document == stub.document:
                return stub
        raise UsageError(f"{self.place}: there are several applications {name}-{self.draft.name}")

    def resources(self) -> dict[str, Any]:
        """Return the resources of an application for the limits of a container."""
        deploy = map_of(self.service.get("deploy"))
        limits = map_of(map_of(deploy.get("resources")).get("limits"))
        found: dict[str, Any] = {}
        cpus = text_of(limits.get("cpus"))
        if re.match(r"[0-9]+(?:\.[0-9]{1,3})?\Z", cpus) and float(cpus):
            thousandths = round(float(cpus) * 1000)
            found["cpu"] = f"{thousandths}m" if thousandths % 1000 else thousandths // 1000
        if memory := _MEMORY.match(text_of(limits.get("memory"))):
            found["memory"] = f"{memory[1]}{_UNITS[memory[2].lower()]}"
        if deploy == {"resources": {"limits": limits}} and len(found) == len(limits):
            self.read_keys.add("deploy")
        return found

    def report_rest(self) -> None:
        for label in self.labels:
            if not label.startswith(_LABEL):
                self.lose(f"labels.{label}", "a definition has tags")
        for key, value in self.service.items():
            is_meant = not isinstance(value, (list, dict)) and value in _MEANT.get(key, ())
            is_meant |= key == "volumes" and all(
                map_of(one).get("source") == f"./{_WRAPPER}" for one in list_of(value)
            )
            if key not in self.read_keys and not is_meant and not key.startswith("x-"):
                self.lose(key, _REASONS.get(key, _NO_SETTING))

    def text(self, key: str, value: Any) -> str:
        """Return a text with its variables replaced. Raises UsageError for one without a default."""
        if not isinstance(value, str):
            raise UsageError(f"{self.place}: {key} is not a text")

        def replace(match: re.Match[str]) -> str:
            if match["escaped"]:
                return "$"
            if match["operator"] in ("-", ":-"):
                default: str = match["operand"]
                self.lose(key, f"the environment of Compose can replace `{default}`, which is now fixed")
                return default
            raise UsageError(
                f"{self.place}: the value of {match[0]} in {key} is unknown", "write it into the file"
            )

        rest = _INTERPOLATED.sub("", value)
        if "$" in rest:
            raise UsageError(f"{self.place}: Compose cannot replace the variables in {key}: {value!r}")
        return str(_INTERPOLATED.sub(replace, value))


def _whole_reference(text: str) -> str | None:
    """Return the name of a variable without a default that is the whole value."""
    match = _INTERPOLATED.fullmatch(text)
    if match is None or match["escaped"] or match["operator"] not in (None, "?", ":?"):
        return None
    return str(match["name"] or match["plain"])


def _without_escapes(value: Any) -> Any:
    if isinstance(value, PlainText):
        return value.resolved if "$" not in value else value.replace("$$", "$")
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {key: _without_escapes(item) for key, item in value.items()}
    return [_without_escapes(item) for item in value] if isinstance(value, list) else value


def _is_compose(text: str) -> bool:
    return re.search(r"^services:", text, re.MULTILINE) is not None


IMPORTER = Importer(
    "compose",
    "Compose file",
    ("compose.yaml", "compose.yml", "docker-compose*.y*ml", "compose.*.y*ml", "*.yaml", "*.yml"),
    read_compose,
    _is_compose,
    gives=(
        "each service with `entrypoint` or `command`; other services are listed",
        "`environment` and `working_dir`; `${NAME}`, if it is the whole value of a variable, as `${NAME}`",
        "`${NAME:-default}` as the default, which is listed",
        "`image` and `deploy.resources.limits` as an application, whose `mappings` are a placeholder",
        "anchors, aliases and merge keys of YAML",
    ),
    refuses=(
        "`${NAME}` without a default in other values than variables",
        "a service that extends another one",
        "a command as one text with characters of a shell: write it as a list",
    ),
)
