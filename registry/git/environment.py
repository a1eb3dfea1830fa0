"""The environment and the options of every git process: a repository's configuration and attributes start no program."""

import os
import re
import shutil
from functools import cache
from typing import Any

from registry.errors import UsageError

MINIMUM_GIT = (2, 38)
"""The first version with `merge-tree --write-tree` and `safe.bareRepository`."""
TIMEOUT_S = 60
"""Git is ended when one command that reads takes longer."""

# The user's settings do not change what is read. `core.quotePath` and friends do not matter: every listing uses -z.
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
    # Larger files are hashed and packed piece by piece, not whole in memory.
    "-c",
    "core.bigFileThreshold=4m",
    # A whole pack of hundreds of megabytes is not mapped at once.
    "-c",
    "core.packedGitWindowSize=8m",
    "-c",
    "core.packedGitLimit=64m",
)

# Protected configuration and the limits of the search: honored when git locates the repository, and for remotes.
_PROTECTED = re.compile(
    r"GIT_(?:CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|PARAMETERS|KEY_\d+|VALUE_\d+)"
    r"|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM)\Z"
)
# How to reach a remote is the user's choice. These stay in force for fetching and pushing, and only there.
_FOR_REMOTES = re.compile(r"GIT_(?:SSH|SSL|HTTP|ASKPASS|PROXY|TRACE_CURL)")
# Where git keeps the objects of a push that is not accepted yet, and the repository that it pushes to: for hooks only.
_FOR_HOOKS = ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
# GitPython's own switch, which is set here.
_OWN = "GIT_PYTHON_REFRESH"

protected: dict[str, str] = {}
for_remotes: dict[str, str] = {}
for_hooks: dict[str, str] = {}


def git_python() -> Any:
    """GitPython, imported when first needed (0.1 s), and never through its own check for git, which raises ImportError.

    Raises UsageError when there is no git, or one that is too old.
    """
    _take_variables_out_of_the_environment()
    os.environ[_OWN] = "quiet"
    program = shutil.which("git")
    if program is None:
        raise UsageError("git is not on this machine", "install it, for example with `apt install git`")
    import git

    _require_version(program)
    return git


def _take_variables_out_of_the_environment() -> None:
    """GIT_DIR and its like, set while a hook runs, would point every command elsewhere: only known variables are kept."""
    found = {
        name: os.environ.pop(name) for name in list(os.environ) if name.startswith("GIT_") and name != _OWN
    }
    if not found:
        return  # they were taken before
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
    """Raise UsageError for a git that is too old; asked once."""
    import git

    version = tuple(git.Git().version_info)
    if version < MINIMUM_GIT:
        needed = ".".join(map(str, MINIMUM_GIT))
        raise UsageError(
            f"{program} is git {'.'.join(map(str, version))}, and {needed} or newer is needed",
            "install a newer git",
        )


def environment() -> dict[str, str]:
    """Variables for git, the same for every user."""
    return {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        # No transport at all, whatever `protocol.<name>.allow` says: a missing object of a partial clone is fetched
        # by the program that its remote's address can name (`ext::`).
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def environment_of_the_search() -> dict[str, str]:
    """Variables for the one command that locates the repository: the user's protected configuration is honored."""
    return {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **protected}


def git_is_installed() -> bool:
    """True when there is a git on the PATH."""
    return shutil.which("git") is not None
