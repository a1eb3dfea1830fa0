"""Settings: `registry.yaml` at the root of a registry, described by a JSON Schema, and environment variables."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from registry.errors import UsageError
from registry.load import yaml
from registry.load.defaults import SCHEMA_FOLDER, SETTINGS_SCHEMA, defaults_folder
from registry.load.validation import Finding, explain
from registry.model.problem import Problem, Severity

if TYPE_CHECKING:
    import jsonschema_rs

SETTINGS_PATH = "registry.yaml"
MAX_PAGE_SIZE = 1000
IGNORE = "ignore"
LEVELS = ("error", "warning", IGNORE)
CHANGE_LEVELS = ("breaking", "risky", "safe", IGNORE)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a registry says about itself. `output` is a folder, relative to the registry's root.

    `install_from` is the git address, with a tag, from which CI installs the program.

    `history` says what is shown of it: all revisions with what each changed and its content, or the commits alone.

    `rules` gives severities to rules (error, warning or ignore) and levels to changes (breaking, risky, safe or ignore);
    `folders` the same for the definitions whose names start so; `fail_on` gives the level from which on a change fails a
    review, by party, and by folder and party; `compat` names clients of old that must be able to take the definitions.
    """

    title: str = "Process Registry"
    description: str = ""
    base_url: str = "/"
    registry_id: str = ""
    page_size: int = 20
    history: str = "revisions"
    output: str = "site"
    bot_name: str = "Process Registry"
    bot_email: str = "process-registry@localhost"
    install_from: str = ""
    rules: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    compat: tuple[str, ...] = ()
    fail_on: Mapping[str, Any] = field(default_factory=dict)

    def level_of(self, rule: str, name: str) -> str | None:
        """What a rule or a kind of change counts for in the definition `name`: the longest folder's word, else the registry's."""
        if not (self.rules or self.folders):
            return None
        folders = [
            folder
            for folder in self.folders
            if name.startswith(f"{folder}/") and rule in self.folders[folder]
        ]
        return (self.folders[max(folders, key=len)] if folders else self.rules).get(rule)

    def fails_from(self, party: str, name: str) -> str | None:
        """The level from which on a change of the definition `name` fails a review for `party`; None or "never": no level."""
        folders = [
            key.strip("/")
            for key, value in self.fail_on.items()
            if isinstance(value, dict) and party in value
        ]
        fitting = [folder for folder in folders if name.startswith(f"{folder}/")]
        if not fitting:
            found = self.fail_on.get(party)
        else:
            longest = max(fitting, key=len)
            found = next(
                value[party]
                for key, value in self.fail_on.items()
                if key.strip("/") == longest and isinstance(value, dict)
            )
        return found if isinstance(found, str) else None

    @property
    def shows_revisions(self) -> bool:
        """True where the fields that a revision changed are shown, and its content."""
        return self.history == "revisions"

    @property
    def base_path(self) -> str:
        """The path part of `base_url`, with a slash at both ends: what every address in the API starts with."""
        return _path_of(self.base_url)


# Asked for several addresses in each answer.
@lru_cache(maxsize=16)
def _path_of(url: str) -> str:
    path = urlsplit(url).path.strip("/")
    return f"/{path}/" if path else "/"


def settings_schema() -> bytes:
    """The JSON Schema of `registry.yaml`. It ships with the program and is never read from a registry."""
    return (defaults_folder(SCHEMA_FOLDER) / SETTINGS_SCHEMA).read_bytes()


@lru_cache(maxsize=1)
def _schema() -> "tuple[dict[str, Any], jsonschema_rs.Draft202012Validator]":
    import jsonschema_rs

    schema = json.loads(settings_schema())
    return schema, jsonschema_rs.Draft202012Validator(schema)


def _findings(data: Any) -> list[Finding]:
    schema, validator = _schema()
    return [] if validator.is_valid(data) else list(explain(schema, data))


def parse_settings(data: bytes | None) -> tuple[Settings, tuple[Problem, ...]]:
    """Parse the bytes of `registry.yaml`, None where there is no such file; gives the settings and the problems found.

    A setting with a problem keeps its default value.
    """
    if data is None or not re.sub(rb"(?m)^[ \t\r]*(#.*)?$", b"", data).strip():
        return Settings(), ()
    document, problems = yaml.load(data, SETTINGS_PATH)
    if document is None:
        return Settings(), problems
    if not isinstance(document.data, dict):
        found = Problem(
            "K002", Severity.ERROR, document.span(), "the settings are not a map", "write `title: …`"
        )
        return Settings(), (*problems, found)
    findings = _findings(document.data)
    wrong = {one.pointer[0] for one in findings if one.pointer}
    more = [
        Problem(
            "K001" if one.rule == "S002" else "K002",
            Severity.ERROR,
            document.span(one.pointer, key=one.is_key),
            one.message,
            one.hint,
        )
        for one in findings
    ]
    good = {key: _value(key, value) for key, value in document.data.items() if key not in wrong}
    return Settings(**good), (*problems, *more)


def _value(key: str, value: Any) -> Any:
    """A valid value of the document as `Settings` holds it."""
    if key == "folders":
        return {name.strip("/"): levels for name, levels in value.items()}
    if key == "compat":
        return tuple(value)
    return int(value) if key == "page_size" else value  # JSON Schema counts 5.0 as an integer


def install_from_problem(value: str) -> str:
    """Why `value` is no valid `install_from`; "" where it is valid."""
    return next((one.message for one in _findings({"install_from": value})), "")


def with_base_url(settings: Settings, base_url: str | None) -> Settings:
    """The settings with the `base_url` of the command line; unchanged for None. Raises UsageError for an invalid one."""
    if base_url is None:
        return settings
    for one in _findings({"base_url": base_url}):
        raise UsageError(f"--base-url {base_url!r}: {one.message}")
    return replace(settings, base_url=base_url)


def source_date_epoch() -> int | None:
    """Seconds since 1970 that commits of ours carry, from SOURCE_DATE_EPOCH (reproducible-builds.org); None: now."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise UsageError(f"SOURCE_DATE_EPOCH is {text!r}, not a number of seconds")
    return int(text)


def environment_of_job() -> Mapping[str, str]:
    """The variables of the CI job that runs us: what it is about, and its token."""
    return {
        name: value for name, value in os.environ.items() if name.startswith(("GITHUB_", "CI_", "REGISTRY_"))
    }


def colors_are_forced() -> bool:
    """True where whoever started us wants colours without a terminal."""
    return any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
