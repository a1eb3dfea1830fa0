"""Units as a service manager of systemd describes them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.programs import required_program
from tests.support.waiting import PATIENCE_S

USER_UNITS = Path("/usr/lib/systemd/user")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "s": " "}


def descriptions(unit: Path) -> dict[str, list[str]]:
    """The lines with which a user's service manager describes a unit and those that it wants, by their names.

    No process can start in this mode.
    """
    folder = unit.parent
    for pattern in ("*.target", "*.slice"):
        for file in USER_UNITS.glob(pattern):
            shutil.copy(file, folder)
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o777)
    runtime.chmod(0o777)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(runtime),
        "XDG_RUNTIME_DIR": str(runtime),
        "SYSTEMD_UNIT_PATH": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    # root has no service manager of a user.
    as_user = {"user": "nobody", "group": "nogroup", "extra_groups": ()} if os.getuid() == 0 else {}
    words = [required_program("systemd"), "--test", "--user", f"--unit={unit.name}"]
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **as_user
    )  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    blocks = re.split(r"^\t?-> Unit (.*):\n", done.stdout, flags=re.MULTILINE)
    return {
        name: f"\n{block}".split("\n\t\t") for name, block in zip(blocks[1::2], blocks[2::2], strict=True)
    }


def values(lines: list[str], key: str) -> list[str]:
    """The values of a property."""
    return [line[len(key) + 2 :] for line in lines if line.startswith(f"{key}: ")]


def command(lines: list[str]) -> list[str]:
    """The words of the command, before variables are expanded in them."""
    line = next(line for line in lines if line.lstrip().startswith("Command Line: "))
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|([^ ]+)', line.split(": ", 1)[1])
    return [plain or _unescaped(quoted) for quoted, plain in words]


def _unescaped(text: str) -> str:
    def replace(match: re.Match[bytes]) -> bytes:
        if match[1] is not None:
            return bytes([int(match[1], 16)])
        if match[2] is not None:
            return bytes([int(match[2], 8)])
        return ESCAPES.get(match[3].decode(), match[3].decode()).encode()

    return re.sub(rb"\\(?:x([0-9a-f]{2})|([0-7]{3})|(.))", replace, text.encode()).decode()
