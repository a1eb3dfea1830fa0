"""Answers from the current generation of a site, exactly as a well-configured static host would."""

import mimetypes
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from registry.publish import MISSING, READ_ONLY
from registry.site import Site

_TYPES = {".json": "application/json", ".ndjson": "application/x-ndjson", ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
          ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".atom": "application/atom+xml"}  # fmt: skip
_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cache-Control": "no-cache"}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def make_app(site: Site, base_path: str, refresh: Callable[[], None], report_bug: Callable[[Exception], object]) -> Starlette:
    """The application. `refresh` is called before each answer, in a thread: it may build the site anew.

    `report_bug` is told of every error that nobody foresaw; the reader gets a short answer, the server goes on.
    """

    async def answer(request: Request) -> Response:
        path = request.url.path
        if not path.startswith(base_path):
            return RedirectResponse(base_path, 307) if path == "/" or path + "/" == base_path else _missing(site, "api" in path)
        inside = path.removeprefix(base_path)
        is_api = inside == "api" or inside.startswith("api/")
        if request.method not in ("GET", "HEAD"):
            return JSONResponse(READ_ONLY, 405, headers={"Allow": "GET, HEAD", **_HEADERS})
        try:
            await run_in_threadpool(refresh)
            return await run_in_threadpool(_static, site, request, inside, is_api)
        except Exception as error:  # noqa: BLE001 - the edge: one request must not end the server
            report_bug(error)
            return JSONResponse({"error": "internal error; the server's terminal says where the details are"}, 500, headers=_HEADERS)

    return Starlette(routes=[Route("/{path:path}", answer, methods=_METHODS)])


def _static(site: Site, request: Request, inside: str, is_api: bool) -> Response:
    """The file at an address, a redirect to the address with its slash, or "not found"."""
    folder = site.current
    steps = [step for step in inside.split("/") if step]
    if folder is None or "\0" in inside or "\\" in inside or ".." in steps or "." in steps:
        return _missing(site, is_api)
    target = folder.joinpath(*steps)
    try:
        if target.is_dir():
            index = target / ("index.json" if is_api else "index.html")
            if not index.is_file():
                return _missing(site, is_api)
            if inside and not inside.endswith("/"):
                query = f"?{request.url.query}" if request.url.query else ""
                return RedirectResponse(f"{request.url.path}/{query}", 301, headers=_HEADERS)
            target = index
        elif inside.endswith("/") or not target.is_file():
            return _missing(site, is_api)
    except OSError:  # a name longer than any file's
        return _missing(site, is_api)
    return _file(target, request, is_api)


def _file(path: Path, request: Request, is_api: bool) -> Response:
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = _HEADERS | ({"Access-Control-Allow-Origin": "*"} if is_api else {})
    response = FileResponse(path, stat_result=path.stat(), headers=headers)
    # Set, not given: Starlette would add a charset to what starts with text/, and ours say what they are.
    response.headers["content-type"] = media_type
    if StaticFiles(directory=path.parent).is_not_modified(response.headers, request.headers):
        return NotModifiedResponse(response.headers)
    return response


def _missing(site: Site, is_api: bool) -> Response:
    if is_api:
        return JSONResponse(MISSING, 404, headers=_HEADERS | {"Access-Control-Allow-Origin": "*"})
    page = site.current / "404.html" if site.current else None
    body = page.read_bytes() if page and page.is_file() else b"Not found\n"
    return Response(body, 404, headers=_HEADERS, media_type="text/html" if page else "text/plain")
