"""The command `registry`, with one file per command.

To add a command, write its file here and add its name to COMMANDS.
"""

import importlib
import sys
from collections.abc import Sequence
from keyword import iskeyword
from typing import Any

import click

from registry import __version__
from registry.cli.failures import report_failure, report_misuse, wants_json
from registry.cli.interrupts import allow_interrupts
from registry.cli.terminal import err

# In the order of the help. Each module has a click command `command`.
COMMANDS = (
    "init",
    "new",
    "check",
    "try",
    "diff",
    "review",
    "hook",
    "comment",
    "index",
    "ids",
    "build",
    "publish",
    "verify",
    "serve",
    "user",
    "token",
    "watch",
    "list",
    "show",
    "log",
    "blame",
    "changelog",
    "import",
    "export",
    "schema",
    "rules",
    "webserver",
    "nginx",
    "completion",
)


def _words(words: Sequence[str]) -> list[str]:
    # Not `list(words)`: after an import of the command `list`, that name is its module here.
    return [*words]


class _CommandFailedError(Exception):
    """Carries an error (`__cause__`) out of click.

    Click would handle broken pipes and Ctrl-C in its own way.
    """


class _Commands(click.Group):
    """Imports the module of a command when it is called: importing all libraries takes 0.3 s."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the help."""
        return _words(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command `cmd_name`, or None."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = importlib.import_module(f"registry.cli.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called.

        Its module is imported now, so Ctrl-C raises KeyboardInterrupt from here on.
        """
        resolved = super().resolve_command(ctx, args)
        allow_interrupts()
        return resolved

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises _CommandFailedError for errors that are not about the command line."""
        try:
            super().invoke(ctx)
            sys.stdout.flush()
        except (click.exceptions.Exit, click.Abort, click.ClickException, SystemExit):
            raise
        except BaseException as error:
            raise _CommandFailedError from error


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(__version__, message="process-registry %(version)s")
@click.pass_context
def program(context: click.Context) -> None:
    """Process definitions in git, published as a static JSON API and an HTML catalog.

    \b
    Examples:
      registry init processes
      registry check
      registry serve
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        sys.exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code.

    0: success; 1: problems found; 2: wrong use; 3: refused to protect data; 70: a bug; 130: interrupted.
    """
    words = _words(sys.argv[1:] if arguments is None else arguments)
    as_json = wants_json(words)
    try:
        code = _run(words)
        sys.stdout.flush()
    except click.ClickException as error:
        return report_misuse(error, as_json=as_json)
    except _CommandFailedError as error:
        return report_failure(error.__cause__ or error, as_json=as_json)
    except BaseException as error:  # noqa: BLE001 - the edge of the program: no traceback gets past it
        return report_failure(error, as_json=as_json)
    return code


def _run(words: list[str]) -> int:
    try:
        code = program.main(words, prog_name="registry", standalone_mode=False)
    except SystemExit as done:
        code = done.code if done.code is not None else 0
    except click.Abort:
        err.print("Aborted.")
        return 1
    return code if isinstance(code, int) else 0
