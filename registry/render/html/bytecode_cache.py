"""Compiled built-in templates, cached where Python caches the compiled modules of this program.

Compiling them takes a twentieth of a build after one edit. The bytecode is never in the registry's cache,
which holds data: write access to it must not allow code execution. Anyone with write access to the folder of
this module can change the module, too.
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

from registry.cache.cache_file import program_digest

if TYPE_CHECKING:
    from jinja2.bccache import Bucket


class CompiledTemplates(BytecodeCache):
    """Bytecode cache of the built-in templates.

    A template whose bytecode cannot be read or written is compiled each time.
    """

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Return the name of the template: a newer version replaces the older one."""
        return name.replace("/", "-").rpartition(".")[0]

    def get_source_checksum(self, source: str) -> str:
        """Return a checksum that depends on the source, the Jinja2 compiler and this program."""
        return hashlib.sha256(f"{source}\0{self._compiler}".encode()).hexdigest()

    @cached_property
    def _compiler(self) -> str:
        # Not Jinja2's version: reading the metadata of the package takes longer than compiling a template.
        status = Path(jinja2.compiler.__file__).stat()
        return f"{program_digest()} {status.st_size} {status.st_mtime_ns}"

    def load_bytecode(self, bucket: Bucket) -> None:
        """Load cached bytecode into the bucket, if there is any."""
        try:
            bucket.load_bytecode(io.BytesIO(_path(bucket.key).read_bytes()))
        except Exception:  # noqa: BLE001 - a damaged file of the cache can raise any error: compile again
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the bytecode, unless Python is configured not to write bytecode."""
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
