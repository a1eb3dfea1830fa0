"""Options that several commands share, as click decorators."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from registry.cli.completers import complete_kinds

Command = TypeVar("Command", bound=Callable[..., Any])
Format = Literal["text", "json"]
FailOn = Literal["breaking", "risky", "safe", "never"]

registry_option = click.option(
    "--registry",
    "-C",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Registry folder. Default: the current folder, or its nearest parent that contains definitions/.",
)
source_option = click.option(
    "--source",
    default="worktree",
    metavar="COMMIT",
    help="Commit, branch or tag to read instead of the work tree. It is read from git and not checked out.",
)
kind_option = click.option(
    "--kind", metavar="KIND", shell_complete=complete_kinds, help="Kind, for example application."
)
out_option = click.option(
    "--out",
    "-o",
    "out_",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Output folder. Default: output in registry.yaml, or site.",
)
base_url_option = click.option(
    "--base-url",
    metavar="URL",
    help="URL or path at which the site is served. Default: base_url in registry.yaml, or /.",
)
poll_option = click.option(
    "--poll", is_flag=True, help="Poll for changes. Needed on network mounts, which send no file events."
)
quiet_option = click.option(
    "--quiet", "-q", is_flag=True, help="Show errors only, and print nothing when there are none."
)
all_option = click.option(
    "--all",
    "every",
    is_flag=True,
    help="Show all warnings. Default: the first three of each rule and the number of the others.",
)
fail_on_option = click.option(
    "--fail-on",
    type=click.Choice(["breaking", "risky", "safe", "never"]),
    help="Exit with 1 if a change has at least this level. Default: fail_on in registry.yaml, or never.",
)


users_option = click.option(
    "--users",
    "users_path",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Users file of the server, outside of every git repository.",
)
right_option = click.option(
    "--right",
    "right_words",
    multiple=True,
    metavar="RIGHT[:FOLDER]",
    help="Right to give: read, write or break, for all definitions or for a folder; can be repeated.",
)


def format_choice(*formats: str, help_text: str = "Output format.") -> Callable[[Command], Command]:
    """The option `--format` with these formats; the first is the default."""
    return click.option("--format", "format_", type=click.Choice(formats), default=formats[0], help=help_text)


format_option = format_choice("text", "json")
