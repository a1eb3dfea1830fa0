"""The wheel works on its own: built, installed into an empty environment, used for a new registry."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def call(*words: str, cwd: Path) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        **{key: value for key, value in os.environ.items() if key.startswith("PIP_")},
    }
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_carries_what_it_needs_and_makes_a_registry(tmp_path: Path) -> None:
    # The build tools are in our own environment: nothing but the dependencies is fetched.
    call(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path / "dist"),
        str(ROOT),
        cwd=tmp_path,
    )
    wheel = next((tmp_path / "dist").glob("process_registry-*.whl"))
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    call(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--constraint",
        str(ROOT / "requirements-dev.lock"),
        str(wheel),
        cwd=tmp_path,
    )
    registry = str(tmp_path / "venv/bin/registry")
    assert "Created a registry" in call(registry, "init", "mine", cwd=tmp_path)
    assert "1 definition checked. No problems." in call(registry, "check", cwd=tmp_path / "mine")
    assert "1 definition, 1 revision" in call(registry, "build", cwd=tmp_path / "mine")
    assert (tmp_path / "mine/site/index.html").is_file()
    assert (tmp_path / "mine/site/schema/process_definition.schema.json").is_file()
    # Without any of its own files it uses those of the wheel.
    call("rm", "-r", "schema", cwd=tmp_path / "mine")
    call(registry, "build", cwd=tmp_path / "mine")
    where = call(
        python,
        "-c",
        "from registry.load.defaults import defaults_folder; print(defaults_folder('schema'))",
        cwd=tmp_path,
    ).strip()
    assert where.startswith(str((tmp_path / "venv").resolve()))
    assert {path.name for path in Path(where).iterdir()} == {
        path.name for path in (ROOT / "schema").iterdir()
    }
