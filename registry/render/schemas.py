"""`schema/<kind>.schema.json`: each kind's whole schema, for editors and other people's checks."""

import json
from collections.abc import Iterator

from registry.render.file import File
from registry.snapshot import Snapshot


def render(snapshot: Snapshot) -> Iterator[File]:
    """One file a kind, indented: people open these."""
    for kind in snapshot.kinds:
        yield File(f"schema/{kind.name}.schema.json", (json.dumps(kind.schema, indent=2, ensure_ascii=False) + "\n").encode())
