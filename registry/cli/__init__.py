"""The command `registry`: one file a command, loaded when it is called. Add one: write its file here, and its name below."""

import functools
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from registry import __version__
from registry.cli.terminal import err, report_bug, show_error, show_problems
from registry.errors import ProblemsError, RegistryError

# In the order that help shows them. Each module holds a function `command`.
COMMANDS = (
    "init",
    "new",
    "check",
    "diff",
    "review",
    "hook",
    "comment",
    "index",
    "ids",
    "build",
    "serve",
    "watch",
    "list",
    "show",
    "log",
    "blame",
    "changelog",
    "import",
    "schema",
    "rules",
    "nginx",
)
_HELP = """Process definitions in git, as a static JSON API and an HTML catalog.

Start with `registry init DIR`, or in a registry with `registry check` and `registry serve`."""
_INTERRUPTED = 130
_OUR_BUG = 70


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 fine, 1 problems found, 2 wrong use, 3 refused to protect data, 70 our bug."""
    # Not `list(…)`: once the command `list` is imported, that name is its module here.
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    named = next((word for word in words if not word.startswith("-")), None)
    # Only the command that is called is imported: all libraries at once would cost 0.3 s of every start.
    wanted = (named,) if named in COMMANDS else COMMANDS
    try:
        _app(wanted)(words, prog_name="registry")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(bool(done.code))
    return 0


def _app(names: Sequence[str]) -> typer.Typer:
    app = typer.Typer(
        help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )  # fmt: skip
    app.callback()(_global_options)
    for name in names:
        module = importlib.import_module(f"registry.cli.{name}_" if name == "import" else f"registry.cli.{name}")
        app.command(name)(_at_the_edge(module.command))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"process-registry {__version__}")
        raise typer.Exit


def _global_options(
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.", callback=_print_version, is_eager=True)] = False,
) -> None:
    del version


def _at_the_edge(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose errors become one line on stderr and an exit code; the only place where everything is caught."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except ProblemsError as error:
            show_problems(error.problems, error.read)
            show_error(error)
            raise typer.Exit(error.exit_code) from None
        except RegistryError as error:
            show_error(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            err.print("Interrupted; nothing is left half done.")
            raise typer.Exit(_INTERRUPTED) from None
        except BrokenPipeError:
            # `registry list | head`: the reader has what it wanted. Python would complain when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort, SystemExit):
            raise
        except Exception as error:
            if type(error).__module__.startswith("typer"):
                raise  # wrong use, which Typer says itself
            report_bug(error)
            raise typer.Exit(_OUR_BUG) from None

    return run
