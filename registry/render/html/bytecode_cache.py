"""Our own templates compiled, kept where Python keeps our own code compiled: compiling them is a twentieth of a build after one edit.

Never in the registry's cache: what lies there is data, and who can write there must not get code to run. Whoever can write
beside our modules can change these, too.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import sys
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2.compiler
from jinja2 import BytecodeCache

from registry.cache.cache_file import program

if TYPE_CHECKING:
    from jinja2.bccache import Bucket


class CompiledTemplates(BytecodeCache):
    """For templates that came with the program; what cannot be read or written there is compiled each time."""

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Templates by name: a newer one takes the place of an older."""
        return name.replace("/", "-").rpartition(".")[0]

    def get_source_checksum(self, source: str) -> str:
        """The same only for the same source, compiled by the same Jinja2 for this program."""
        return hashlib.sha256(f"{source}\0{self._compiler}".encode()).hexdigest()

    @cached_property
    def _compiler(self) -> str:
        # Not its version: that would be looked up in the metadata of the package, which costs more than a template.
        status = Path(jinja2.compiler.__file__).stat()
        return f"{program()} {status.st_size} {status.st_mtime_ns}"

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, if there is something for it."""
        try:
            bucket.load_bytecode(io.BytesIO(_path(bucket.key).read_bytes()))
        except Exception:  # noqa: BLE001 - a file of ours that was cut off, or is of another form: whatever it raises, compile anew
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it, where Python would keep it."""
        if sys.dont_write_bytecode:
            return
        path = _path(bucket.key)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(bucket.bytecode_to_string())
            partial.replace(path)


def _path(key: str) -> Path:
    return Path(importlib.util.cache_from_source(str(Path(__file__).with_name(f"{key}.py")))).with_suffix(
        ".template"
    )
