"""`registry comment` against a small forge: one comment, updated, whatever a stranger's report says."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from registry.reports.review import MARKER
from tests.conftest import Run
from tests.support.forge import TOKEN, FakeForge, fake_forge
from tests.support.repo import RepoBuilder

SHA = "a" * 40


@pytest.fixture
def forge() -> Iterator[FakeForge]:
    with fake_forge() as found:
        yield found


@pytest.fixture
def report(repo: RepoBuilder, run: Run, tmp_path: Path) -> Path:
    """A real report, of a change with an error and a breaking change."""
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: /bin/a, timeout: 60}\n")
    repo.commit("start")
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: /bin/a, timeout: 6, application: nowhere}\n")
    path = tmp_path / "review.json"
    assert run("review", "-C", str(repo.root), "--base", "HEAD", "--also", f"json={path}").code == 1
    return path


def set_up(forge: FakeForge, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variables that a job of this forge has."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 12}}))
    values = {
        "github": {
            "GITHUB_API_URL": forge.address,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": "team/processes",
            "GITHUB_EVENT_PATH": str(event),
        },
        "forgejo": {
            "GITHUB_SERVER_URL": forge.address,
            "GITHUB_API_URL": forge.address,
            "REGISTRY_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": "team/processes",
            "GITHUB_EVENT_PATH": str(event),
        },
        "gitlab": {
            "CI_API_V4_URL": forge.address,
            "REGISTRY_TOKEN": TOKEN,
            "CI_MERGE_REQUEST_IID": "12",
            "CI_MERGE_REQUEST_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_PROJECT_URL": f"{forge.address}/team/processes",
        },
    }[name]
    for key in ("GITHUB_API_URL", "GITHUB_TOKEN", "REGISTRY_TOKEN", "GITHUB_EVENT_PATH", "REGISTRY_BOT"):
        monkeypatch.delenv(key, raising=False)
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    forge.me = "github-actions[bot]" if name == "github" else "bot"


@pytest.mark.parametrize("name", ["github", "gitlab", "forgejo"])
def test_one_comment_is_written_and_then_updated(
    forge: FakeForge,
    name: str,
    report: Path,
    repo: RepoBuilder,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    set_up(forge, name, monkeypatch, tmp_path)
    forge.add("somebody", f"{MARKER}\nI can write a marker too")
    for number in range(150):
        forge.add("somebody", f"talk {number}")
    outcome = run("comment", name, "--report", str(report))
    assert outcome.code == 0, outcome.err
    assert outcome.out.strip().startswith(forge.address)
    ours = [one for one in forge.comments if one["user"]["login"] == forge.me]
    assert len(ours) == 1
    assert "R001" in ours[0]["body"]
    assert "C140" in ours[0]["body"]
    requests = len(forge.requests)
    assert run("comment", name, "--report", str(report)).code == 0
    assert not any(
        line.startswith(("POST", "PATCH", "PUT")) for line in forge.requests[requests:]
    )  # nothing new to say
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: /bin/a, timeout: 120}\n")
    assert run("review", "-C", str(repo.root), "--base", "HEAD", "--also", f"json={report}").code == 0
    assert run("comment", name, "--report", str(report)).code == 0
    ours = [one for one in forge.comments if one["user"]["login"] == forge.me]
    assert len(ours) == 1
    assert "C140" not in ours[0]["body"]
    assert "C141" in ours[0]["body"]


def test_a_pull_request_from_a_fork_is_found_by_where_its_branch_is_now(
    forge: FakeForge, report: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_up(forge, "github", monkeypatch, tmp_path)
    # As GitHub sends it: `pull_requests` is empty for forks.
    run_event = {
        "head_branch": "feature/x",
        "head_sha": SHA,
        "head_repository": {"owner": {"login": "stranger"}},
        "pull_requests": [],
    }
    (tmp_path / "event.json").write_text(json.dumps({"workflow_run": run_event}))
    forge.pulls = [
        {"owner": "other", "branch": "feature/x", "number": 13, "sha": SHA},
        {"owner": "stranger", "branch": "feature/x", "number": 12, "sha": SHA},
    ]
    assert run("comment", "github", "--report", str(report)).code == 0
    assert len(forge.comments) == 1
    forge.pulls[1]["sha"] = "b" * 40  # pushed again meanwhile
    outcome = run("comment", "github", "--report", str(report))
    assert (outcome.code, "no open pull request" in outcome.err) == (2, True)


def test_a_strangers_report_brings_no_markup_no_links_and_no_words_of_ours(report: Path, run: Run) -> None:
    evil = "</details>![x](http://evil) @everyone <script> **bold** `code` \n# heading\n| a | http://evil"
    body: Any = json.loads(report.read_text())
    body["note"] = evil
    body["problems"][0] |= {"message": evil, "hint": evil, "path": evil, "pointer": evil}
    change = body["changes"]["definitions"][0]
    change |= {"name": evil, "path": evil, "owners": [evil], "affects": [evil]}
    for one in change["changes"]:
        one |= {
            "pointer": evil,
            "old": evil,
            "new": {evil: evil},
            "title": "Approved by the security team",
            "reason": evil,
            "action": evil,
            "note": evil,
        }
    report.write_text(json.dumps(body))
    outcome = run("comment", "github", "--report", str(report), "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "Approved" not in outcome.out
    page = Shown()
    page.feed(MarkdownIt("commonmark", {"html": True}).render(outcome.out))
    assert page.tags <= {
        "h2",
        "h3",
        "p",
        "strong",
        "sub",
        "br",
        "ul",
        "li",
        "code",
        "pre",
        "details",
        "summary",
    }
    # Forges make links and mentions of plain text, too.
    assert "http://evil" not in page.text
    assert "@everyone" not in page.text
    assert "bold" not in page.strong
    assert not any("evil" in heading for heading in page.headings)


class Shown(HTMLParser):
    """What a reader of the comment sees: its elements, its text outside of code, and what is strong or a heading there."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = self.strong = ""
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"code", "pre"} & set(self.open):
            self.text += data
            self.strong += data if "strong" in self.open else ""
            if {"h1", "h2", "h3"} & set(self.open):
                self.headings.append(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"problems": [], "changes": null}',
        '{"problems": [{}], "changes": null, "note": ""}',
        "[" * 100_000,
        '{"problems": [], "note": "", "changes": {"base": "x"}}',
        '{"problems": 7, "note": "", "changes": null}',
    ],
)
def test_what_is_no_report_is_refused(text: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "review.json"
    path.write_text(text)
    outcome = run("comment", "github", "--report", str(path), "--dry-run")
    assert outcome.code == 2
    assert "not a report of `registry review --format json`" in outcome.err


def test_a_missing_variable_a_wrong_token_and_a_redirect_are_said(
    forge: FakeForge, report: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_up(forge, "github", monkeypatch, tmp_path)
    monkeypatch.setenv("GITHUB_TOKEN", "other")
    outcome = run("comment", "github", "--report", str(report))
    assert (outcome.code, "401" in outcome.err, "other" in outcome.err) == (2, True, False)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with fake_forge() as elsewhere:
        forge.redirect_to = elsewhere.address  # the token must not go there
        assert run("comment", "github", "--report", str(report)).code == 2
        assert elsewhere.requests == []
    monkeypatch.delenv("GITHUB_TOKEN")
    outcome = run("comment", "github", "--report", str(report))
    assert (outcome.code, "GITHUB_TOKEN" in outcome.err) == (2, True)
