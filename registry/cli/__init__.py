"""The command `registry`: one file a command, loaded when it is called. Add one: write its file here, and its name below."""

import functools
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from registry import __version__
from registry.cli.failures import report_failure, report_misuse, wants_json
from registry.cli.interrupts import allow_interrupts
from registry.cli.terminal import err

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 fine, 1 problems found, 2 wrong use, 3 refused to protect data, 70 our bug."""
    # Not `list(…)`: once the command `list` is imported, that name is its module here.
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    as_json = wants_json(words)
    named = next((word for word in words if not word.startswith("-")), None)
    # Only the command that is called is imported: all libraries at once would cost 0.3 s of every start.
    wanted = (named,) if named in COMMANDS else COMMANDS
    try:
        try:
            code = _app(wanted, as_json=as_json)(words, prog_name="registry", standalone_mode=False)
        except SystemExit as done:
            code = done.code if isinstance(done.code, int) else int(bool(done.code))
        except typer.Abort:
            err.print("Aborted.")
            code = 1
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the edge of the program: nothing gets past it as a traceback
        is_misuse = type(error).__module__.startswith("typer") and hasattr(error, "format_message")
        return report_misuse(error, as_json=as_json) if is_misuse else report_failure(error, as_json=as_json)
    return code if isinstance(code, int) else 0


def _app(names: Sequence[str], *, as_json: bool = False) -> typer.Typer:
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_global_options)
    for name in names:
        module = importlib.import_module(
            f"registry.cli.{name}_" if name == "import" else f"registry.cli.{name}"
        )
        app.command(name)(_guarded(module.command, as_json=as_json))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"process-registry {__version__}")
        raise typer.Exit


def _global_options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Say which version this is.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    del version


def _guarded(command: Callable[..., Any], *, as_json: bool) -> Callable[..., Any]:
    """A command whose errors become one line on stderr and an exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            allow_interrupts()
            command(*args, **kwargs)
            sys.stdout.flush()
        except (typer.Exit, typer.Abort, SystemExit):
            raise
        except BaseException as error:
            if type(error).__module__.startswith("typer"):
                raise  # wrong use, which Typer found
            raise typer.Exit(report_failure(error, as_json=as_json)) from None

    return run
