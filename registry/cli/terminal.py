"""The terminal of the commands: output, errors, problems and progress."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

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
    """Standard output or standard error, in color on a terminal.

    Rich takes a tenth of the time of a short command: it is imported only for a terminal, or to parse markup.
    """

    def __init__(self, *, is_error: bool = False) -> None:
        """`is_error`: standard error."""
        self._is_error = is_error

    @property
    def file(self) -> TextIO:
        """The stream that is written to."""
        return sys.stderr if self._is_error else sys.stdout

    @cached_property
    def console(self) -> "Console":
        """The Rich console of this stream."""
        from rich.console import Console

        return Console(stderr=self._is_error, highlight=False, emoji=False, soft_wrap=True)

    @property
    def is_terminal(self) -> bool:
        """True if the stream is a terminal, or colors are forced."""
        return (self.file.isatty() or colors_are_forced()) and self.console.is_terminal

    @property
    def has_color(self) -> bool:
        """True if color is supported and not disabled."""
        return self.is_terminal and not self.console.no_color

    @property
    def width(self) -> int:
        """Width in columns."""
        return self.console.width

    def print(
        self, text: str = "", *, markup: bool = True, style: str | None = None, end: str = "\n"
    ) -> None:
        """Print one line of text in a style; with `markup`, `[bold]…[/]` in it is bold.

        Control characters are shown as escapes, newlines too: text from any origin stays one line. Use
        `print_lines` for text of several lines.
        """
        text = visible(text)
        if (markup and "[" in text) or self.is_terminal:
            self.console.print(text, markup=markup, style=style, end=end)
        else:
            self.file.write(text + end)
            self.file.flush()

    def print_lines(self, text: str, *, style: str | None = None) -> None:
        """Print text of several lines; control characters in each are shown as escapes."""
        for line in text.split("\n"):
            self.print(line, style=style, markup=False)


out = Terminal()
err = Terminal(is_error=True)


def find_root(given: Path | None) -> Path:
    """Return the folder of the registry.

    This is `given`, or the current folder or its nearest parent that contains `definitions/`. Raises
    UsageError if `given` is not a folder, and for a bare repository that was not named.
    """
    if given is not None:
        if not given.is_dir():
            raise UsageError(f"{given} is not a folder", "name the folder that contains `definitions/`")
        refuse_embedded(given)
        return given
    here = Path.cwd()
    refuse_embedded(here)
    for folder in (here, *here.parents):
        if (folder / "definitions").is_dir():
            # Relative, so that paths in messages are short and can be opened by a click.
            return Path(os.path.relpath(folder)) if folder != here else Path()
    if looks_like_git_dir(here):
        raise UsageError("this folder is a bare repository, which is used only if -C names it", "-C .")
    return Path()


def open_cache(source: "Source") -> "CacheFile":
    """Return the cache of the registry.

    Prints a note on stderr if the cache is unused because the repository contains its folder.
    """
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
    """A function that returns a line of a file, or None if it cannot be read: its problem is still shown."""

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
    """Print problems with their source lines, on stderr unless they are the output.

    `is_complete`: print all warnings.
    """
    terminal = out if to_stdout else err
    terminal.file.write(problems_text(problems, read, terminal, is_complete=is_complete))
    terminal.file.flush()


def problems_text(
    problems: Sequence[Problem], read: Read, terminal: Terminal, *, is_complete: bool = False
) -> str:
    """Problems with their source lines, formatted for a terminal."""
    from registry.reports.text import SHOWN_ALIKE, report

    at_most = None if is_complete else SHOWN_ALIKE
    return report(
        problems, lines_from(read), color=terminal.has_color, link_of=_explanation, at_most_alike=at_most
    )


def _explanation(rule: str) -> str | None:
    """The URL of a rule in the installed rules page, or None."""
    page = defaults_folder("docs") / "rules.md"
    return f"{page.as_uri()}#{rule.lower()}" if page.exists() else None


def show_error(error: RegistryError) -> None:
    """Print an error on stderr: one line, a hint and details."""
    _print_labeled("error", "bold red", error.message)
    if error.hint:
        _print_labeled("hint", "cyan", error.hint)
    for line in error.details:
        err.print(f"  {line}", markup=False)


def _print_labeled(label: str, style: str, text: str) -> None:
    """Print a line with a label on stderr, without Rich if it is not a terminal."""
    if err.is_terminal:
        from rich.markup import escape

        err.print(f"[{style}]{label}:[/] {escape(text)}")
    else:
        err.print(f"{label}: {text}", markup=False)


def report_bug(error: BaseException) -> str:
    """Report an unexpected error as a bug, with the details in a file. Returns the message."""
    import tempfile
    import traceback

    details = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile(
        "w", prefix="registry-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(f"process-registry {__version__}, Python {sys.version}\n{' '.join(sys.argv)}\n\n{details}")
    what = f"{type(error).__name__}: {error}".split("\n", 1)[0]
    message = f"this is a bug in the registry program ({what}); the details are in {file.name}"
    _print_labeled("bug", "bold red", message)
    return message


def counted(count: int, word: str) -> str:
    """`1 definition`, `1,200 definitions`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def write_json(body: Mapping[str, Any]) -> None:
    """Print the output of a command as one JSON object, in the envelope that all commands share."""
    from registry.reports.envelope import to_text

    write_text(to_text(body))


def write_api_answer(body: Any) -> None:
    """Print an API response or a JSON Schema as JSON, without the envelope of the commands."""
    write_text(dump_json(body))


def write_text(text: str) -> None:
    """Print a document for programs, in UTF-8 regardless of the locale.

    Raises OutputError if stdout cannot be written.
    """
    write_bytes(text.encode("utf-8", "backslashreplace"))


def write_bytes(data: bytes) -> None:
    """Print bytes as they are. Raises OutputError if stdout cannot be written."""
    # The flush keeps the order: the bytes bypass the text layer, which may still hold earlier text.
    sys.stdout.flush()
    buffer = getattr(sys.stdout, "buffer", None)
    try:
        if buffer is None:
            sys.stdout.write(data.decode("utf-8", "backslashreplace"))
        else:
            buffer.write(data)
    except OSError as error:
        raise OutputError(error) from error
    sys.stdout.flush()


def write_report(text: str, format_: str) -> None:
    """Print a report: text in the encoding of the terminal, other formats in UTF-8."""
    if format_ != "text":
        write_text(text)
        return
    out.file.write(text)
    out.file.flush()


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on the terminal; nothing if there is no terminal.

    It has no thread: writing the site forks, and a child must not inherit a lock held by a thread.
    """
    if not err.is_terminal:
        yield silent
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bar(*columns, console=err.console, transient=True, auto_refresh=False) as bar:
        task = bar.add_task("starting", total=None)

        def report(what: str, done: int = 0, total: int = 0) -> None:
            bar.update(task, description=what, completed=done, total=total or None)
            bar.refresh()

        yield report
