"""What holds for all formats of imports."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import UsageError
from registry.exchange.formats import importers
from registry.exchange.importer import Importer, ImportOptions
from registry.load import yaml
from registry.load.yaml.writer import to_yaml
from tests.conftest import Run
from tests.support.hostile_text import TEXTS
from tests.support.repo import RepoBuilder

IMPORTERS = list(importers())
PIECES = [
    *("[Unit]\n", "[Service]\n", "[program:a]\n", "[x]\n", "services:\n", "  a:\n", "    command: ", "a: ", "\n"),
    *("ExecStart=", "Environment=", "Type=oneshot\n", "TimeoutSec=", "command=", "environment=", "directory="),
    *("    image: x\n", "    environment:\n", "      A: ", "/bin/x ", "&a ", "*a", "<<: ", "- ", "{", "}", "cd / && "),
    *("exec ", "env ", "A=", "%(ENV_A)s", "${A}", "$A", "\\", "'", '"', " ", "=", ";", "#", "registry-run -t 1 -- "),
    *('{"exec": "a", ', '"objects": [', "]", '"definition": ', "cwlVersion: v1.2\nclass: CommandLineTool\n", "baseCommand: "),
]  # fmt: skip
WORDS = st.lists(st.one_of(st.sampled_from(PIECES), TEXTS), max_size=14).map("".join)


@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda one: one.name)
@given(WORDS)
def test_any_text_is_imported_or_refused(importer: Importer, text: str) -> None:
    if importer.recognizes is not None:
        importer.recognizes(text)
    try:
        found = importer.read("folder/file.service", text, ImportOptions())
    except UsageError as error:
        assert error.message
        return
    for one in found.definitions:
        to_yaml(one.document)


@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda one: one.name)
def test_the_page_of_formats_can_describe_it(importer: Importer) -> None:
    assert importer.gives
    assert importer.refuses


SECRETS = {
    "a.service": "[Service]\nEnvironment=TOKEN=FIXME\nUser=x\nExecStart=/bin/x\n",
    "supervisord.conf": '[program:a]\nenvironment=TOKEN="FIXME"\nuser=x\ncommand=/bin/x\n',
    "Procfile": "what\na: env TOKEN=FIXME /bin/x\n",
    "compose.yaml": "services:\n  a: {entrypoint: [/bin/x], environment: {TOKEN: FIXME}, user: x}\n",
}


@pytest.fixture
def where(repo: RepoBuilder) -> tuple[str, str]:
    (repo.root / "definitions").mkdir()
    return ("-C", str(repo.root))


@pytest.mark.parametrize("name", SECRETS)
def test_placeholders_for_secrets_become_references_on_request(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text(SECRETS[name])
    plain = run("import", str(tmp_path / name), "--folder", "plain", *where)
    assert "TOKEN: placeholder value; --secrets-from-env writes ${NAME}" in plain.err
    replaced = run("import", str(tmp_path / name), "--folder", "env", "--secrets-from-env", *where)
    assert "TOKEN: now taken from the runner's environment" in replaced.err
    values = {
        folder: yaml.read_data((repo.root / f"definitions/process_definition/{folder}/a.yaml").read_bytes())
        for folder in ("plain", "env")
    }
    assert [one["definition"]["environment"]["TOKEN"] for one in values.values()] == ["FIXME", "${TOKEN}"]


@pytest.mark.parametrize("name", SECRETS)
def test_strict_refuses_losses_and_json_lists_them(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path, name: str
) -> None:
    file = str(tmp_path / name)
    Path(file).write_text(SECRETS[name])
    strict = run("import", file, "--strict", *where)
    assert (strict.code, "Nothing was written, because of --strict" in strict.err) == (1, True)
    assert list((repo.root / "definitions").rglob("*.yaml")) == []
    refused = run("import", file, "--strict", "--format", "json", *where)
    found = json.loads(refused.out)
    assert (refused.code, found["imported"]) == (1, [])
    assert {"file": file, "why": found["lost"][0]["why"]}.items() <= found["lost"][0].items()
    done = json.loads(run("import", file, "--format", "json", *where).out)
    assert [one["path"] for one in done["imported"]] == ["definitions/process_definition/a.yaml"]
    assert done["lost"] == found["lost"]


def test_the_format_is_found_by_name_or_content_and_can_be_named(
    repo: RepoBuilder, run: Run, where: tuple[str, str], tmp_path: Path
) -> None:
    formats: dict[str, object] = {}
    for name, text in SECRETS.items():
        (tmp_path / f"my-{name}.txt").write_text(text)
        outcome = run(
            "import",
            str(tmp_path / f"my-{name}.txt"),
            "--folder",
            f"f{len(formats)}",
            "--format",
            "json",
            *where,
        )
        formats[name] = outcome.code or json.loads(outcome.out)["imported"][0]["format"]
    # A Procfile has no mark of its own.
    expected = {
        "a.service": "systemd",
        "supervisord.conf": "supervisord",
        "Procfile": 2,
        "compose.yaml": "compose",
    }
    assert formats == expected
    outcome = run("import", str(tmp_path / "my-Procfile.txt"), "--from", "procfile", *where)
    assert outcome.code == 0, outcome.err
