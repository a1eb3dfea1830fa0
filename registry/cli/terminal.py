"""What the commands share: options, the terminal, and how problems and progress are shown there."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from registry import __version__
from registry.cli.streams import OutputError
from registry.errors import Read, RegistryError, UsageError
from registry.git import looks_like_git_dir, refuse_embedded
from registry.load.defaults import defaults_folder
from registry.load.settings import colors_are_forced
from registry.model.characters import dump_json, visible
from registry.model.problem import Problem
from registry.progress import Progress, silent
from registry.reports.line import LineOf

if TYPE_CHECKING:
    from rich.console import Console

    from registry.cache.cache_file import CacheFile
    from registry.load.source import Source


class Terminal:
    """Standard output, or standard error, with colours where they can be seen.

    Rich costs a tenth of a short command's time: it is read only where there is a terminal, or marked text to take apart.
    """

    def __init__(self, *, is_error: bool = False) -> None:
        """`is_error`: standard error."""
        self._is_error = is_error

    @property
    def file(self) -> TextIO:
        """Where it goes."""
        return sys.stderr if self._is_error else sys.stdout

    @cached_property
    def console(self) -> "Console":
        """The same, as Rich has it."""
        from rich.console import Console

        return Console(stderr=self._is_error, highlight=False, emoji=False, soft_wrap=True)

    @property
    def is_terminal(self) -> bool:
        """True where somebody looks at it, or colours are forced."""
        return (self.file.isatty() or colors_are_forced()) and self.console.is_terminal

    @property
    def has_color(self) -> bool:
        """True where colours can be seen and are wanted."""
        return self.is_terminal and not self.console.no_color

    @property
    def width(self) -> int:
        """Columns."""
        return self.console.width

    def print(
        self, text: str = "", *, markup: bool = True, style: str | None = None, end: str = "\n"
    ) -> None:
        """One line of text in a style; with `markup`, `[bold]…[/]` in it is bold.

        Every character that a terminal would act upon is shown as an escape, a newline too: wherever the text comes from,
        it stays one line. `print_lines` is for text that has several.
        """
        text = visible(text)
        if (markup and "[" in text) or self.is_terminal:
            self.console.print(text, markup=markup, style=style, end=end)
        else:
            self.file.write(text + end)
            self.file.flush()

    def print_lines(self, text: str, *, style: str | None = None) -> None:
        """Text of several lines, each made safe for itself."""
        for line in text.split("\n"):
            self.print(line, style=style, markup=False)


out = Terminal()
err = Terminal(is_error=True)


class Format(StrEnum):
    """For people, or for programs."""

    TEXT = "text"
    JSON = "json"


RegistryOption = Annotated[
    Path | None,
    typer.Option(
        "--registry",
        "-C",
        help="The registry's folder. Left out: this one, or the nearest above with `definitions/`.",
        metavar="DIR",
    ),
]
PollOption = Annotated[
    bool,
    typer.Option(
        "--poll", help="Look at the files from time to time: for network mounts, which tell of no changes."
    ),
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        help="Address or path that the site is served at: `base_url` of registry.yaml, else /.",
        metavar="URL",
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to say it.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show errors only: no warnings, and nothing when all is well.")
]
AllOption = Annotated[
    bool,
    typer.Option(
        "--all", help="Show every warning. Without it, the first three of each rule and their count."
    ),
]
SourceOption = Annotated[
    str,
    typer.Option(
        "--source",
        help="`worktree`, or a commit, branch or tag; read from git's objects, nothing is checked out.",
        metavar="COMMIT",
    ),
]


def find_root(given: Path | None) -> Path:
    """The registry's folder: the one given, else this one or the nearest above that holds `definitions/`."""
    if given is not None:
        if not given.is_dir():
            raise UsageError(f"{given} is not a folder", "name the folder that holds `definitions/`")
        refuse_embedded(given)
        return given
    here = Path.cwd()
    refuse_embedded(here)
    for folder in (here, *here.parents):
        if (folder / "definitions").is_dir():
            # Relative where that is short, so that paths in messages can be clicked and typed.
            return Path(os.path.relpath(folder)) if folder != here else Path()
    if looks_like_git_dir(here):
        raise UsageError("this folder is a bare repository, and is used only when it is named", "-C .")
    return Path()


def open_cache(source: "Source") -> "CacheFile":
    """The registry's cache; a note on stderr where it is not used because of what a repository put in its place."""
    from registry.cache.cache_file import FOLDER, CacheFile

    top = FOLDER.partition("/")[0]
    repository = source.repository if os.path.lexists(source.root / top) else None
    is_tracked = (
        repository is not None
        and repository.top is not None
        and repository.tracks(f"{repository.prefix_of(source.root)}{top}")
    )
    cache = CacheFile(source.root, is_tracked=is_tracked)
    if cache.unused_because:
        err.print(f"note: the cache is not used, so this takes longer: {cache.unused_because}", markup=False)
    return cache


def lines_from(read: Read) -> LineOf:
    """A line of a file as `read` gives it; None for what cannot be read: the problem itself is said all the same."""

    @lru_cache(maxsize=64)
    def lines(path: str) -> list[str]:
        try:
            return (read(path) or b"").decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
        except (RegistryError, ValueError):
            return []

    def line_of(path: str, number: int) -> str | None:
        found = lines(path)
        return found[number - 1] if 0 < number <= len(found) else None

    return line_of


def show_problems(
    problems: Sequence[Problem], read: Read, *, to_stdout: bool = False, is_complete: bool = False
) -> None:
    """Problems with their lines as `read` gives them, on stderr unless they are the answer; `is_complete`: every warning."""
    terminal = out if to_stdout else err
    terminal.file.write(problems_text(problems, read, terminal, is_complete=is_complete))
    terminal.file.flush()


def problems_text(
    problems: Sequence[Problem], read: Read, terminal: Terminal, *, is_complete: bool = False
) -> str:
    """Problems with their lines, as they are to be shown on a terminal."""
    from registry.reports.text import SHOWN_ALIKE, report

    at_most = None if is_complete else SHOWN_ALIKE
    return report(
        problems, lines_from(read), color=terminal.has_color, link_of=_explanation, at_most_alike=at_most
    )


def _explanation(rule: str) -> str | None:
    """The page of rules that came with the program, at this rule."""
    page = defaults_folder("docs") / "rules.md"
    return f"{page.as_uri()}#{rule.lower()}" if page.exists() else None


def show_error(error: RegistryError) -> None:
    """One line on stderr, and a hint."""
    _print_labeled("error", "bold red", error.message)
    if error.hint:
        _print_labeled("hint", "cyan", error.hint)
    for line in error.details:
        err.print(f"  {line}", markup=False)


def _print_labeled(label: str, style: str, text: str) -> None:
    """A line on stderr that starts with a label, in color where it can be seen. Without Rich where it is not needed."""
    if err.is_terminal:
        from rich.markup import escape

        err.print(f"[{style}]{label}:[/] {escape(text)}")
    else:
        err.print(f"{label}: {text}", markup=False)


def report_bug(error: BaseException) -> str:
    """Report on stderr that an unexpected error is a bug, with its details in a file; gives the message."""
    import tempfile
    import traceback

    details = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile(
        "w", prefix="registry-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(f"process-registry {__version__}, Python {sys.version}\n{' '.join(sys.argv)}\n\n{details}")
    what = f"{type(error).__name__}: {error}".split("\n", 1)[0]
    message = f"this is our mistake, not yours ({what}); the details are in {file.name}"
    _print_labeled("bug", "bold red", message)
    return message


def counted(count: int, word: str) -> str:
    """`1 definition`, `1,200 definitions`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def write_json(body: Mapping[str, Any]) -> None:
    """A command's answer as one JSON object on stdout, in the form that all commands share."""
    from registry.reports.envelope import to_text

    write_text(to_text(body))


def write_api_answer(body: Any) -> None:
    """What the API answers, or a JSON Schema, as JSON on stdout: their forms are not the commands' own."""
    write_text(dump_json(body))


def write_text(text: str) -> None:
    """A document for programs on stdout: in UTF-8, whatever the terminal can show."""
    data = text.encode("utf-8", "backslashreplace")
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    try:
        if buffer is None:
            sys.stdout.write(data.decode("utf-8"))
        else:
            buffer.write(data)
    except OSError as error:
        raise OutputError(error) from error
    sys.stdout.flush()


def write_report(text: str, format_: str) -> None:
    """A report on stdout: for people in the terminal's encoding, for programs in UTF-8."""
    if format_ != "text":
        write_text(text)
        return
    out.file.write(text)
    out.file.flush()


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar on the terminal that says what is being done and how far it is; nothing where there is no terminal.

    Drawn without a thread of its own: writing the site forks, and a child must not inherit a lock held by a thread.
    """
    if not err.is_terminal:
        yield silent
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bar(*columns, console=err.console, transient=True, auto_refresh=False) as bar:
        task = bar.add_task("starting", total=None)

        def tell(what: str, done: int = 0, total: int = 0) -> None:
            bar.update(task, description=what, completed=done, total=total or None)
            bar.refresh()

        yield tell
