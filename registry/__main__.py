"""`registry`, and `python -m registry`."""

# Before anything else is imported, which takes most of the start: Ctrl-C ends the process, without a traceback. `signal` itself
# imports others; `_signal` is part of the interpreter.
import _signal  # type: ignore[import-not-found]

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn


def run() -> NoReturn:
    """Run one command and end the process with its exit code."""
    from registry.cli.streams import prepare_streams

    prepare_streams()
    from registry.cli import main

    code = main()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(
            signal.SIGINT, signal.SIG_IGN
        )  # what remains takes a moment, and is not worth another exit code
    import atexit

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # reported, where somebody can be told
            stream.flush()
    # What is in memory goes with the process: Python would take it apart piece by piece, 0.2 s for a large registry.
    os._exit(code)


if __name__ == "__main__":
    run()
