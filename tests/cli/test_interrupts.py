"""Ctrl-C at a moment when Python ignores exceptions."""

import subprocess
import sys

from tests.support.waiting import PATIENCE_S

# The callback of a weak reference, as in the import system.
PROGRAM = """
import os, signal, weakref
signal.signal(signal.SIGINT, signal.SIG_DFL)
from registry.cli.interrupts import allow_interrupts, raise_if_interrupted

class Module: pass

allow_interrupts()
raise_if_interrupted()
module = Module()
reference = weakref.ref(module, lambda _: os.kill(os.getpid(), signal.SIGINT))
del module
print("it was ignored", flush=True)
try:
    raise_if_interrupted()
except KeyboardInterrupt:
    print("and is raised before a command waits", flush=True)
"""


def test_an_ignored_interrupt_is_raised_before_a_command_waits() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.stdout.splitlines() == ["it was ignored", "and is raised before a command waits"], done.stderr
    assert "Exception ignored" in done.stderr
