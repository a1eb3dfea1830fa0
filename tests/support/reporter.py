"""A definition whose program prints what it got, and arguments and variables that a careless format changes."""

import json
import sys
from typing import Any

from tests.support.hostile_text import HOSTILE

_LINES = ("\r", "a\r\nb", "\n#SBATCH --job-name=evil\n", "; exit 1", "\\$(id)", "\\\\${id}", "%a", "a=b")
HOSTILE_ARGUMENTS = (*HOSTILE, *_LINES)
HOSTILE_ENVIRONMENT = {
    f"V{place}": text for place, text in enumerate(HOSTILE_ARGUMENTS) if text != "${HOME}"  # a reference
}  # fmt: skip
_REPORT = (
    "import json, os, sys; "
    "json.dump({'arguments': sys.argv[1:], 'environment': dict(os.environ), 'folder': os.getcwd(),"
    " 'message': sys.stdin.read()}, sys.stdout)"
)


def reporter(*arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """The inside of a definition that prints its arguments, variables, folder and message as JSON."""
    inside: dict[str, Any] = {"exec": sys.executable, "argv": ["-c", _REPORT, *arguments], "timeout": 100}
    return inside | ({"environment": environment} if environment else {})


def reported(output: bytes | str) -> Any:
    """What the program printed."""
    return json.loads(output)
