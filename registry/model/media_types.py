"""Media types of the files of a site, as servers send them; pure.

Clients of the 2013 service compare `application/json` exactly, so it has no charset.
"""

import mimetypes

MEDIA_TYPES = {
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".atom": "application/atom+xml",
}
"""By ending."""


def media_type(path: str) -> str:
    """Return the media type of the file at a path."""
    ending = path[path.rfind(".") :] if "." in path else ""
    return MEDIA_TYPES.get(ending) or mimetypes.guess_type(path)[0] or "application/octet-stream"
