"""Random bodies of requests, and random edits by hand, for sequences of writes."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.writing import commit_files

_FOLDER = "definitions/process_definition/pushed"


def any_body(chance: random.Random) -> dict[str, Any]:
    """The body of a request; its name and its reference can be taken, missing or free."""
    body: dict[str, Any] = {
        "definition": {"exec": f"/bin/{chance.choice('abc')}", "timeout": chance.randint(1, 9)}
    }
    if chance.random() < 0.4:
        body["name"] = f"{chance.choice('ab')}/{chance.choice('abcdef')}"
    if chance.random() < 0.4:
        body["title"] = chance.choice(["One", "Two", "é́", "a: b # c"])
    if chance.random() < 0.3:
        body |= {"lifecycle": "deprecated", "deprecation": {"replaced_by": f"a/{chance.choice('abcdef')}"}}
    return body


def push_any_edit(chance: random.Random, bare: Path, paths: Sequence[str]) -> None:
    """Push a new file without an id, or another line of one of the files, which can be an error."""
    if not paths or chance.random() < 0.25:
        text = f"title: Pushed\ndefinition: {{exec: /bin/{chance.randint(1, 99)}}}\n".encode()
        commit_files(bare, {f"{_FOLDER}/p{chance.randint(1, 9)}.yaml": lambda _: text})
        return
    line = chance.choice([b"tags: [pushed]\n", b"tags: [other]\n", b"unknown: 1\n"])
    commit_files(bare, {chance.choice(paths): lambda text: _with_line(text, line)})


def _with_line(text: bytes, line: bytes) -> bytes:
    key = line.partition(b":")[0] + b":"
    return b"".join([*(one for one in text.splitlines(keepends=True) if not one.startswith(key)), line])
