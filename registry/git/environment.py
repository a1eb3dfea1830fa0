"""How git is run: GitPython found, and nothing of the user's settings or of the repository's own programs heeded."""

import os
import re
import shutil
from typing import Any

from registry.errors import UsageError

# A repository may be hostile: nothing that its configuration names is run, and no user's settings change what we
# read. `core.quotePath` and friends do not matter: every listing is asked for with -z.
OPTIONS = (
    "--no-pager", "--literal-pathspecs", "--no-optional-locks", "--no-replace-objects",
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false",
    "-c", "diff.external=", "-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8",
    "-c", "commit.gpgSign=false", "-c", "core.commitGraph=true",
    # Larger files are hashed and packed piece by piece, not whole in memory.
    "-c", "core.bigFileThreshold=4m",
    "-c", "gc.auto=0", "-c", "maintenance.auto=false",
    # Not a whole pack of hundreds of megabytes at once in memory.
    "-c", "core.packedGitWindowSize=8m", "-c", "core.packedGitLimit=64m",
)  # fmt: skip
# Added for everything but fetching and pushing: nothing else may reach out.
TIMEOUT_S = 60
"""Git is ended when one command that reads takes longer."""
NO_NETWORK = ("-c", "protocol.allow=never")

# How to reach a remote is for whoever runs us to say: these stay in force for fetching and pushing, and there only.
_FOR_REMOTES = re.compile(r"GIT_(?:SSH|SSL|HTTP|ASKPASS|PROXY|TRACE_CURL|CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_|VALUE_))")
for_remotes: dict[str, str] = {}
# Where git puts the objects of a push that is not taken yet: told to a hook, and there only heeded.
_FOR_HOOKS = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")
for_hooks: dict[str, str] = {}


def git_python() -> Any:
    """GitPython, imported when first needed (0.1 s), and never by its own check for git (which raises ImportError)."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        # GIT_DIR and its like, set while a hook runs, would point every command elsewhere.
        value = os.environ.pop(name)
        if _FOR_REMOTES.match(name):
            for_remotes[name] = value
        elif name in _FOR_HOOKS:
            for_hooks[name] = value
    os.environ["GIT_PYTHON_REFRESH"] = "quiet"
    if shutil.which("git") is None:
        raise UsageError("git is not on this machine", "install it, for example with `apt install git`")
    import git

    return git


def environment() -> dict[str, str]:
    """Variables for git, whatever those of the user are."""
    return {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def git_is_installed() -> bool:
    """True when there is a git on the PATH."""
    return shutil.which("git") is not None
