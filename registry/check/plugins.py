"""Rules of others: Python packages with an entry point in the group `process_registry.rules` that names a list of `Rule`s."""

import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from registry.check.rule import Rule
from registry.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "process_registry.rules"
_ID = re.compile(r"[A-Z]{2,12}[0-9]{1,4}\Z")


@lru_cache(maxsize=1)
def plugin_rules() -> tuple[Rule, ...]:
    """All of them, in order of the names of their entry points. Raises UsageError for one that cannot be used."""
    if not _may_be_there():
        return ()
    from importlib.metadata import entry_points

    found: list[Rule] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        for rule in _load(entry):
            if any(rule.id == other.id for other in found):
                raise UsageError(
                    f"two plug-ins have a rule {rule.id}", f"one of them is `{entry.name}` ({entry.value})"
                )
            found.append(rule)
    return tuple(found)


def _may_be_there() -> bool:
    """False where no package has such an entry point: reading them properly costs an eighth of a short command's time."""
    for folder in sys.path:
        try:
            with os.scandir(folder or ".") as entries:
                packages = [
                    entry.path for entry in entries if entry.name.endswith((".dist-info", ".egg-info"))
                ]
        except FileNotFoundError:
            continue
        except OSError:
            return True  # a zip file, or what only the proper way can read
        for package in packages:
            try:
                with Path(package, "entry_points.txt").open("rb") as file:
                    if GROUP.encode() in file.read():
                        return True
            except (FileNotFoundError, NotADirectoryError):
                continue
    return False


def _load(entry: "EntryPoint") -> tuple[Rule, ...]:
    try:
        loaded = entry.load()
    except Exception as error:
        raise UsageError(
            f"the plug-in `{entry.name}` ({entry.value}) cannot be loaded: {type(error).__name__}: {error}",
            "mend or uninstall it",
        ) from error
    rules = tuple(loaded) if isinstance(loaded, (list, tuple)) else (loaded,)
    for rule in rules:
        if not isinstance(rule, Rule) or not _ID.match(rule.id):
            what = rule.id if isinstance(rule, Rule) else type(rule).__name__
            raise UsageError(
                f"the plug-in `{entry.name}` has {what!r} where a Rule is expected",
                "its id has two capitals or more, as in ACME1",
            )
    return rules
