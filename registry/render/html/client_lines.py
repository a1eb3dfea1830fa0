"""Lines to copy that read one definition from a shell and from Python."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from registry.model import addresses

if TYPE_CHECKING:
    from registry.load.settings import Settings
    from registry.render.html.filled_template import Texts

# The default of `registry.client`.
_DEFAULT_KIND = "process_definition"


def client_lines(settings: Settings, kind: str, number: int | None) -> Texts:
    """Return the lines for a definition; a definition without an id has none.

    Where `base_url` has no host, the variable `REGISTRY_URL` holds the address of the site.
    """
    if number is None:
        return {"client.curl": "", "client.python": "", "client.needs_url": ""}
    # The file, which every host serves.
    answer = addresses.answer_file(addresses.api_detail(kind, number), settings.addresses)
    which = f"{number}" if kind == _DEFAULT_KIND else f'{number}, "{kind}"'
    has_host = settings.base_url.startswith(("https://", "http://"))
    site = f"{settings.base_url.rstrip('/')}/"
    curl = shlex.quote(f"{site}{answer}") if has_host else f'"${{REGISTRY_URL%/}}/{answer}"'
    place = f'"{site}"' if has_host else 'os.environ["REGISTRY_URL"]'
    return {
        "client.curl": f"curl -fsS {curl}",
        "client.python": ("" if has_host else "import os\n")
        + f"from registry.client import RegistryClient\n\nwith RegistryClient({place}) as registry:\n"
        f"    definition = registry.get({which}).definition",
        "client.needs_url": "" if has_host else "yes",
    }
