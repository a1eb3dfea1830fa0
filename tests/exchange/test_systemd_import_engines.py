"""Units of Debian packages are imported, or refused with a reason, and systemd itself reads the same words."""

import random
import re
import subprocess
import tempfile
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
from tests.support.systemd_manager import command, descriptions, values
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


PIECES = (
    *("a", "b", '"', "'", "\\", r"\n", r"\x41", r"\u00e9", r"\101", r"\s", r"\;", "; ", " ", "  ", "\t", "\\\n"),
    *("\\\n# c\n", "\n", "$$", "$", "${A}", "$A ", "%%", "é", "=", "#", r"\q", '""', "''", r"\"", r"\'", "{", "}"),
    *("-", r"\\", "$B", "${B}", "|", "&", ":", "@", "x=y"),
)  # fmt: skip


REPLACED = re.compile(r"\$(?:\$|\{(?P<name>[^}]*)(?P<end>\}?))")


def test_systemd_reads_the_same_words_and_variables() -> None:
    chosen = random.Random(7)
    texts = {}
    for number in range(600):
        variable, arguments = ("".join(chosen.choices(PIECES, k=chosen.randint(1, 9))) for _ in range(2))
        text = f"[Service]\nEnvironment=A=1 B=2\nEnvironment=C={variable}\nExecStart=/bin/echo {arguments}\n"
        texts[f"q{number}.service"] = text
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        main = f"[Unit]\nWants={' '.join(texts)}\n[Service]\nExecStart=/bin/echo\n"
        for file, text in {**texts, "main.service": main}.items():
            (folder / file).write_text(text)
            (folder / file).chmod(0o644)
        read = descriptions(folder / "main.service")
    compared = 0
    for file, text in texts.items():
        try:
            (found,) = read_unit(file, text, ImportOptions()).definitions
        except UsageError:
            continue
        content = found.document["definition"]
        variables = dict(value.split("=", 1) for value in values(read[file], "Environment"))
        assert content.get("environment", {}) == variables, text
        assert [content["exec"], *content.get("argv", [])] == expanded(command(read[file]), variables), text
        compared += 1
    assert compared > 300


def expanded(words: list[str], variables: dict[str, str]) -> list[str]:
    """The words with which the program starts, by systemd.service(5), "Command Lines"."""
    found = words[:1]
    for word in words[1:]:
        if word.startswith("$") and word[1:2] not in ("{", "$"):
            found += variables.get(word[1:], "").split()
        else:
            found.append(REPLACED.sub(lambda match: _value(match, variables), word))
    return found


def _value(match: re.Match[str], variables: dict[str, str]) -> str:
    if match["name"] is None:
        return "$"
    return variables.get(match["name"], "") if match["end"] else match[0]
