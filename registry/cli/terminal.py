"""What the commands share: options, the terminal, and how problems and progress are shown there."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from registry.errors import Problem, UsageError
from registry.snapshot import Progress

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)


class Format(StrEnum):
    """For people, or for programs."""

    TEXT = "text"
    JSON = "json"


RegistryOption = Annotated[
    Path | None,
    typer.Option("--registry", "-C", help="The registry's folder. Left out: this one, or the nearest above with `definitions/`.", metavar="DIR"),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to say it.")]
SourceOption = Annotated[
    str,
    typer.Option("--source", help="`worktree`, or a commit, branch or tag; read from git's objects, nothing is checked out.", metavar="COMMIT"),
]


def find_root(given: Path | None) -> Path:
    """The registry's folder: the one given, else this one or the nearest above that holds `definitions/`."""
    if given is not None:
        if not given.is_dir():
            raise UsageError(f"{given} is not a folder", "name the folder that holds `definitions/`")
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "definitions").is_dir():
            # Relative where that is short, so that paths in messages can be clicked and typed.
            return Path(os.path.relpath(folder)) if folder != here else Path()
    return Path()


def show_problems(problems: Sequence[Problem], root: Path | None = None, *, to_stdout: bool = False) -> None:
    """Problems with their source lines, on stderr unless they are the answer."""
    from registry.reports.text import report

    console = out if to_stdout else err
    base = root or Path()

    @lru_cache(maxsize=64)
    def lines(path: str) -> list[str]:
        try:
            with (base / path).open("rb") as file:
                return file.read(1 << 20).decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
        except (OSError, ValueError):
            return []

    def line_of(path: str, number: int) -> str | None:
        found = lines(path)
        return found[number - 1] if 0 < number <= len(found) else None

    text = report(problems, line_of, color=console.is_terminal and not console.no_color)
    console.file.write(text.encode("utf-8", "replace").decode("utf-8"))
    console.file.flush()


def write_json(body: Any) -> None:
    """One JSON value on stdout, indented."""
    import json

    sys.stdout.write(json.dumps(body, ensure_ascii=True, indent=2) + "\n")


@contextmanager
def progress() -> Iterator[Progress]:
    """A line on the terminal that says what is being done; nothing where there is no terminal.

    Drawn without a thread of its own: writing the site forks, and a child must not inherit a lock held by a thread.
    """
    if not err.is_terminal:
        yield lambda _what: None
        return
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    with Bar(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=err, transient=True, auto_refresh=False) as bar:
        task = bar.add_task("starting")

        def tell(what: str) -> None:
            bar.update(task, description=what)
            bar.refresh()

        yield tell
