"""Renders `_headers` and `_redirects`: rules that hosts of static sites apply, if `host_files` asks for them.

The headers are those of our web server configurations. The redirects answer the addresses of the API that
end with a slash: these hosts show an `index.html` of a folder, but no `index.json`.

Formats and limits: developers.cloudflare.com/pages/configuration/headers and …/redirects,
docs.netlify.com/manage/routing/headers and …/redirects/overview,
docs.gitlab.com/user/project/pages/redirects (2026). Only what all of them have is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.model import addresses
from registry.model.addresses import AddressForm
from registry.model.http_headers import (
    API_HEADERS,
    EXPORT_TYPE,
    IMMUTABLE,
    MEDIA_TYPES,
    REVALIDATED,
    SECURITY_HEADERS,
)
from registry.render.exports import selected_exporters
from registry.render.target import File, Target, rendered_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from registry.snapshot import Snapshot

# Cloudflare Pages ignores further rules.
_MOST_HEADER_RULES = 100
# `api/<kind>/by-name/` and ten parts of a name. Placeholders of GitLab Pages are letters only.
_PLACEHOLDERS = "abcdefghijkl"
_ABOUT_HEADERS = """\
# Cloudflare Pages and Netlify read this file.
# No two rules set the same header of an address: some hosts join the values, others take the last one.
"""
_ABOUT_REDIRECTS = """\
# Cloudflare Pages, Netlify and GitLab Pages read this file. Status 200: the other file is the answer.
"""


def render(snapshot: Snapshot, *, live: bool = False) -> Iterator[Target]:
    """Yield both files, or nothing if the settings do not ask for them."""
    if snapshot.settings.host_files:
        base = snapshot.settings.base_path
        for path, text in (
            (addresses.HOST_HEADERS, _headers(base, snapshot)),
            (addresses.HOST_REDIRECTS, _redirects(base, snapshot.settings.addresses)),
        ):
            yield rendered_target(path, File(path, text.encode()))


def target_at(snapshot: Snapshot, path: str) -> Target | None:
    """Return the target of one of the files, or None."""
    return next((one for one in render(snapshot) if path in one.prefixes), None)


def _headers(base: str, snapshot: Snapshot) -> str:
    kinds = [kind.name for kind in snapshot.kinds]
    revalidated = {"Cache-Control": REVALIDATED}
    rules: dict[str, Mapping[str, str]] = {
        f"{base}*": SECURITY_HEADERS,
        base: revalidated,
        f"{base}{addresses.API}/*": {**API_HEADERS, **revalidated},
        base + addresses.api_files(addresses.API)[1]: {**API_HEADERS, **revalidated},
        # Unknown to hosts, unlike the other types.
        f"{base}{addresses.API}/*.ndjson": {"Content-Type": MEDIA_TYPES[".ndjson"]},
        f"{base}{addresses.ASSETS}/*": {"Cache-Control": IMMUTABLE},
        f"{base}{addresses.SCHEMAS}/*": revalidated,
        **{f"{base}{folder}/*": revalidated for folder in addresses.PAGE_FOLDERS},
        f"{base}{addresses.PUBLICATION}/*": revalidated,
        **{f"{base}{kind}/*": revalidated for kind in kinds},
        **(_of_exports(base, snapshot) if snapshot.settings.exports else {}),
    }
    # The default of these hosts, `max-age=0, must-revalidate`, means the same for the pages of further kinds.
    lines: list[str] = []
    for path, headers in list(rules.items())[:_MOST_HEADER_RULES]:
        lines += ["", path, *(f"  {name}: {value}" for name, value in headers.items())]
    return _ABOUT_HEADERS + "\n".join(lines) + "\n"


def _of_exports(base: str, snapshot: Snapshot) -> dict[str, Mapping[str, str]]:
    """Return rules for each number of parts of a name, as in `_redirects`."""
    own_type = {"Content-Type": EXPORT_TYPE}
    rules: dict[str, Mapping[str, str]] = {
        f"{base}{addresses.EXPORTS}/*": {**own_type, "Cache-Control": REVALIDATED}
    }
    kinds = {kind for one in selected_exporters(snapshot) for kind in snapshot.kinds.using(*one.kinds)}
    for kind in sorted(kinds):
        place = f"{base}{kind}"
        for level in _PLACEHOLDERS:
            place += f"/:{level}"
            rules[f"{place}/{addresses.EXPORTS}/*"] = own_type
    return rules


def _redirects(base: str, forms: str) -> str:
    """Return rules for each number of levels: a splat is not followed by a slash on every host."""
    lines = []
    ending = f"/{addresses.API_INDEX}" if forms == AddressForm.SLASH else addresses.TWIN_ENDING
    place = f"{base}{addresses.API}"
    for level in ("", *_PLACEHOLDERS):
        place += f"/:{level}" if level else ""
        lines.append(f"{place}/ {place}{ending} 200\n")
    return _ABOUT_REDIRECTS + "".join(lines)
