"""`registry serve`: the site on this machine."""

from typing import Annotated

import typer

from registry.cli.terminal import RegistryOption, counted, err, find_root, out, progress, report_bug, show_error, show_problems


def command(
    registry: RegistryOption = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; left out: this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", help="Port to listen on.", min=1, max=65535)] = 8000,
) -> None:
    """Build the site, then serve catalog and API; reload a page and it shows the files as they are now.

    With errors in the files the last good site stays, and the errors are shown here.

    Example: `registry serve --port 8080`
    """
    import socket

    import uvicorn

    from registry.build import BuildResult
    from registry.errors import RegistryError, UsageError
    from registry.server import make_app
    from registry.server.refresh import Refresher
    from registry.settings import SETTINGS_PATH, parse_settings
    from registry.site import Site
    from registry.source import open_source

    root = find_root(registry)
    source = open_source(root)
    settings, _ = parse_settings(source.read(SETTINGS_PATH))
    site = Site(root / settings.output)

    def tell(result: BuildResult | RegistryError) -> None:
        if isinstance(result, RegistryError):
            show_error(result)
            return
        if result.problems:
            show_problems(result.problems, source.read)
        if result.snapshot is not None:
            definitions, files = counted(len(result.snapshot.definitions), "definition"), counted(result.files, "file")
            err.print(f"Built {definitions}, {files} in {result.seconds:.1f} s.")
        elif site.current:
            err.print("The last good site stays until the errors are mended.")
        else:
            err.print("There is no site to show until the errors are mended.")

    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"{host}:{port} cannot be listened on: {error.strerror}", "choose another with --port") from error
    with progress() as say:
        say("building the site")
        refresher = Refresher(root, site, tell)
        refresher.build()
    out.print(f"Catalog and API on http://{host}:{port}{settings.base_path} (Ctrl-C ends it)", markup=False)
    app = make_app(site, settings.base_path, refresher, report_bug)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    server.run(sockets=[listener])
