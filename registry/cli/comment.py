"""`registry comment`: a review on a pull request, as one comment that is updated."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from registry.cli.terminal import out, write_text
from registry.errors import UsageError
from registry.review.forges import FORGES, forge_from, post

ForgeName = StrEnum("ForgeName", {name.upper(): name for name in FORGES})  # type: ignore[misc]
MOST_BYTES = 16 * 1024 * 1024


def command(
    forge: Annotated[ForgeName, typer.Argument(help="Which forge; Gitea is asked as forgejo.")],
    report: Annotated[
        Path,
        typer.Option(
            "--report",
            help="What `registry review --format json` wrote; may come from a stranger's job.",
            metavar="FILE",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the comment, and ask no forge.")] = False,
) -> None:
    """Post a review as one comment on the pull request that a CI job is about; the next run updates it.

    The comment is written anew from the data of the report, which is only ever shown as code. The number of the request and
    the token come from the job's own variables, never from the report.

    Examples: `registry comment github --report review.json` · `registry comment gitlab --report review.json --dry-run`
    """
    from registry.load.settings import environment_of_job
    from registry.reports.review import MARKER, REVIEW_FORMATS, read

    try:
        with report.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{report} cannot be read: {error.strerror}", "`registry review --format json` writes it"
        ) from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"{report} is larger than {MOST_BYTES // 1024**2} MiB")
    body = REVIEW_FORMATS["markdown"](read(data))
    if dry_run:
        write_text(body)
        return
    out.print(post(forge_from(forge.value, environment_of_job()), MARKER, body), markup=False)
