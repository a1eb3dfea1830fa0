"""What revisions hold: ids seen without reading, contents read ahead, spooled or one by one the same."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.credentials import SecretFields
from registry.git import GitError, open_repository
from registry.history.blobs import BlobReader, BlobSpool, id_in
from registry.load import yaml
from registry.load.source import open_source
from registry.model.definition import id_of
from registry.pipeline import check_source
from tests.support.repo import RepoBuilder

LINES = st.sampled_from(
    [
        "id: 7",
        "id: 8  # given",
        "id : 9",
        '"id": 3',
        "? id",
        ": 4",
        "id: 0",
        "id: 07",
        "id: seven",
        "title: it's",
        "title: 'a",
        "id: 5'",
        'x: "a',
        '  id: 6"',
        "  id: 6",
        "definition:",
        "text: |",
        "  id: 12",
        "- id: 4",
        "{id: 5}",
        "---",
        "...",
        "# id: 3",
        "",
        "\ufeffid: 4",
        "  - id: 5",
        "%YAML 1.2",
        "id: &a 5",
        "!!map",
        "x: [",
        "]",
        "id:\t5",
        "title: a",
        "Id: 4",
    ]
)


def read_id(data: bytes) -> int | None:
    document = yaml.read_data(data)
    return id_of(document) if isinstance(document, dict) else None


@given(st.lists(LINES, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_an_id_seen_is_the_one_that_reading_finds(lines: list[str], end: str) -> None:
    data = end.join([*lines, ""]).encode()
    document = yaml.read_data(data)
    if isinstance(document, dict) or id_in(data) is None:
        assert id_in(data) == read_id(data)


def test_a_file_that_cannot_be_read_keeps_the_id_that_its_line_says() -> None:
    assert id_in(b"id: 7\ntitle: [\n") == 7
    assert id_in(b"- id: 7\n") is None


@pytest.mark.skipif(not hasattr(os, "pread"), reason="spools are for processes that fork")
def test_contents_are_the_same_however_they_are_read(repo: RepoBuilder) -> None:
    for number in range(40):
        repo.define("a", f"id: 1\ntitle: T{number}\ndefinition: {{exec: /bin/x}}\n")
        repo.commit(f"{number}")
    opened = open_source(repo.root).repository
    assert opened is not None
    blobs = repo.git("log", "--format=", "--raw", "--no-abbrev").split("\n")
    blobs = [line.split()[3] for line in blobs if line.startswith(":")][:40]
    one, ahead, some, spooled = (BlobReader(opened, SecretFields()) for _ in range(4))
    ahead.prefetch(blobs)
    some.prefetch(blobs[5:9])
    spool = BlobSpool()
    for blob, data in opened.read_blobs(blobs, at_most=1_000_000):
        assert isinstance(data, bytes)
        spool.put(blob, data)
    spool.finish()
    spooled.read_first_from(spool)
    for blob in reversed(blobs):
        assert one.get(blob) == ahead.get(blob) == some.get(blob) == spooled.get(blob) is not None
    assert {str((one.get(blob) or {})["title"]) for blob in blobs} == {f"T{number}" for number in range(40)}


def test_contents_that_git_does_not_have_are_told(repo: RepoBuilder) -> None:
    repo.define("a")
    repo.commit("start")
    opened = open_repository(Path(repo.root))
    assert opened is not None
    contents = BlobReader(opened, SecretFields())
    with pytest.raises(GitError, match="git does not have the blob"):
        contents.get("0123456789" * 4)


@pytest.mark.parametrize(
    "text",
    [
        "title: T\ndefinition: {exec: /bin/x}\n# password: hunter2\n",
        "title: T # --token=s3cr3t-Value\ndefinition: {exec: /bin/x}\n",
        "- title: a list\n- password: hunter2\n",
    ],
)
def test_text_that_may_hold_a_credential_is_not_shown_as_written(repo: RepoBuilder, text: str) -> None:
    repo.define("a", text)
    repo.commit("start")
    opened = open_repository(Path(repo.root))
    assert opened is not None
    blob = repo.git("rev-parse", "HEAD:definitions/process_definition/a.yaml")
    assert BlobReader(opened, SecretFields((("definition",),))).written(blob) == ""
    repo.define("a", "title: T\ndefinition: {exec: /bin/x}  # runs it\n")
    repo.commit("harmless")
    blob = repo.git("rev-parse", "HEAD:definitions/process_definition/a.yaml")
    assert "# runs it" in BlobReader(opened, SecretFields((("definition",),))).written(blob)


def test_a_credential_of_the_current_file_is_hidden_too(repo: RepoBuilder) -> None:
    repo.define("a", "title: T\ndefinition: {exec: /bin/x, environment: {DB_PASSWORD: kXq9Lr2vTz81Wm4p}}\n")
    repo.commit("start")
    source = open_source(repo.root)
    definition = check_source(source).loaded.definitions[0]
    reader = BlobReader(source.repository, SecretFields((("definition",),)))
    reader.take([definition])
    assert "kXq9Lr2vTz81Wm4p" not in repr(reader.get(definition.blob))
    assert reader.written(definition.blob) == ""


@pytest.mark.skipif(not hasattr(os, "pread"), reason="spools are for processes that fork")
def test_two_contents_whose_ids_start_alike_are_kept_apart() -> None:
    spool = BlobSpool()
    ids = ["ab" * 8 + "0" * 24, "ab" * 8 + "1" * 24]
    for number, blob in enumerate(ids):
        spool.put(blob, b"%d" % number)
    spool.finish()
    assert [spool.get(blob) for blob in [*ids, "ab" * 8 + "2" * 24]] == [b"0", b"1", None]
