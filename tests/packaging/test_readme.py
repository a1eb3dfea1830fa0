"""The tour in README.md works as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_tour_works_as_printed(tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    tour = page[page.index("## Five-minute tour") :]
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", tour, re.MULTILINE | re.DOTALL))
    assert "registry serve " in script
    script = re.sub(r"^registry serve .*$", "", script, flags=re.MULTILINE)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    identity = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ana"), ("EMAIL", "ana@example.org"))
    }
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=checkout,
        env={**os.environ, **identity, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = re.search(r"^```text\n(.*?)^```", tour, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert shown[1] in done.stdout
    assert '"name": "text/shout"' in done.stdout
    assert "2 definitions checked. No problems." in done.stdout
    exchange = page[page.index("## From supervisord to systemd") : page.index("## Publish")]
    messages, unit = re.findall(r"^```(?:text|ini)\n(.*?)^```", exchange, re.MULTILINE | re.DOTALL)
    assert unit in done.stdout
    assert set(messages.splitlines()) <= {*done.stdout.splitlines(), *done.stderr.splitlines()}
