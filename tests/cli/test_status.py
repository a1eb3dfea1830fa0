"""What a command that goes on says: on a terminal one view that is written anew, elsewhere a line when something is different."""

import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

from tests.support.repo import RepoBuilder
from tests.support.served import eventually, get, served

BAD = "title: T\nowners: [t]\ndefinition: {exec: /bin/a, tiemout: 5}\n"
GOOD = "title: T\nowners: [t]\ndefinition: {exec: /bin/a, timeout: 5}\n"


def screen(text: str) -> str:
    """What a terminal shows after this text: lines, and the few movements that come here."""
    lines = [""]
    for part in re.split(r"(\x1b\[\d*[AFKJ]|\r?\n|\r)", text):
        if found := re.fullmatch(r"\x1b\[(\d*)[AF]", part):
            up = int(found[1] or 1)
            if part.endswith("F"):
                del lines[len(lines) - 1 - up :]
                lines.append("")
            else:
                del lines[len(lines) - up :]
        elif part in ("\n", "\r\n"):
            lines.append("")
        elif part.endswith(("\r", "K")):
            lines[-1] = ""
        elif not part.endswith("\x1b[J"):
            lines[-1] += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\]8;.*?\x1b\\\\", "", part)
    return "\n".join(lines)


def test_on_a_terminal_there_is_one_view(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit("start")
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "registry",
        "watch",
        "-C",
        str(repo.root),
        "--out",
        str(tmp_path / "site"),
    ]
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    said = bytearray()

    def listen() -> None:
        try:
            while data := os.read(ours, 65536):
                said.extend(data)
        except OSError:
            pass  # the end of a terminal

    listener = threading.Thread(target=listen)
    listener.start()

    def shown() -> str:
        return screen(said.decode("utf-8", "replace"))

    try:
        eventually(lambda: "Watching" in shown())
        for _ in range(2):
            repo.define("a", BAD)
            eventually(lambda: "tiemout" in shown() and "previous site is kept" in shown())
            repo.define("a", GOOD)
            eventually(lambda: "tiemout" not in shown() and "previous site is kept" not in shown(), shown())
        assert shown().count("definition") <= 3, shown()
    finally:
        process.terminate()
        process.wait(20)
        listener.join(10)
        os.close(ours)


def test_in_a_log_only_what_is_different_is_said(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.commit("start")
    with served(repo.root) as (address, _):
        for number in range(5):
            # At once: an empty file would be a mistake, which is said.
            new = tmp_path / "new.yaml"
            new.write_text(GOOD.replace("title: T", f"title: T{number}"))
            new.replace(repo.root / "definitions/process_definition/a.yaml")
            eventually(lambda number=number: f"T{number}".encode() in get(f"{address}/process_definition/a/"))  # type: ignore[misc]
    lines = (repo.root.parent / "serve.log").read_text().splitlines()
    assert [line for line in lines if line.startswith("Showing")] == lines[1:2]


def test_a_log_of_watch_has_a_line_for_each_build_that_made_something(
    repo: RepoBuilder, tmp_path: Path
) -> None:
    repo.define("a")
    repo.commit("start")
    log = tmp_path / "watch.log"
    command = [
        sys.executable,
        "-m",
        "registry",
        "watch",
        "-C",
        str(repo.root),
        "--out",
        str(tmp_path / "site"),
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={"PATH": os.environ["PATH"]})
    try:
        for number in range(1, 4):
            eventually(lambda number=number: log.read_text().count("Rebuilt") == number)  # type: ignore[misc]
            repo.define("a", GOOD.replace("title: T", f"title: T{number}"))
        eventually(lambda: log.read_text().count("Rebuilt") == 4)
    finally:
        process.terminate()
        process.wait(20)


def test_only_new_warnings_are_repeated(repo: RepoBuilder) -> None:
    """Saving a file is no reason to show all warnings again; one that moved to another line is not new."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    plain = "title: T\ndefinition: {exec: /bin/%s}\n"  # W202: no owners
    for number in range(3):
        repo.define(f"p{number}", plain % number)
    repo.commit("start")
    log = repo.root.parent / "serve.log"

    def said() -> str:
        return log.read_text()

    with served(repo.root) as (address, _):
        eventually(lambda: "Showing 3 definitions." in said(), "the first state", 60)
        assert said().count("warning W202") == 3
        repo.define("p0", "# more\n\n" + plain % "edited")
        eventually(lambda: b"/bin/edited" in get(f"{address}/process_definition/p0/"), "the edit", 60)
        repo.define("p3", plain % 3)
        eventually(lambda: "Showing 4 definitions." in said(), "the new file", 60)
        assert said().count("warning W202") == 4
        assert said().count("p3.yaml") == 1
        repo.define("p1", "title: [\n")
        eventually(lambda: "p1.yaml:2:1: error" in said(), "the error", 60)
        repo.define("p1", plain % 1)
        eventually(lambda: said().count("Showing 4 definitions.") == 2, "the end of the error", 60)
        assert said().count("warning W202") == 4
