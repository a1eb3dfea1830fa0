"""Programs of hosts for static sites: the local server of Cloudflare Pages, and Netlify's engines."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.nginx import answering, free_port
from tests.support.waiting import PATIENCE_S

_TOOLS = Path(__file__).parent / "host_tools"


@contextmanager
def cloudflare_pages(site: Path, folder: Path) -> Iterator[str]:
    """Serve a site as `wrangler pages dev` does; gives the address. `folder` is for its own files."""
    # Otherwise it asks Cloudflare where this machine is.
    place = folder / "node_modules/.mf/cf.json"
    place.parent.mkdir(parents=True)
    place.write_text("{}")
    port = free_port()
    wrangler = _TOOLS / "node_modules/wrangler/bin/wrangler.js"
    assert wrangler.exists(), "wrangler is not installed: make test-engines installs it"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["node", wrangler, "pages", "dev", site, "--ip", "127.0.0.1", "--port", str(port),
             "--inspector-port", str(free_port()), "--compatibility-date", "2026-01-01"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "CI": "1", "WRANGLER_SEND_METRICS": "false"},
        )  # fmt: skip
    with answering(process, port) as address:
        yield address


def netlify_answers(site: Path, paths: Sequence[str]) -> Any:
    """Return what Netlify's engines find: `errors`, numbers of `rules`, and `answers` by path."""
    done = subprocess.run(
        ["node", _TOOLS / "netlify.mjs", site],
        input=json.dumps(list(paths)),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
