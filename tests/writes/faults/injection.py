"""Errors of the disk and jumps of the clock, in a server and its git processes (`failing.c`)."""

import mmap
import shutil
import struct
import subprocess
import sys
from enum import IntEnum
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE_S

_SOURCE = Path(__file__).with_name("failing.c")
_CONTROL = struct.Struct("iiiiq")


class Call(IntEnum):
    """The calls of the system that can fail."""

    FSYNC = 1
    WRITE = 2
    RENAME = 3
    """Also making a second name (`link`)."""


class Injection:
    """Control over the calls of the processes that have `environment`, from now on."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        """Calls fail for files below `folder`. Skips the test where there is no C compiler."""
        compiler = shutil.which("cc")
        if compiler is None or sys.platform != "linux":
            pytest.skip("needs Linux and a C compiler")
        library, control = scratch / "failing.so", scratch / "control"
        words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE_S)
        control.write_bytes(bytes(_CONTROL.size))
        with control.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _CONTROL.size)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAILING_CONTROL": str(control),
            "FAILING_FOLDER": f"{folder.resolve()}/",
        }
        self._clock_s = 0

    def arm(self, call: Call, number: int) -> None:
        """Let the `number`th of these calls fail, of all processes together; no other."""
        _CONTROL.pack_into(self._memory, 0, call, number, 0, 0, self._clock_s)

    def disarm(self) -> bool:
        """Let no call fail any more; returns whether one has failed."""
        struck = _CONTROL.unpack_from(self._memory, 0)[2]
        _CONTROL.pack_into(self._memory, 0, 0, 0, 0, 0, self._clock_s)
        return bool(struck)

    def move_clock(self, seconds: int) -> None:
        """Let the clock differ from that of the machine by some seconds."""
        self._clock_s = seconds
        self.disarm()
