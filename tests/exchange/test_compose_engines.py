"""Compose files that a real docker-compose interpolates, run by `make test-engines`."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from registry.exchange.compose import EXPORTER
from registry.exchange.exporting import export_definitions
from tests.exchange.test_compose import APPLICATION, interpolated
from tests.support.exchange_programs import run_exchange_program
from tests.support.hostile_text import HOSTILE, exportable
from tests.support.programs import required_program
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.engine

# PyYAML, with which docker-compose prints, folds this line end of old systems to a space.
TEXTS = [text for text in HOSTILE if text != "\x85"]


def compose_config(text: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Print a file as docker-compose understands it; it wants a version of the format."""
    (folder / "compose.yaml").write_text(f'version: "3.9"\n{text}', encoding="utf-8")
    return subprocess.run(
        [required_program("docker-compose"), "--file", "compose.yaml", "--profile", "single", "config"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def printed(text: str) -> Any:
    """A document that docker-compose wrote with PyYAML, which omits quotes that others need."""
    read = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    done = run_exchange_program("python", ["-c", read], text)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_docker_compose_reads_every_text(tmp_path: Path) -> None:
    environment = {
        f"V{number}": text for number, text in enumerate(TEXTS) if not re.match(r"\$\{\w+\}\Z", text)
    }
    parts: dict[str, Any] = {
        "exec": "/bin/a$b",
        "argv": TEXTS,
        "environment": environment | {"KEY": "${TOKEN}", "yes": "no"},
        "cwd": "/srv/$x y",
        "title": "5 $ ${x}",
        "application": APPLICATION | {"container_resources": {"cpu": "250m", "memory": "512Mi"}},
    }
    some = [
        exportable("weather/qc", process_type="service", **parts),
        exportable("text/job", timeout=1.5, **{"x-note": ["$", 1]}, **parts),
    ]
    (text,) = export_definitions(EXPORTER, some).files.values()
    done = compose_config(text, tmp_path, TOKEN="secret $$ ${x}")
    assert done.returncode == 0, done.stderr
    # It prints a file that can be read again, with `$$`.
    found = interpolated(printed(done.stdout)["services"])
    assert set(found) == {"weather-qc", "text-job"}
    for service in found.values():
        assert service["entrypoint"][-1] == "/bin/a$b"
        assert service["command"] == TEXTS
        assert service["environment"] == environment | {"KEY": "secret $$ ${x}", "yes": "no"}
        assert service["working_dir"] == "/srv/$x y"
        assert service["labels"]["process-registry.title"] == "5 $ ${x}"
        assert service["stop_grace_period"] == "10s"
    assert found["text-job"]["entrypoint"][:-1] == ["/usr/local/bin/registry-run", "-t", "1.5", "--"]
    assert found["weather-qc"]["restart"] == "on-failure"


def test_docker_compose_wants_the_variables_of_the_host(tmp_path: Path) -> None:
    definition = exportable(application=APPLICATION, environment={"KEY": "${TOKEN}"})
    (text,) = export_definitions(EXPORTER, [definition]).files.values()
    done = compose_config(text, tmp_path)
    assert done.returncode != 0
    assert "set TOKEN" in done.stderr
