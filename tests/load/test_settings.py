"""registry.yaml: sensible without any of it, and a wrong key is told with the nearest right one."""

import pytest

from registry.load.settings import Settings, parse_settings


def test_without_the_file_or_with_only_comments_everything_has_a_value() -> None:
    assert parse_settings(None) == (Settings(), ())
    assert parse_settings(b"# title: x\n\n") == (Settings(), ())
    assert Settings().base_path == "/"


def test_every_setting_is_read() -> None:
    settings, problems = parse_settings(
        b"title: T\ndescription: D\nbase_url: https://r.example.org/sub/\nregistry_id: 12345678-aa\npage_size: 5\nhistory: commits\noutput: public/site\n"
        b"bot_name: Bot\nbot_email: bot@example.org\n"
    )
    assert not problems
    assert settings == Settings(
        "T",
        "D",
        "https://r.example.org/sub/",
        "12345678-aa",
        5,
        "commits",
        "public/site",
        "Bot",
        "bot@example.org",
    )
    assert settings.base_path == "/sub/"


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("titel: x", (1, 1), "unknown setting `titel`", "did you mean `title`?"),
        ("base-url: /", (1, 1), "unknown setting `base-url`", "did you mean `base_url`?"),
        ("page_size: 0", (1, 12), "`page_size` must be a whole number from 1 to 1000", ""),
        (
            "history: none",
            (1, 10),
            "`history` must be revisions (each with what it changed, and its content) or commits",
            "",
        ),
        ("page_size: '5'", (1, 12), "`page_size` must be a whole number from 1 to 1000", ""),
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
