"""Manifests that kubernetes-validate accepts, run by `make test-engines`."""

from pathlib import Path

import pytest

from registry.exchange.exporter import with_losses
from registry.exchange.kubernetes import EXPORTER
from tests.exchange.test_kubernetes import APPLICATION, FILES
from tests.support.exchange_programs import run_exchange_program
from tests.support.hostile_text import HOSTILE, exportable

pytestmark = pytest.mark.engine


def test_manifests_are_valid(tmp_path: Path) -> None:
    application = APPLICATION | {"container_resources": {"cpu": 0.5, "memory": "512Mi"}}
    common = {
        "application": application,
        "argv": list(HOSTILE),
        "environment": {"A": "$(B)", "KEY": "${TOKEN}"},
    }
    some = [
        exportable("audio/encode", timeout=1.5, cwd="/srv", **common, **FILES),
        exportable(
            "Weather/QC",
            process_type="service",
            input_adapter={"input_type": "port", "input_params": {"tcp_port": 8090}},
            title="$",
            **common,
        ),
    ]
    for one in some:
        text = with_losses(EXPORTER, EXPORTER.export(one))
        (tmp_path / EXPORTER.file_name(one.name)).write_text(text, encoding="utf-8")
    job, deployment = sorted(tmp_path.iterdir())
    done = run_exchange_program("kubernetes-validate", ["--strict", job, deployment])
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = job.read_text(encoding="utf-8").replace("          args:\n", "          arguments:\n")
    job.write_text(wrong, encoding="utf-8")
    done = run_exchange_program("kubernetes-validate", ["--strict", job])
    assert done.returncode != 0
    assert "arguments" in done.stdout + done.stderr
