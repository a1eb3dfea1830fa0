"""The units of 40 Debian packages: each is imported, or refused with a reason."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from registry.errors import UsageError
from registry.exchange.importer import ImportOptions
from registry.exchange.systemd_import import read_unit
from registry.load import yaml
from registry.load.kinds import load_kinds
from registry.load.source import WorkTree
from registry.load.yaml.writer import to_yaml
from tests.support.programs import required_program, skip_outside_of_ci
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.engine

SCRIPT = Path(__file__).parent.parent.parent / "scripts/download-units"


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The unit files of the packages."""
    for program in ("apt-get", "dpkg-deb"):
        required_program(program)
    folder = tmp_path_factory.mktemp("packages")
    done = subprocess.run(
        [SCRIPT, folder], capture_output=True, text=True, timeout=5 * PATIENCE_S, check=False
    )
    if done.returncode != 0:
        skip_outside_of_ci(f"the packages cannot be downloaded: {done.stderr}")
    assert len(list(folder.iterdir())) == 40
    return [path for path in sorted(folder.rglob("*.service")) if path.is_file() and not path.is_symlink()]


def test_each_unit_is_imported_or_refused_with_a_reason(units: list[Path], tmp_path: Path) -> None:
    kinds, _ = load_kinds(WorkTree(tmp_path))
    validator = kinds.by_name["process_definition"].validator
    outcomes = Counter[str]()
    for path in units:
        text = path.read_text(encoding="utf-8")
        try:
            (found,) = read_unit(str(path), text, ImportOptions()).definitions
        except UsageError as error:
            assert error.message.startswith(str(path))
            outcomes["refused"] += 1
            continue
        outcomes["imported"] += 1
        assert validator.is_valid(found.document), path
        assert yaml.read(to_yaml(found.document).encode(), "a.yaml").problems == ()
        lines = text.splitlines()
        for loss in found.losses:
            # A variable of ExecStart= is named as such, a setting by its section.
            assert loss.why
            assert loss.field.rpartition(" ")[2].rstrip("-@+!:|") in lines[loss.line - 1]
    assert outcomes["imported"] > outcomes["refused"] > 0
