"""Rules for the location of a site.

A site is never written among the files that it is made from, or through a link inside a registry.
"""

import os
from pathlib import Path

from registry.errors import RefusedError, UsageError
from registry.files.safe_paths import link_on_the_way
from registry.load.file_stats import WATCHED

# Folders below a registry's root that the registry reads or that belong to other programs.
_TAKEN = frozenset(
    {*WATCHED, ".registry", ".git", ".github", ".gitlab", ".forgejo", ".gitea", ".vscode", ".idea"}
)
_HINT = "choose another folder with --out, as in --out site"


def refuse_place(root: Path, out: Path) -> None:
    """Check that a site may be written to `out`.

    Raises UsageError when it is in a folder with another purpose, RefusedError when it is behind a link.
    """
    top = root.resolve()
    # The last step is the link of the site itself.
    place = out.parent.resolve() / out.name if out.name not in ("", "..") else out.resolve()
    if top.is_relative_to(place):
        raise UsageError(f"{out} contains the registry itself", _HINT)
    written = _lexically_inside(root, out)
    link = link_on_the_way(root, str(written.parent)) if written is not None else None
    if link is not None:
        raise RefusedError(f"{root / link} is a link, so the site would be written to its target", _HINT)
    if place.is_relative_to(top):
        first = place.relative_to(top).parts[0]
        if first.casefold() in _TAKEN:
            raise UsageError(f"{out} is in {first}/, which has another purpose", _HINT)
    own = place.parts[len(Path(os.path.commonpath((place, top))).parts) :]
    if any(
        step.casefold() == ".git" or (step.startswith(".") and step.endswith(".generations")) for step in own
    ):
        raise UsageError(f"{out} is in a folder that git or another site uses", _HINT)


def _lexically_inside(root: Path, out: Path) -> Path | None:
    """Return `out` relative to `root` as both are written, or None if it is not below `root`."""
    path, top = (Path(os.path.abspath(one)) for one in (out, root))  # noqa: PTH100 - must not follow links
    return path.relative_to(top) if path.is_relative_to(top) else None
