"""Renders `schema/<kind>.schema.json`: the complete schema of each kind, for editors and other tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from registry.model.addresses import schema_file
from registry.render.target import File, Target, rendered_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.snapshot import Snapshot


def render(snapshot: Snapshot, *, live: bool = False) -> Iterator[Target]:
    """Yield one target per kind. The JSON is indented for human readers."""
    for kind in snapshot.kinds:
        path = schema_file(kind.name)
        yield rendered_target(
            path, File(path, (json.dumps(kind.schema, indent=2, ensure_ascii=False) + "\n").encode())
        )


def target_at(snapshot: Snapshot, path: str) -> Target | None:
    """Return the target of the schema in a file, or None."""
    return next((one for one in render(snapshot) if path in one.prefixes), None)
