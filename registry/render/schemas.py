"""`schema/<kind>.schema.json`: each kind's whole schema, for editors and other people's checks."""

import json
from collections.abc import Iterator

from registry.render.file import File
from registry.snapshot import Snapshot


def render(snapshot: Snapshot) -> Iterator[Iterator[File]]:
    """One group: a file a kind, indented, because people open these."""
    yield (
        File(f"schema/{kind.name}.schema.json", (json.dumps(kind.schema, indent=2, ensure_ascii=False) + "\n").encode()) for kind in snapshot.kinds
    )
