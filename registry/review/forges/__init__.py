"""Post a review as one comment on a pull or merge request.

To add a forge, write its module here and add its name below. The report may come from an untrusted pull
request. The number of the request is therefore never taken from the report, but from the variables that the
forge sets for the job.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from registry.review.forges.forge import Forge

# In the order of the help.
FORGES = ("github", "gitlab", "forgejo")


def forge_from(name: str, environment: Mapping[str, str]) -> Forge:
    """Return the forge that a CI job runs on, from the variables of the job.

    Raises UsageError if a variable is missing.
    """
    found: Callable[[Mapping[str, str]], Forge] = importlib.import_module(
        f"registry.review.forges.{name}"
    ).forge_from
    return found(environment)


def post(forge: Forge, marker: str, body: str) -> str:
    """Post `body`, which contains `marker`, or update our comment that contains the marker.

    Returns the address of the comment. Only a comment that this token wrote is changed, because any user can
    write a marker.
    """
    mine = next((one for one in forge.comments() if one.is_ours and marker in one.body), None)
    if mine is None:
        return forge.create(body)
    return mine.address if mine.body == body else forge.update(mine.id, body)
