"""schemathesis against the OpenAPI document of a running server with writes."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.support.writing import PASSWORD, USER, WriteServer

# Requests that fit the document and are still refused: names that are taken, tags of If-Match that no definition has,
# files that break a rule of the checker, ids that are unknown or deleted.
_CONFIGURATION = """
[parameters]
"header.Registry-At-Least" = "{commit}"
{parameters}

[checks.positive_data_acceptance]
expected-statuses = ["2xx", 404, 409, 410, 412, 422]

[checks.negative_data_rejection]
expected-statuses = [400, 404, 405, 409, 410, 412, 415, 422]

[[operations]]
include-method = "OPTIONS"
generation.mode = "positive"
"""
# The history of a deleted definition stays.
_EXCLUDED = "use_after_free"


def run_schemathesis(
    server: WriteServer,
    folder: Path,
    *options: str,
    parameters: Mapping[str, str] = MappingProxyType({}),
    excluded: str = "",
    document: Path | None = None,
    timeout: float,
) -> str:
    """Run it, and return what it prints; fails for anything that it finds. `parameters` have these values only,
    and `excluded` is the name of a check to leave out. `document` describes the server in place of its own document.

    A 503 for a commit that the server does not have is in the contract, so the header names one that it has.
    """
    folder.mkdir(exist_ok=True)
    fixed = "\n".join(f'"{name}" = "{value}"' for name, value in parameters.items())
    (folder / "schemathesis.toml").write_text(_CONFIGURATION.format(commit=server.head(), parameters=fixed))
    own = f"{server.address}/api/openapi.json"
    described = [str(document), "--url", server.address] if document is not None else [own]
    command = [sys.executable, "-m", "schemathesis.cli", "run", *described,
               "--auth", f"{USER}:{PASSWORD}", "--no-color", "--continue-on-failure",
               "--suppress-health-check", "all",
               "--exclude-checks", f"{_EXCLUDED},{excluded}".rstrip(","), *options]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "COLUMNS": "120"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
