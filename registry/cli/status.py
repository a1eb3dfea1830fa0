"""Status output of long-running commands.

On a terminal, each state replaces the one before. Elsewhere, one line is written for each difference.
"""

from collections.abc import Sequence
from contextlib import suppress

from rich.text import Text

from registry.cli.terminal import counted, err, problems_text, report_bug
from registry.errors import Read, RegistryError
from registry.model.characters import visible
from registry.model.problem import Problem, Severity, has_errors

_ERROR = Severity.ERROR


class StatusView:
    """Shows the newest state only.

    Warnings appear once, when they are new; errors stay until they are fixed.
    """

    def __init__(self, read: Read) -> None:
        """`read` returns the lines that problems refer to."""
        self._read = read
        self._rows = 0
        self._shown = ("", "")
        self._known: set[tuple[str, ...]] = set()

    def show(
        self,
        line: str,
        detail: str = "",
        *,
        problems: Sequence[Problem] = (),
        error: RegistryError | None = None,
        is_news: bool = False,
    ) -> None:
        """Show the problems, then `line`.

        Outside a terminal, `detail` alone causes a line only if `is_news` is True.
        """
        line, detail = visible(line), visible(detail)
        found = self._problems(problems, is_whole=error is None)
        if error is not None:
            found += _error_text(error)
        if err.is_terminal:
            view = f"{found}{line}{detail}\n"
            # Lines that scrolled out of the window cannot be erased.
            erase = f"\x1b[{self._rows}F\x1b[J" if 0 < self._rows < err.console.height else ""
            self._write(erase + view)
            self._rows = sum(
                max(1, -(-Text.from_ansi(one).cell_len // err.width)) for one in view.splitlines()
            )
        elif is_news or line != self._shown[1] or (found and found != self._shown[0]):
            self._write(f"{found if found != self._shown[0] else ''}{line}{detail}\n")
        self._shown = (found, line)

    def _problems(self, problems: Sequence[Problem], *, is_whole: bool) -> str:
        """Return errors, new warnings, and the number of other warnings.

        `is_whole`: `problems` is complete.
        """
        shown = [one for one in problems if one.severity is _ERROR or _identity(one) not in self._known]
        known = len(problems) - len(shown)
        warnings = {_identity(one) for one in problems if one.severity is not _ERROR}
        # With errors some files are not checked: their warnings are not new when the errors are fixed.
        is_whole = is_whole and not has_errors(problems)
        self._known = warnings if is_whole else self._known | warnings
        if not shown and not err.is_terminal:
            return ""  # nothing was erased: earlier warnings are still visible above
        found = problems_text(shown, self._read, err) if shown else ""
        more = f"{counted(known, 'warning')} unchanged; `registry check` shows all.\n" if known else ""
        return found + more

    def note(self, text: str) -> None:
        """Write a line that later states do not replace."""
        self._write(f"note: {visible(text)}\n")
        self._rows = 0

    def bug(self, error: Exception) -> None:
        """Report a bug of this program. Later states do not replace the report."""
        with suppress(OSError, ValueError):
            report_bug(error)
        self._rows = 0

    @staticmethod
    def _write(text: str) -> None:
        # The reader may have ended (`registry serve 2>&1 | head`), or the disk may be full. The server must
        # keep running.
        with suppress(OSError, ValueError):
            err.file.write(text.encode("utf-8", "replace").decode("utf-8"))
            err.file.flush()


def _error_text(error: RegistryError) -> str:
    lines = [f"{_label('error', '1;31')} {visible(error.message)}"]
    if error.hint:
        lines.append(f"{_label('hint', '36')} {visible(error.hint)}")
    lines.extend(f"  {visible(line)}" for line in error.details)
    return "".join(f"{line}\n" for line in lines)


def _label(word: str, style: str) -> str:
    return f"\x1b[{style}m{word}:\x1b[0m" if err.has_color else f"{word}:"


def _identity(problem: Problem) -> tuple[str, ...]:
    """Return a key that stays the same if a problem moves to another line."""
    return (problem.rule, problem.span.path, problem.pointer, problem.message)
