from pathlib import Path

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
