"""Environment and options of every git process, so that repository configuration cannot start programs."""

import os
import re
import shutil
from functools import cache
from typing import Any

from registry.errors import UsageError

MINIMUM_GIT = (2, 38)
"""The first version with `merge-tree --write-tree` and `safe.bareRepository`."""
TIMEOUT_S = 60
"""Time limit in seconds for one read command; git is terminated after it."""
SYNCED = (("core.fsync", "all"), ("core.fsyncMethod", "fsync"))
"""Settings by which git syncs every file that it writes. It syncs no folder."""

# The user's settings do not affect reading. Settings such as `core.quotePath` are irrelevant: all listings
# use -z.
OPTIONS = (
    "--no-pager",
    "--literal-pathspecs",
    "--no-optional-locks",
    "--no-replace-objects",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.untrackedCache=false",
    "-c",
    "core.attributesFile=/dev/null",
    "-c",
    "core.alternateRefsCommand=",
    "-c",
    "core.warnAmbiguousRefs=true",
    "-c",
    "diff.external=",
    "-c",
    "log.showSignature=false",
    "-c",
    "i18n.logOutputEncoding=UTF-8",
    "-c",
    "commit.gpgSign=false",
    "-c",
    "merge.verifySignatures=false",
    "-c",
    "merge.autoStash=false",
    "-c",
    "submodule.recurse=false",
    "-c",
    "status.submoduleSummary=false",
    "-c",
    "fetch.recurseSubmodules=false",
    "-c",
    "push.recurseSubmodules=no",
    "-c",
    "core.commitGraph=true",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    # Larger files are hashed and packed in pieces, not as a whole in memory.
    "-c",
    "core.bigFileThreshold=4m",
    # Do not map a whole pack of hundreds of megabytes at once.
    "-c",
    "core.packedGitWindowSize=8m",
    "-c",
    "core.packedGitLimit=64m",
)

# Protected configuration and search limits: honored when git locates the repository, and for remotes.
_PROTECTED = re.compile(
    r"GIT_(?:CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|PARAMETERS|KEY_\d+|VALUE_\d+)"
    r"|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM)\Z"
)
# The user decides how to reach a remote. These settings apply to fetch and push only.
_FOR_REMOTES = re.compile(r"GIT_(?:SSH|SSL|HTTP|ASKPASS|PROXY|TRACE_CURL)")
# Where git keeps the objects of a pending push, and the repository that receives it: for hooks only.
_FOR_HOOKS = ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
# GitPython's own setting, which is set here.
_OWN = "GIT_PYTHON_REFRESH"

protected: dict[str, str] = {}
for_remotes: dict[str, str] = {}
for_hooks: dict[str, str] = {}


def git_python() -> Any:
    """Import GitPython on first use (0.1 s), without its own check for git, which raises ImportError.

    Raises UsageError when git is missing or too old.
    """
    _take_variables_out_of_the_environment()
    os.environ[_OWN] = "quiet"
    program = shutil.which("git")
    if program is None:
        raise UsageError("git is not installed", "install it, for example with `apt install git`")
    import git

    _require_version(program)
    return git


def _take_variables_out_of_the_environment() -> None:
    """Remove variables such as GIT_DIR, which a hook sets and which would redirect every command.

    Only known variables are kept.
    """
    found = {
        name: os.environ.pop(name) for name in list(os.environ) if name.startswith("GIT_") and name != _OWN
    }
    if not found:
        return  # they were removed before
    for kept in (protected, for_remotes, for_hooks):
        kept.clear()
    for name, value in found.items():
        if _PROTECTED.match(name):
            protected[name] = for_remotes[name] = value
        elif _FOR_REMOTES.match(name):
            for_remotes[name] = value
        elif name in _FOR_HOOKS:
            for_hooks[name] = value


@cache
def _require_version(program: str) -> None:
    """Raise UsageError if git is too old; checked once."""
    import git

    version = tuple(git.Git().version_info)
    if version < MINIMUM_GIT:
        needed = ".".join(map(str, MINIMUM_GIT))
        raise UsageError(
            f"{program} is git {'.'.join(map(str, version))}, and {needed} or newer is needed",
            "install a newer git",
        )


def environment() -> dict[str, str]:
    """Return the variables for git, identical for every user."""
    return {
        # The configuration of the user and the system could rename refs, rewrite addresses or start programs.
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        # No transport at all, regardless of `protocol.<name>.allow`: a missing object of a partial clone is
        # fetched by the program that its remote's address can name (`ext::`).
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def environment_of_the_search() -> dict[str, str]:
    """Return the variables for the command that locates the repository.

    It honors the user's protected configuration.
    """
    return {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **protected}


def git_is_installed() -> bool:
    """True when git is on the PATH."""
    return shutil.which("git") is not None
