"""The commands of docs/mcp.md work as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.server.test_http_contract import ask
from tests.support.mcp import mistakes, summary
from tests.support.nginx import answering, free_port

GUIDE = Path(__file__).parents[2] / "docs/mcp.md"


def test_the_guide_leads_to_a_registry_that_answers(tmp_path: Path) -> None:
    page = GUIDE.read_text(encoding="utf-8")
    script = "set -e\n" + "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    identity = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ana"), ("EMAIL", "ana@example.org"))
    }
    environment = {
        **os.environ,
        **identity,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '"command": "npx"' in done.stdout
    root = tmp_path / "tool-servers"
    assert (root / "export/mcp.json").exists()
    assert "v0\\.1/servers" in (root / "tool-servers.conf").read_text(encoding="utf-8")
    requests = re.findall(r"^curl http://127\.0\.0\.1:8080(\S+)$", page, re.MULTILINE)
    assert len(requests) == 3
    port = free_port()
    command = [sys.executable, "-m", "registry", "serve", "-C", str(root), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    with answering(process, port) as address:
        for path in requests:
            answer = ask(address, path)
            assert (answer.status, mistakes(answer.json)) == (200, [])
            assert summary(answer.json) == [("com.example/weather", "1.4.0", "active", True)]
