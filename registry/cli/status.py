"""How things are, for commands that go on: on a terminal one view in place of the one before, elsewhere a line for what is different."""

from collections.abc import Sequence

from rich.text import Text

from registry.characters import visible
from registry.cli.terminal import err, problems_text, report_bug, show_error
from registry.errors import Problem, Read, RegistryError


class StatusView:
    """Shows the newest state and nothing of those before."""

    def __init__(self, read: Read) -> None:
        """`read` gives the lines that problems point to."""
        self._read = read
        self._rows = 0
        self._said = ("", "")

    def show(
        self, line: str, detail: str = "", *, problems: Sequence[Problem] = (), error: RegistryError | None = None, is_news: bool = False
    ) -> None:
        """What is wrong, and below it how things are: `line`, with a `detail` that alone is worth a line only where it `is_news`."""
        line, detail = visible(line), visible(detail)
        found = problems_text(problems, self._read, err) if problems else ""
        if error is not None:
            with err.console.capture() as captured:
                show_error(error)
            found += captured.get()
        if err.is_terminal:
            view = f"{found}{line}{detail}\n"
            # What has scrolled out of the window cannot be taken back.
            erase = f"\x1b[{self._rows}F\x1b[J" if 0 < self._rows < err.console.height else ""
            self._write(erase + view)
            self._rows = sum(max(1, -(-Text.from_ansi(one).cell_len // err.width)) for one in view.splitlines())
        elif is_news or self._said != (found, line):
            self._write(f"{found if found != self._said[0] else ''}{line}{detail}\n")
        self._said = (found, line)

    def note(self, text: str) -> None:
        """Something that stays, whatever comes."""
        self._write(f"note: {visible(text)}\n")
        self._rows = 0

    def bug(self, error: Exception) -> None:
        """An error of ours, which stays, too."""
        report_bug(error)
        self._rows = 0

    @staticmethod
    def _write(text: str) -> None:
        err.file.write(text.encode("utf-8", "replace").decode("utf-8"))
        err.file.flush()
