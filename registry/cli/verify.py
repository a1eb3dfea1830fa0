"""`registry verify`: check a published site."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry.cli.options import Format, format_option
from registry.cli.terminal import err, out, progress, write_json
from registry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.publish.hash_tree import Root
    from registry.publish.verification import Verified

_MOST_SHOWN = 20


@click.command("verify")
@click.argument("place", metavar="URL|DIR")
@click.option(
    "--allowed-signers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Require a signature of a key in this file (ssh-keygen's ALLOWED SIGNERS).",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Remember the verified state in this file. An older state, or one that does not continue it, fails next time.",
)
@format_option
def command(place: str, allowed_signers: Path | None, state: Path | None, format_: Format) -> None:
    """Verify a site that `registry publish` wrote.

    Reads every file and compares it with the digests in _registry: a changed byte, a missing file and a mixture of two
    publications are found. With --state, a rollback and a fork of the ledger are found, too.

    \b
    Exit codes:
      0  the site is whole
      1  it is not, or its signature is not of an allowed signer
      2  the site cannot be read

    \b
    Examples:
      registry verify https://registry.example.org/
      registry verify https://registry.example.org/ --allowed-signers signers --state verified.json
      registry verify /srv/registry/site
    """
    from registry.publish.verification import SiteReader, verify_site

    is_address = place.startswith(("http://", "https://"))
    site = SiteReader(place if is_address else Path(place))
    with progress() as report:
        found = verify_site(
            site,
            report,
            allowed_signers=allowed_signers,
            seen=_read_state(state) if state is not None else None,
        )
    if not found.faults and state is not None and found.root is not None:
        from registry.files.atomic_write import replace_file

        replace_file(state, found.root.to_bytes())
    if format_ == "json":
        _write_as_json(found)
    elif found.faults:
        _show_faults(found.faults)
    else:
        _show_whole(found)
    if found.faults:
        raise SystemExit(1)


def _write_as_json(found: "Verified") -> None:
    root = found.root
    write_json(
        {
            "commit": root.commit if root is not None else None,
            "sequence": root.sequence if root is not None else None,
            "signer": found.signer,
            "faults": list(found.faults),
        }
    )


def _show_faults(faults: "Sequence[str]") -> None:
    for fault in faults[:_MOST_SHOWN]:
        err.print(f"error: {fault}", markup=False)
    if len(faults) > _MOST_SHOWN:
        err.print(f"… and {len(faults) - _MOST_SHOWN:,} more", markup=False)


def _show_whole(found: "Verified") -> None:
    assert found.root is not None
    by = f", signed by {found.signer}" if found.signer else ""
    commit = (found.root.commit or "no commit")[:12]
    out.print(
        f"{found.root.files:,} files of {commit} are whole (sequence {found.root.sequence}{by}).",
        markup=False,
    )


def _read_state(state: Path) -> "Root | None":
    from registry.publish.hash_tree import InvalidTreeError, parse_root

    try:
        return parse_root(state.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, InvalidTreeError) as error:
        raise UsageError(
            f"{state} cannot be read: {error}", "remove it to start without a known state"
        ) from error
