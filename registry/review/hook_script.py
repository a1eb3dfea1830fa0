"""Install the hook in a bare repository.

The hook is a shell script that calls `registry hook` and refuses the push if the call fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import TYPE_CHECKING

from registry.errors import RefusedError, UsageError
from registry.files.atomic_write import replace_file
from registry.git import HEADS, Repository, open_repository
from registry.model.definition import DEFINITIONS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKER = "# Refuses a push that would break the registry."
# The command explains its exit codes up to 3 itself. Others mean that it was killed, or has a bug.
# `-I`: no file of the repository or of the current folder can replace a module of this program.
_SCRIPT = f"""#!/bin/sh
{_MARKER} Written by `registry hook install`.
python=PYTHON
"$python" -I -m registry hook pre-receive OPTIONS && exit 0
status=$?
if ! "$python" -I -c 'import registry.cli' 2>/dev/null; then
  echo "registry: the push is refused: it cannot be checked, because $python does not run process-registry."
  echo "registry: Repair it on the server: install this program again, and call its \
\\`registry hook install\\`."
elif [ "$status" -gt 3 ]; then
  echo "registry: the push is refused: it cannot be checked, because the check ended with status $status."
  echo "registry: Repair it on the server: free memory or disk space if these are short; \
else report this as a bug."
fi >&2
exit 1
"""
# Scripts that earlier versions wrote.
_EARLIER = re.compile(
    rf"#!/bin/sh\n{re.escape(_MARKER)}\nexec \S+ -m registry hook (?:pre-receive|update) (?:\"\$@\")?\n"
)


@dataclass(frozen=True, slots=True)
class Installed:
    """The path of the hook, the refs that it guards, and notes for the operator."""

    path: Path
    refs: tuple[str, ...]
    folder: str
    notes: tuple[str, ...]


def folder_within(text: str) -> str:
    """Return the registry's folder in a repository as a prefix: "" or "some/folder/".

    Raises UsageError for an invalid folder.
    """
    parts = PurePosixPath(text).parts
    if text.startswith("/") or ".." in parts or any(not part.isprintable() for part in parts):
        raise UsageError(
            f"{text!r} is not a folder within a repository",
            "give a path relative to the top of the repository, as in `--folder registry`",
        )
    return "".join(f"{part}/" for part in parts)


def install(path: Path, refs: Sequence[str], folder: str, options: Sequence[str] = ()) -> Installed:
    """Write the pre-receive hook into the bare repository at `path`.

    `refs` are the full names of the branches to guard; if empty, the branch of HEAD is guarded. `options` are
    passed unchanged to `registry hook pre-receive`. Raises UsageError if the hook could not check there, and
    RefusedError if another hook exists.
    """
    repository = open_repository(path)
    if repository is None or not repository.is_bare:
        raise UsageError(
            f"{path} is not a bare repository",
            "name the repository that people push to: `registry hook install REPOSITORY.git`",
        )
    guarded, notes = _refs_to_guard(repository, refs)
    _is_found(repository, guarded, folder)
    other = repository.hooks_path()
    if other is not None:
        raise UsageError(
            f"core.hooksPath is {other}, so git would not run a hook in {path}",
            "git config --unset core.hooksPath, in the configuration file that sets it",
        )
    _runs_isolated()
    words = (
        [word for ref in guarded for word in ("--branch", ref)]
        + (["--folder", folder.rstrip("/")] if folder else [])
        + list(options)
    )
    text = _SCRIPT.replace("PYTHON", quote(sys.executable), 1).replace(
        "OPTIONS", " ".join(map(quote, words)), 1
    )
    hook = path / "hooks" / "pre-receive"
    if os.path.lexists(hook) and not _is_ours(hook):
        raise RefusedError(f"{hook} already exists", "call `registry hook pre-receive` from it, or remove it")
    hook.parent.mkdir(exist_ok=True)
    replace_file(hook, text.encode())
    hook.chmod(0o755)
    return Installed(hook, guarded, folder, notes)


def _refs_to_guard(repository: Repository, refs: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the full names of the branches to guard, and notes."""
    head = repository.head_ref()
    branches = repository.branches()
    guarded = tuple(refs) or ((head,) if head else ())
    if not guarded:
        raise UsageError(
            "HEAD of the repository is not on a branch", "name the branch to guard: --branch main"
        )
    missing = [ref for ref in guarded if ref not in branches]
    if missing and branches and not refs:
        known = ", ".join(ref.removeprefix(HEADS) for ref in branches[:5])
        raise UsageError(
            f"HEAD refers to {missing[0]}, which does not exist",
            f"name the branch to guard with --branch; existing branches: {known}",
        )
    return guarded, tuple(f"{ref} does not exist yet: the push that creates it is checked" for ref in missing)


def _is_found(repository: Repository, guarded: Sequence[str], folder: str) -> None:
    """Raise UsageError if a guarded branch has no registry in `folder`."""
    for ref in guarded:
        commit = repository.commit_of(ref)
        if commit is None:
            continue
        paths = [row.path for row in repository.list_tree(commit)]
        if any(path.startswith(f"{folder}{DEFINITIONS_FOLDER}/") for path in paths):
            continue
        parts = [f"/{path}".rpartition(f"/{DEFINITIONS_FOLDER}/") for path in paths if path.endswith(".yaml")]
        places = sorted({above[1:] for above, found, _ in parts if found})
        hint = "; or ".join(f"--folder {quote(place)}" if place else "omit --folder" for place in places[:3])
        raise UsageError(
            f"{ref} has no {folder}{DEFINITIONS_FOLDER}/, so there is nothing to check",
            hint or "push a registry first, or name its folder with --folder",
        )


def _runs_isolated() -> None:
    """Raise UsageError if this program cannot be started the way the hook starts it."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", "import registry.cli"], capture_output=True, check=False
    )
    if done.returncode:
        raise UsageError(
            f"{sys.executable} -I cannot import process-registry, which the hook requires",
            "install it into a virtual environment (python -m venv), not with --user or through PYTHONPATH",
        )


def _is_ours(hook: Path) -> bool:
    """Return True if this or an earlier version wrote the script and it is unedited since."""
    if hook.is_symlink() or not hook.is_file():
        return False
    text = hook.read_text(encoding="utf-8", errors="replace")
    pattern = re.escape(_SCRIPT).replace("PYTHON", r"[^\n]+", 1).replace("OPTIONS", r"[^\n]*", 1)
    return bool(re.fullmatch(pattern, text) or _EARLIER.fullmatch(text))
