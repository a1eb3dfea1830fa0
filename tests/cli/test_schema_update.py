"""Copies of the program's schemas: older ones are reported (K020), and `registry schema --update` replaces them."""

from pathlib import Path

import pytest

from registry.load.schema_copies import DIGESTS
from tests.conftest import Run

ROOT = Path(__file__).parent.parent.parent
SCHEMA = "schema/adapters/port.schema.json"
EARLIER = (ROOT / "tests/support/port.schema.json.earlier").read_bytes()
COMMON = "schema/adapters/common.schema.json"


def test_an_older_copy_is_reported_and_replaced(run: Run, tmp_path: Path) -> None:
    registry = tmp_path / "reg"
    run("init", str(registry))
    (registry / SCHEMA).write_bytes(EARLIER)
    checked = run("check", "-C", str(registry))
    assert f"{SCHEMA}:1:1: warning K020" in checked.out
    assert "registry schema --update" in checked.out

    updated = run("schema", "--update", "-C", str(registry))
    assert updated.code == 0
    assert f"Updated {SCHEMA}." in updated.out
    assert (registry / SCHEMA).read_bytes() == (ROOT / SCHEMA).read_bytes()
    assert "K020" not in run("check", "-C", str(registry)).out
    assert "No copy is older" in run("schema", "--update", "-C", str(registry)).out


def test_an_older_copy_with_other_line_ends_is_found(run: Run, tmp_path: Path) -> None:
    registry = tmp_path / "reg"
    run("init", str(registry))
    (registry / SCHEMA).write_bytes(EARLIER.replace(b"\n", b"\r\n"))
    assert "K020" in run("check", "-C", str(registry)).out


def test_a_file_that_the_registry_changed_is_kept(run: Run, tmp_path: Path) -> None:
    registry = tmp_path / "reg"
    run("init", str(registry))
    changed = (registry / COMMON).read_bytes().replace(b'"$defs"', b'"$comment": "ours", "$defs"', 1)
    (registry / COMMON).write_bytes(changed)
    assert "K020" not in run("check", "-C", str(registry)).out
    updated = run("schema", "--update", "-C", str(registry))
    assert f"Kept {COMMON}" in updated.out
    assert (registry / COMMON).read_bytes() == changed


def test_a_link_is_not_written_through(run: Run, tmp_path: Path) -> None:
    registry = tmp_path / "reg"
    run("init", str(registry))
    elsewhere = tmp_path / "elsewhere"
    (registry / "schema").rename(elsewhere)
    (elsewhere / "adapters/port.schema.json").write_bytes(EARLIER)
    (registry / "schema").symlink_to(elsewhere)
    assert run("schema", "--update", "-C", str(registry)).code != 0
    assert (elsewhere / "adapters/port.schema.json").read_bytes() == EARLIER


def test_the_list_has_the_current_schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import generate_docs  # type: ignore[import-not-found, unused-ignore]

    assert DIGESTS.read_text(encoding="ascii") == generate_docs.schema_digests(), "run `make accept`"
