"""Settings from `registry.yaml` at the root of a registry and from the environment.

A JSON Schema describes `registry.yaml`.
"""

import json
import os
import re
import shlex
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
from registry.model.repository_links import RepositoryLinks, forge_of

if TYPE_CHECKING:
    import jsonschema_rs

SETTINGS_PATH = "registry.yaml"
# More would make one answer as expensive as `all.json`, which is the way to get everything.
MAX_PAGE_SIZE = 1000
IGNORE = "ignore"
LEVELS = ("error", "warning", IGNORE)
CHANGE_LEVELS = ("breaking", "risky", "safe", IGNORE)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a registry. `output` is a folder relative to the registry's root.

    `install_from` is the git address, with a tag, from which CI installs the program.

    `repo_url` is the https address of the repository on a forge, `repo_type` the forge if its host does not
    tell it, `repo_folder` the folder of the registry in the repository.

    `history` selects what is published: all revisions with their changes and content, or the commits alone.
    `layout` is compact, or full with an address for each revision. `addresses` are the forms of the addresses
    below `api/` that a site has: slash, json or both.

    `rules` maps rules to severities (error, warning or ignore) and changes to levels (breaking, risky, safe
    or ignore). `folders` does the same for definitions whose names start with a prefix. `fail_on` gives the
    level from which a change fails a review, by party, and by folder and party. `compat` names old clients
    that must accept the definitions. `require_match`: changes through HTTP need the header `If-Match`.
    `host_files`: the site contains `_headers` and `_redirects`, which some hosts read. `exports` are the
    formats in which the site has each definition, by the names in `registry.exchange.formats`. `protocols`
    are further protocols that the registry is served in; kinds that belong to one exist with it. `tables`
    are the files with all definitions as tables that a build adds: sqlite, parquet.
    """

    title: str = "Process Registry"
    description: str = ""
    base_url: str = "/"
    registry_id: str = ""
    page_size: int = 20
    history: str = "revisions"
    layout: str = "compact"
    addresses: str = "both"
    output: str = "site"
    bot_name: str = "Process Registry"
    bot_email: str = "process-registry@localhost"
    install_from: str = ""
    repo_url: str = ""
    repo_type: str = ""
    repo_branch: str = "main"
    repo_folder: str = ""
    rules: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    compat: tuple[str, ...] = ()
    fail_on: Mapping[str, Any] = field(default_factory=dict)
    require_match: bool = False
    host_files: bool = False
    exports: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def level_of(self, rule: str, name: str) -> str | None:
        """Return the level of a rule or change for the definition `name`.

        The setting of the longest matching folder wins over that of the registry.
        """
        if not (self.rules or self.folders):
            return None
        folders = [
            folder
            for folder in self.folders
            if name.startswith(f"{folder}/") and rule in self.folders[folder]
        ]
        return (self.folders[max(folders, key=len)] if folders else self.rules).get(rule)

    def fails_from(self, party: str, name: str) -> str | None:
        """Return the level from which a change of the definition `name` fails a review for `party`.

        None or "never" means that no level does.
        """
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
    def repository_links(self) -> RepositoryLinks:
        """The addresses of files and commits on the forge."""
        forge = self.repo_type or forge_of(self.repo_url)
        return RepositoryLinks(self.repo_url, forge, self.repo_branch, self.repo_folder)

    @property
    def shows_revisions(self) -> bool:
        """True when the changes and the content of each revision are published."""
        return self.history == "revisions"

    @property
    def has_revision_addresses(self) -> bool:
        """True when a site has an answer and a page for each revision."""
        return self.shows_revisions and self.layout == "full"

    @property
    def base_path(self) -> str:
        """The path part of `base_url`, with a slash at both ends: the start of every address in the API."""
        return _path_of(self.base_url)


# Cached, because each answer uses it for several addresses.
@lru_cache(maxsize=16)
def _path_of(url: str) -> str:
    path = urlsplit(url).path.strip("/")
    return f"/{path}/" if path else "/"


def settings_schema() -> bytes:
    """Return the JSON Schema of `registry.yaml`. It ships with the program; a registry cannot replace it."""
    return (defaults_folder(SCHEMA_FOLDER) / SETTINGS_SCHEMA).read_bytes()


@lru_cache(maxsize=1)
def _schema() -> "tuple[dict[str, Any], jsonschema_rs.Draft202012Validator]":
    import jsonschema_rs

    schema = json.loads(settings_schema())
    return schema, jsonschema_rs.Draft202012Validator(schema)


def _findings(data: Any) -> list[Finding]:
    schema, validator = _schema()
    return [] if validator.is_valid(data) else list(explain(schema, data))


# Cached, because both sides of a change, and most commits of a push, have the same settings.
@lru_cache(maxsize=8)
def parse_settings(data: bytes | None) -> tuple[Settings, tuple[Problem, ...]]:
    """Parse the bytes of `registry.yaml` (None: no such file); returns the settings and the problems found.

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
    # A key with any problem is left out as a whole: half of a setting could mean something else.
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
    settings = Settings(**good)
    if settings.repo_url and not (forge_of(settings.repo_url) or "repo_type" in document.data):
        more.append(
            Problem(
                "K002",
                Severity.ERROR,
                document.span(("repo_url",)),
                "the host does not tell which forge this is",
                "add `repo_type: github`, `gitlab` or `forgejo`",
            )
        )
    return settings, (*problems, *more)


def _value(key: str, value: Any) -> Any:
    """Convert a valid value of the document to the type that `Settings` uses."""
    if key == "folders":
        return {name.strip("/"): levels for name, levels in value.items()}
    if key in ("compat", "exports", "protocols", "tables"):
        return tuple(value)
    return int(value) if key == "page_size" else value  # JSON Schema accepts 5.0 as an integer


def install_from_problem(value: str) -> str:
    """Return why `value` is not a valid `install_from`; "" if it is valid."""
    return next((one.message for one in _findings({"install_from": value})), "")


def repo_url_problem(value: str) -> str:
    """Return why `value` is not a valid `repo_url`; "" if it is valid."""
    return next((one.message for one in _findings({"repo_url": value})), "")


def overridden(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """Return the settings with values of the command line, by key; None leaves a setting unchanged.

    Raises UsageError for an invalid value.
    """
    values = {key: value for key, value in given.items() if value is not None}
    for key, value in values.items():
        for one in _findings({key: value}):
            raise UsageError(f"--{key.replace('_', '-')} {value!r}: {one.message}")
    return replace(settings, **values)


def source_date_epoch() -> int | None:
    """Return the time of generated commits in seconds since 1970 from SOURCE_DATE_EPOCH, or None for now.

    See reproducible-builds.org. Raises UsageError for anything but 1 to 12 digits.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return None
    # Not `int`, which also accepts signs, spaces and underscores.
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise UsageError(f"SOURCE_DATE_EPOCH is {text!r}, not a number of seconds")
    return int(text)


def remote_shell() -> list[str]:
    """Return the command that connects to other machines: `RSYNC_RSH`, as for rsync itself, or `ssh`.

    Raises UsageError for an unfinished quotation.
    """
    try:
        return shlex.split(os.environ.get("RSYNC_RSH", "")) or ["ssh"]
    except ValueError as error:
        raise UsageError(f"RSYNC_RSH is not a command: {error}", 'as in RSYNC_RSH="ssh -p 2222"') from error


def environment_of_job() -> Mapping[str, str]:
    """Return the variables of the current CI job: its subject and its token."""
    return {
        name: value for name, value in os.environ.items() if name.startswith(("GITHUB_", "CI_", "REGISTRY_"))
    }


def environment_of_store() -> Mapping[str, str]:
    """Return the variables of AWS: the endpoint of a store, and the credentials for it."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def environment_of_runner() -> dict[str, str]:
    """Return all variables: programs of definitions that are tried get them, or those that they refer to."""
    return dict(os.environ)


def import_password() -> str | None:
    """Return the password for `registry import` from an address, or None if it is not set."""
    return os.environ.get("REGISTRY_IMPORT_PASSWORD")


def colors_are_forced() -> bool:
    """True when the environment forces colors without a terminal."""
    return any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
