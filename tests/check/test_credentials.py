"""A credential is found where it stands, and told nowhere: not in messages, lines, answers, pages or the log."""

from pathlib import Path

import pytest

from registry.reports import FORMATS
from tests.conftest import Run
from tests.support.repo import RepoBuilder

SECRET = "kXq9Lr2vTz81Wm4p"
HEAD = "title: T\nowners: [t]\ndefinition:\n  exec: /bin/a\n"


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (f"  environment: {{DB_PASSWORD: {SECRET}}}\n", "/definition/environment/DB_PASSWORD"),
        (f"  argv: [--verbose, --password, {SECRET}]\n", "/definition/argv/2"),
        (f"  argv: ['--api-key={SECRET}']\n", "/definition/argv/0"),
        (
            f"  output_adapter: {{output_type: http, output_params: {{url: 'https://u:{SECRET}@h/x'}}}}\n",
            "/definition/output_adapter/output_params/url",
        ),
        (
            f"  environment: {{SETTINGS: 'mode=fast;password={SECRET}', TOKEN: {SECRET}}}\n",
            "/definition/environment/TOKEN",
        ),
    ],
)
@pytest.mark.parametrize("name", FORMATS)
def test_it_is_an_error_and_no_format_tells_it(
    repo: RepoBuilder, run: Run, text: str, pointer: str, name: str
) -> None:
    repo.define("a", HEAD + text)
    outcome = run("check", "-C", str(repo.root), "--format", name)
    assert outcome.code == 1
    assert "X001" in outcome.out
    assert SECRET not in outcome.out + outcome.err
    if name == "json":
        assert pointer in outcome.out


@pytest.mark.parametrize(
    "text",
    [
        f"  environment: {{DB_PASSWORD: 8675309{'0' * 6}}}\n",  # a number: the schema's finding would quote it
        f"  environment: {{DB_PASSWORD: {SECRET}, OTHER: 1}}\n",
        f"  environment: {{DB_PASSWORD: {SECRET}\n",  # cannot be read at all
        f"  environment: [DB_PASSWORD={SECRET}]\n",
        f"  argv: --password={SECRET}\n",
    ],
)
def test_other_findings_do_not_tell_it_either(repo: RepoBuilder, run: Run, text: str) -> None:
    repo.define("a", HEAD + text)
    outcome = run("check", "-C", str(repo.root))
    assert outcome.code == 1
    assert SECRET not in outcome.out
    assert "8675309" not in outcome.out


def test_a_reviewed_exception_is_written_in_the_file(repo: RepoBuilder, run: Run) -> None:
    ignore = "ignore: [{rule: X001, path: /definition/environment/DB_PASSWORD, reason: The test database has no other}]\n"
    repo.define("a", ignore + HEAD + f"  environment: {{DB_PASSWORD: {SECRET}}}\n")
    assert run("check", "-C", str(repo.root)).code == 0


def test_what_stands_in_old_revisions_is_hidden_everywhere(repo: RepoBuilder, run: Run) -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define(
        "a", HEAD + f"  environment: {{DB_PASSWORD: {SECRET}, LEVEL: info}}\n  argv: [--token, {SECRET}]\n"
    )
    repo.commit("add it")
    repo.define("a", HEAD + '  environment: {DB_PASSWORD: "${DB_PASSWORD}", LEVEL: debug}\n')
    repo.commit("mend it")
    assert run("index", "-C", str(repo.root)).code == 0
    assert run("build", "-C", str(repo.root)).code == 0
    told = [
        path
        for path in Path(repo.root / "site").resolve().rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert told == []
    revision = (repo.root / "site/api/process_definition/1/history.json").read_text()
    assert '"DB_PASSWORD":"[hidden]"' in revision
    assert '"LEVEL":"info"' in revision
    log = run("log", "a", "-C", str(repo.root))
    assert "[hidden] → ${DB_PASSWORD}" in log.out
    assert SECRET not in log.out


def test_a_placeholder_is_a_warning(repo: RepoBuilder, run: Run) -> None:
    repo.define("a", HEAD + "  environment: {AWS_SECRET_ACCESS_KEY: FIXME}\n")
    outcome = run("check", "-C", str(repo.root))
    assert (outcome.code, "warning X002" in outcome.out) == (0, True)


def test_a_second_opinion_finds_what_we_did_not(repo: RepoBuilder, run: Run) -> None:
    repo.define(
        "a", HEAD + "  environment: {passwd_hint: open sesame please, LEVEL: info, HOST: db.example.org}\n"
    )
    assert run("check", "-C", str(repo.root)).out == "1 definition checked. No problems.\n"
    again = run("check", "--second-opinion", "-C", str(repo.root))
    assert (again.code, again.out.count("X003")) == (0, 1)
    assert "warning X003: detect-secrets reports: Secret Keyword" in again.out
