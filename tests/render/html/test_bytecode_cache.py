"""Our own templates are kept compiled where Python keeps code, and whatever becomes of that, pages are the same."""

import os
import subprocess
import sys
from pathlib import Path

from jinja2.bccache import bc_magic

from tests.support.repo import RepoBuilder

# What may be left of a kept template.
_BROKEN = (b"", b"\0", b"not a template", bc_magic, bc_magic + b"not a template")


def _build(repo: RepoBuilder, compiled: Path, out: str) -> dict[str, bytes]:
    """Build from nothing in a process of its own, whose compiled code lies below `compiled`; the pages."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [
        sys.executable,
        "-m",
        "registry",
        "build",
        "--from-nothing",
        "--registry",
        str(repo.root),
        "--out",
        str(repo.root / out),
    ]
    subprocess.run(
        command, env={**variables, "PYTHONPYCACHEPREFIX": str(compiled)}, check=True, cwd=repo.root
    )
    site = (repo.root / out).resolve()
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*.html")}


def _kept(compiled: Path) -> list[Path]:
    return sorted(compiled.rglob("*.template"))


def test_pages_are_the_same_with_kept_templates_and_with_broken_ones(
    repo: RepoBuilder, tmp_path: Path
) -> None:
    repo.write("registry.yaml", "layout: full\n")
    repo.define("a")
    repo.commit("one")
    compiled = tmp_path / "compiled"
    first = _build(repo, compiled, "first")
    kept = _kept(compiled)
    assert {path.name.partition(".")[0] for path in kept} >= {"base", "index", "definition", "revision"}
    written = {path: path.read_bytes() for path in kept}
    assert _build(repo, compiled, "second") == first
    assert {path: path.read_bytes() for path in kept} == written  # they were read, not made anew
    for content in (*_BROKEN, written[kept[0]][:-20]):
        for path in kept:
            path.write_bytes(content)
        assert _build(repo, compiled, "third") == first
    assert {path: path.read_bytes() for path in _kept(compiled)} == written


def test_templates_of_a_registry_are_never_kept_compiled(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.define("a")
    repo.write("site_templates/404.html", "Nothing here")
    repo.commit("one")
    assert _build(repo, tmp_path / "compiled", "site")["404.html"] == b"Nothing here"
    assert _kept(tmp_path / "compiled") == []
