"""`make release`: version, change log and tag name must agree before a tag is offered."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A committed project whose change log has a section for its version."""
    for name in ("registry", "scripts"):
        (tmp_path / name).mkdir()
    shutil.copy(ROOT / "scripts/release", tmp_path / "scripts/release")
    (tmp_path / "registry/__init__.py").write_text('"""Doc."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.3] - 2026-01-02\n\n- One thing.\n")
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, stdout=subprocess.DEVNULL)


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Change")


def release(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["sh", "scripts/release"], cwd=folder, capture_output=True, text=True, check=False)


def test_a_ready_checkout_gets_the_command_for_its_tag(checkout: Path) -> None:
    done = release(checkout)
    assert done.returncode == 0
    assert "git tag --annotate v1.2.3 --message 'Process Registry 1.2.3'" in done.stdout


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("registry/__init__.py", '__version__ = "next"\n', "no version"),
        ("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n", "has no section"),
        ("CHANGELOG.md", "# Changelog\n\n## [1.2.3]\n", "has no section"),
        ("CHANGELOG.md", "# Changelog\n\n## [1.2.33] - 2026-01-02\n", "has no section"),
    ],
)
def test_disagreement_is_named(checkout: Path, path: str, text: str, reason: str) -> None:
    (checkout / path).write_text(text)
    commit(checkout)
    done = release(checkout)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "git tag" not in done.stdout


def test_changes_that_are_not_committed_stop_it(checkout: Path) -> None:
    (checkout / "new.txt").write_text("x")
    done = release(checkout)
    assert done.returncode == 1
    assert "not committed" in done.stderr


def test_a_tag_is_never_offered_twice(checkout: Path) -> None:
    git(checkout, "tag", "v1.2.3")
    done = release(checkout)
    assert done.returncode == 1
    assert "exists" in done.stderr
