"""Without an extra, its commands print the command that installs it, and all other commands work."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from registry import __version__
from registry.cli.extras import EXTRAS
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S, eventually

ROOT = Path(__file__).parent.parent.parent
MODULE_OF_PACKAGE = {
    "argon2-cffi": "argon2",
    "prometheus-client": "prometheus_client",
    "psycopg[binary]": "psycopg",
}
SERVE = EXTRAS["serve"]
MODULES = (*SERVE, "uvloop", *EXTRAS["sql"], *EXTRAS["s3"])
# None in sys.modules makes every import of the module fail, as if it was not installed.
WITHOUT_EXTRA = f"""
import sys
sys.modules.update(dict.fromkeys({MODULES!r}))
from registry.__main__ import run
run()
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", WITHOUT_EXTRA, *words]


def call(*words: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*words), capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=cwd
    )


@pytest.fixture
def registry(repo: RepoBuilder) -> RepoBuilder:
    repo.define("a")
    repo.commit()
    return repo


@pytest.mark.parametrize(
    ("extra", "modules"),
    [("serve", {*SERVE, "uvloop"}), ("sql", {*EXTRAS["sql"]}), ("s3", {*EXTRAS["s3"]})],
)
def test_an_extra_has_all_modules_of_its_commands_and_the_program_requires_none_of_them(
    extra: str, modules: set[str]
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        packages = {requirement.partition(">")[0].lower() for requirement in requirements}
        return {MODULE_OF_PACKAGE.get(package, package) for package in packages}

    assert names(project["optional-dependencies"][extra]) == modules
    assert not names(project["dependencies"]) & modules


def test_serve_prints_the_command_that_installs_it(registry: RepoBuilder) -> None:
    done = call("serve", "-C", str(registry.root))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"error: `registry serve` needs the extra `serve` (missing: {', '.join(SERVE)})",
        "hint: pip install 'process-registry[serve] @ "
        f"git+https://git.example.org/process-registry.git@v{__version__}'",
    ]


def test_export_prints_the_command_that_installs_its_extra(registry: RepoBuilder) -> None:
    done = call("export", "--to", "sql", "--url", "sqlite:///r.sqlite", "-C", str(registry.root))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: `registry export` needs the extra `sql` (missing: psycopg, pymysql, sqlalchemy)",
        f"hint: pip install 'process-registry[sql] @ git+https://git.example.org/process-registry.git@v{__version__}'",
    ]


def test_publish_prints_the_command_that_installs_its_extra(registry: RepoBuilder) -> None:
    done = call("publish", "s3://bucket", "-C", str(registry.root))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "error: `registry publish` needs the extra `s3` (missing: obstore)"
    assert "pip install 'process-registry[s3] @ " in done.stderr
    assert call("build", "-C", str(registry.root)).returncode == 0
    folder = f"folder:{registry.root.parent / 'www'}"
    assert call("publish", folder, "-C", str(registry.root)).returncode == 0


@pytest.mark.parametrize("words", ["user list", "token list"])
def test_so_do_the_commands_for_users(words: str, tmp_path: Path) -> None:
    done = call(*words.split(), "--users", str(tmp_path / "users.yaml"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"error: `registry {words.partition(' ')[0]}` needs the extra `serve` (missing: {', '.join(SERVE)})",
        "hint: pip install 'process-registry[serve] @ "
        f"git+https://git.example.org/process-registry.git@v{__version__}'",
    ]


def test_serve_names_the_address_that_the_registry_installs_from(registry: RepoBuilder) -> None:
    registry.write("registry.yaml", "install_from: https://git.example.com/tools/registry.git@v9.1.0\n")
    done = call("serve", "-C", str(registry.root))
    assert done.returncode == 2
    assert (
        "pip install 'process-registry[serve] @ git+https://git.example.com/tools/registry.git@v9.1.0'"
        in done.stderr
    )


@pytest.mark.parametrize(
    "words", ["check", "build", "list", "show a", "log a", "serve --help", "user --help"]
)
def test_other_commands_work(registry: RepoBuilder, words: str) -> None:
    where = [] if "--help" in words else ["-C", str(registry.root)]
    done = call(*words.split(), *where)
    assert done.returncode == 0, done.stderr


def test_watch_works(registry: RepoBuilder, tmp_path: Path) -> None:
    site, log = tmp_path / "site", tmp_path / "watch.log"
    with log.open("wb") as file:
        words = command("watch", "-C", str(registry.root), "--out", str(site))
        process = subprocess.Popen(words, stdout=file, stderr=file, env={"PATH": os.environ["PATH"]})
    try:
        eventually((site / "process_definition/a/index.html").exists, "the site")
        registry.define("b")
        eventually((site / "process_definition/b/index.html").exists, "the new page")
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
    assert "Traceback" not in log.read_text()
