"""`registry comment`: a review on a pull request, as one comment that is updated."""

from pathlib import Path

import click

from registry.cli.terminal import out, write_text
from registry.errors import UsageError
from registry.review.forges import FORGES, forge_from, post

MOST_BYTES = 16 * 1024 * 1024


@click.command("comment")
@click.argument("forge", type=click.Choice(tuple(FORGES)))
@click.option(
    "--report",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Output of `registry review --format json`. It may come from an untrusted job.",
)
@click.option("--dry-run", is_flag=True, help="Print the comment. Do not contact the forge.")
def command(forge: str, report: Path, dry_run: bool) -> None:
    """Post a review as a comment on a pull request.

    For CI jobs. A later run updates the comment. The forge is the service that hosts the repository; use forgejo for Gitea. The comment is written from
    the data of the report, which is shown as code only. The number of the pull request and the token come from the
    variables of the job, never from the report.

    \b
    Examples:
      registry comment github --report review.json
      registry comment gitlab --report review.json --dry-run
    """
    from registry.load.settings import environment_of_job
    from registry.reports.review import MARKER, REVIEW_FORMATS, review_from_json

    try:
        with report.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{report} cannot be read: {error.strerror}", "`registry review --format json` writes it"
        ) from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"{report} is larger than {MOST_BYTES // 1024**2} MiB")
    body = REVIEW_FORMATS["markdown"](review_from_json(data))
    if dry_run:
        write_text(body)
        return
    out.print(post(forge_from(forge, environment_of_job()), MARKER, body), markup=False)
