from pathlib import Path

import pytest

from registry.execution.bubblewrap import Bubblewrap
from registry.execution.launcher import DirectLauncher, Program


def test_a_bare_name_is_looked_up_in_the_path_of_the_program(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    launcher = DirectLauncher()
    assert launcher.find("tool", {"PATH": str(tmp_path)}) == ""
    tool.chmod(0o755)
    assert launcher.find("tool", {"PATH": str(tmp_path)}) == str(tool)
    assert launcher.find("tool", {}) == ""
    assert launcher.find(str(tool), {}) == str(tool)
    assert launcher.find(str(tmp_path), {}) == ""


def test_a_missing_folder_is_an_obstacle(tmp_path: Path) -> None:
    launcher = DirectLauncher()
    assert launcher.obstacle(Program(("/bin/true",), {}, str(tmp_path))) == ""
    missing = launcher.obstacle(Program(("/bin/true",), {}, str(tmp_path / "none")))
    assert missing == f"the folder {tmp_path / 'none'} (cwd) does not exist here"


def test_a_sandbox_that_the_system_forbids_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Bubblewrap().unusable_because == "bubblewrap (bwrap) is not installed"
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr("os.defpath", str(tmp_path))
    forbidden = Bubblewrap().unusable_because
    assert forbidden == "bubblewrap fails: bwrap: No permissions to create new namespace"
