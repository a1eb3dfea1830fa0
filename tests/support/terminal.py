"""A command on a pseudo-terminal: what it shows, and the answers it gets."""

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.waiting import PATIENCE_S


def converse(words: Sequence[str], answers: Sequence[tuple[str, str]], folder: Path) -> tuple[int, str]:
    """Run `registry WORDS` on a terminal and type each answer after its prompt appeared.

    Returns the exit code and everything that was shown. Fails if a prompt does not appear or the command does
    not end within the limit; the command is killed then.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "registry", *words])
    shown = bytearray()
    ended = False

    def read_more(awaited: str, deadline: float) -> bool:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"{awaited} never came: {shown.decode(errors='replace')}"
        try:
            chunk = os.read(terminal, 1024)
        except OSError:  # Linux reports the end of the child's side so
            chunk = b""
        shown.extend(chunk)
        return bool(chunk)

    try:
        position = 0
        for prompt, answer in answers:
            deadline = time.monotonic() + PATIENCE_S
            while (found := shown.find(prompt.encode(), position)) < 0:
                assert read_more(prompt, deadline), (
                    f"ended before {prompt!r}: {shown.decode(errors='replace')}"
                )
            position = found + len(prompt.encode())
            os.write(terminal, answer.encode())
        deadline = time.monotonic() + PATIENCE_S
        while read_more("the end", deadline):
            pass
        status = os.waitpid(child, 0)[1]
        ended = True
    finally:
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")
