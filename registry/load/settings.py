"""`registry.yaml` at a registry's root, and the environment variables we heed; read once, sensible without any."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from registry.errors import UsageError, nearest
from registry.load import yaml
from registry.model.problem import Problem, Severity

SETTINGS_PATH = "registry.yaml"
HISTORIES = ("revisions", "commits")
MAX_PAGE_SIZE = 1000
IGNORE = "ignore"
LEVELS = ("error", "warning", IGNORE)
_CHANGE = re.compile(r"C[0-9]{3}")
CHANGE_LEVELS = ("breaking", "risky", "safe", IGNORE)
PARTIES = ("START", "FEED", "YIELD", "RUN", "FIND")


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


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and "\n" not in value.strip() else "one line of text"


# Without characters that a URL must escape (RFC 3986) or that mean something in the configuration of a web server.
_HOST = r"https?://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_STEP = r"[A-Za-z0-9_~+@-][A-Za-z0-9._~+@-]*"
_BASE_URL = re.compile(rf"(?=.)(?:{_HOST})?(?:/(?:{_STEP}/)*(?:{_STEP})?)?")


def _base_url(value: Any) -> str | None:
    fits = isinstance(value, str) and _BASE_URL.fullmatch(value)
    return (
        None
        if fits
        else (
            "an http(s) address or a path, as in https://registry.example.org/ or /registry/; in the path letters, digits "
            "and . _ ~ + @ - only"
        )
    )


# No user name but that of SSH, so that no credential gets into a file; nothing that a shell or YAML reads as more than text.
_INSTALL_FROM = re.compile(
    r"(?:git\+)?(?:https://[\w.-]+(?::[0-9]{1,5})?|ssh://(?:[\w.-]+@)?[\w.-]+(?::[0-9]{1,5})?|file://)"
    r"(?:/[\w.~+-]+)+@[\w][\w./+-]*",
    re.ASCII,
)


def install_from_is_not(value: Any) -> str | None:
    """What a value of `install_from` has to be, where it is not; None where it is valid."""
    fits = isinstance(value, str) and _INSTALL_FROM.fullmatch(value)
    return None if fits else ("a git address (https, ssh or file, without a password) with a tag or commit, "
                              "as in https://git.example.org/process-registry.git@v1.0.0")  # fmt: skip


def _registry_id(value: Any) -> str | None:
    fits = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{7,63}", value)
    return None if fits else "8 to 64 letters, digits and `-`, as `registry init` makes it"


def _page_size(value: Any) -> str | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_PAGE_SIZE
    return None if fits else f"a whole number from 1 to {MAX_PAGE_SIZE}"


def _history(value: Any) -> str | None:
    return None if value in HISTORIES else "revisions (each with what it changed, and its content) or commits"


def _folder(value: Any) -> str | None:
    fits = (
        isinstance(value, str)
        and value.strip("/.")
        and not value.startswith("/")
        and ".." not in value.split("/")
    )
    return None if fits else "a folder inside the registry, as in `site`"


def _levels(value: Any) -> str | None:
    fits = isinstance(value, dict) and all(
        re.fullmatch(r"[A-Z]+[0-9]+", rule)
        and level in (CHANGE_LEVELS if _CHANGE.fullmatch(rule) else LEVELS)
        for rule, level in value.items()
    )
    return (
        None
        if fits
        else (
            "a map of rules to error, warning or ignore, as in {W202: ignore}, and of changes to breaking, risky, safe or ignore, "
            "as in {C122: breaking}"
        )
    )


def _folders(value: Any) -> str | None:
    fits = isinstance(value, dict) and all(
        name.strip("/") and _levels(levels) is None for name, levels in value.items()
    )
    return None if fits else "a map of folders to maps of rules, as in {experiments: {W202: ignore}}"


def _fail_on(value: Any) -> str | None:
    def is_party_map(one: Any) -> bool:
        return isinstance(one, dict) and all(
            party in PARTIES and level in (*CHANGE_LEVELS[:3], "never") for party, level in one.items()
        )

    fits = isinstance(value, dict) and all(
        is_party_map(given) if isinstance(given, dict) else is_party_map({key: given})
        for key, given in value.items()
    )
    return (
        None
        if fits
        else (
            "a map of parties (START, FEED, YIELD, RUN, FIND) to breaking, risky, safe or never, or of folders to such maps, "
            "as in {FEED: breaking, experiments: {FEED: never}}"
        )
    )


def _compat(value: Any) -> str | None:
    fits = isinstance(value, list) and all(one == "streamboss" for one in value)
    return None if fits else "a list of clients of old; known is: streamboss"


# Each key: what is wrong with a value, or None.
_KEYS: dict[str, Callable[[Any], str | None]] = {
    "title": _text,
    "description": lambda value: None if isinstance(value, str) else "text",
    "base_url": _base_url,
    "registry_id": _registry_id,
    "page_size": _page_size,
    "history": _history,
    "output": _folder,
    "bot_name": _text,
    "bot_email": _text,
    "install_from": install_from_is_not,
    "rules": _levels,
    "folders": _folders,
    "compat": _compat,
    "fail_on": _fail_on,
}
if set(_KEYS) != {one.name for one in fields(Settings)}:
    raise AssertionError("every setting needs a check")  # a programming mistake: seen at the first start


def parse_settings(data: bytes | None) -> tuple[Settings, tuple[Problem, ...]]:
    """Settings from the bytes of `registry.yaml` (None: no such file), and what is wrong with them."""
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
    good: dict[str, Any] = {}
    more: list[Problem] = []
    for key, value in document.data.items():
        if key not in _KEYS:
            hint = nearest(key, _KEYS) or f"the settings are {', '.join(_KEYS)}"
            more.append(
                Problem(
                    "K001", Severity.ERROR, document.span((key,), key=True), f"unknown setting `{key}`", hint
                )
            )
        elif wanted := _KEYS[key](value):
            more.append(Problem("K002", Severity.ERROR, document.span((key,)), f"`{key}` must be {wanted}"))
        else:
            good[key] = (
                {name.strip("/"): levels for name, levels in value.items()} if key == "folders" else value
            )
    return Settings(**good), (*problems, *more)


def with_base_url(settings: Settings, base_url: str | None) -> Settings:
    """The settings with another `base_url`, as given on the command line; None: as they are. Raises UsageError for what is none."""
    if base_url is None:
        return settings
    wanted = _base_url(base_url)
    if wanted:
        raise UsageError(f"--base-url {base_url!r} is not {wanted}")
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
