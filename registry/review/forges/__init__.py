"""Posts the one comment of a review on a pull or merge request. Add a forge: write its file here, and its name below.

The report may come from a stranger's pull request. Which request it is about is never taken from it, but from what the
forge itself tells the job.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from registry.review.forges.forge import Forge

# In the order that help shows them.
FORGES = ("github", "gitlab", "forgejo")


def forge_from(name: str, environment: Mapping[str, str]) -> Forge:
    """The forge that a CI job runs for, from the variables that it sets. Raises UsageError where one is missing."""
    found: Callable[[Mapping[str, str]], Forge] = importlib.import_module(
        f"registry.review.forges.{name}"
    ).forge_from
    return found(environment)


def post(forge: Forge, marker: str, body: str) -> str:
    """Post `body`, which holds `marker`, or put it in the place of our comment that does; gives the address of what was written.

    Only a comment that we wrote ourselves is changed: anybody can write a marker.
    """
    mine = next((one for one in forge.comments() if one.is_ours and marker in one.body), None)
    if mine is None:
        return forge.create(body)
    return mine.address if mine.body == body else forge.update(mine.id, body)
