"""registry.yaml: sensible without any of it, and a wrong key is reported with the nearest right one."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from registry.errors import UsageError
from registry.load.settings import Settings, overridden, parse_settings, settings_schema
from registry.load.source import WorkTree
from tests.conftest import Run


def test_without_the_file_or_with_only_comments_everything_has_a_value() -> None:
    assert parse_settings(None) == (Settings(), ())
    assert parse_settings(b"# title: x\n\n") == (Settings(), ())
    assert Settings().base_path == "/"


def test_every_setting_is_read() -> None:
    settings, problems = parse_settings(
        b"title: T\ndescription: D\nbase_url: https://r.example.org/sub/\nregistry_id: 12345678-aa\npage_size: 5\nhistory: commits\nlayout: full\naddresses: json\noutput: public/site\n"
        b"bot_name: Bot\nbot_email: bot@example.org\nhost_files: true\n"
        b"repo_url: https://git.example.org/o/r\nrepo_type: forgejo\nrepo_branch: trunk\nrepo_folder: a/b\n"
    )
    assert not problems
    assert settings == Settings(
        "T",
        "D",
        "https://r.example.org/sub/",
        "12345678-aa",
        5,
        "commits",
        "full",
        "json",
        "public/site",
        "Bot",
        "bot@example.org",
        repo_url="https://git.example.org/o/r",
        repo_type="forgejo",
        repo_branch="trunk",
        repo_folder="a/b",
        host_files=True,
    )
    assert settings.base_path == "/sub/"


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("titel: x", (1, 1), "unknown key `titel`", "did you mean `title`?"),
        ("base-url: /", (1, 1), "unknown key `base-url`", "did you mean `base_url`?"),
        (
            "repo_url: https://git.example.org/o/r",
            (1, 11),
            "the host does not tell which forge this is",
            "add `repo_type: github`, `gitlab` or `forgejo`",
        ),
        (
            "repo_url: http://github.com/o/r",
            (1, 11),
            "`repo_url` must be an https address of a repository without a password, as in"
            " https://github.com/example/processes",
            "",
        ),
        (
            "repo_url: javascript://github.com/%0aalert(1)",
            (1, 11),
            "`repo_url` must be an https address of a repository without a password, as in"
            " https://github.com/example/processes",
            "",
        ),
        ("page_size: 0", (1, 12), "`page_size` must be at least 1", ""),
        (
            "history: none",
            (1, 10),
            "`history` cannot be `none`",
            "one of revisions, commits",
        ),
        (
            "page_size: '5'",
            (1, 12),
            "`page_size` must be a whole number, not text",
            "write 5, without quotes",
        ),
        ('title: "a\\nb"', (1, 8), "`title` must be one line of text", ""),
        ("rules: {abc: error}", (1, 9), "`abc` is not a rule id such as W104", ""),
        ("rules: {C122: ignoe}", (1, 15), "`C122` cannot be `ignoe`", "did you mean `ignore`?"),
        ("folders: {/: {}}", (1, 11), "`/` is not the name of a folder, for example experiments", ""),
        (
            "compat: [stremboss]",
            (1, 10),
            "item 1 of `compat` cannot be `stremboss`",
            "did you mean `streamboss`?",
        ),
        ("fail_on: {FEED: braking}", (1, 17), "`FEED` cannot be `braking`", "did you mean `breaking`?"),
        (
            "fail_on: {FEEED: breaking}",
            (1, 18),
            "`FEEED` is no party (START, FEED, YIELD, RUN, FIND), and a folder needs a map of parties",
            "",
        ),
        ("output: /tmp/x", (1, 9), "`output` must be a folder inside the registry, as in `site`", ""),
        ("output: ../x", (1, 9), "`output` must be a folder inside the registry, as in `site`", ""),
        (
            "base_url: 'ftp://x/'",
            (1, 11),
            "`base_url` must be an http(s) address or a path, as in https://registry.example.org/ or /registry/; in the path letters, digits and . _ ~ + @ - only",
            "",
        ),
        ("- a", (1, 1), "the settings are not a map", "write `title: …`"),
        (
            "title: yes",
            (1, 8),
            "`yes` is read differently by different YAML versions",
            'quote it: "yes", or write true',
        ),
    ],
)
def test_what_is_wrong_has_its_place_and_hint(
    text: str, place: tuple[int, int], message: str, hint: str
) -> None:
    _, problems = parse_settings(text.encode())
    assert [(p.span.line, p.span.column, p.message, p.hint) for p in problems] == [(*place, message, hint)]


def test_the_schema_describes_every_setting_with_its_default() -> None:
    properties = json.loads(settings_schema())["properties"]
    described = {name: one["default"] for name, one in properties.items()}
    assert described == {
        one.name: list(value) if isinstance(value := getattr(Settings(), one.name), tuple) else value
        for one in fields(Settings)
    }


def test_a_setting_with_a_problem_keeps_its_default_and_the_others_count() -> None:
    settings, problems = parse_settings(b"page_size: 0\ntitle: T\nfolders: {/x/: {W202: ignore}}\n")
    assert len(problems) == 1
    assert (settings.page_size, settings.title, settings.folders) == (20, "T", {"x": {"W202": "ignore"}})


@pytest.mark.parametrize("wrong", ["", "ftp://x/", "https://x/a b", "/a//b/", "https://x/{y}/", "x\n"])
def test_a_wrong_base_url_of_the_command_line_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="--base-url"):
        overridden(Settings(), {"base_url": wrong})


@pytest.mark.parametrize(
    "right", ["/", "/a/b", "https://r.example.org", "http://größe.example:8080/x/", "http://[::1]/"]
)
def test_a_base_url_is_an_address_or_a_path(right: str) -> None:
    assert overridden(Settings(), {"base_url": right}).base_url == right


def test_a_source_reads_its_settings_once(tmp_path: Path) -> None:
    (tmp_path / "registry.yaml").write_text("title: Once\nx: 1\n")
    source = WorkTree(tmp_path)
    assert source.settings.title == "Once"
    (tmp_path / "registry.yaml").unlink()
    assert source.settings.title == "Once"
    assert [one.rule for one in source.settings_problems] == ["K001"]


def test_a_new_registry_has_the_schema_of_its_settings_for_editors(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "mine"
    assert run("init", str(root)).code == 0
    copy = root / "schema/registry.schema.json"
    assert copy.read_bytes() == settings_schema()
    first = (root / "registry.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=schema/registry.schema.json"
    copy.write_text("{}\n")
    assert "K011" in run("check", "-C", str(root)).out
    assert run("schema", "--write", "-C", str(root)).code == 0
    assert copy.read_bytes() == settings_schema()
    assert "K011" not in run("check", "-C", str(root)).out


def test_a_registry_cannot_change_which_settings_there_are(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "mine"
    assert run("init", str(root)).code == 0
    (root / "schema/registry.schema.json").write_text('{"type": "object"}\n')
    with (root / "registry.yaml").open("a") as file:
        file.write("mine: 1\n")
    assert "K001" in run("check", "-C", str(root)).out
