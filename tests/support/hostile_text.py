"""Texts that break the quoting of formats, and definitions made of them."""

from typing import Any

from hypothesis import strategies as st

from registry.exchange.exporter import Exportable

HOSTILE = (
    *(
        "",
        " ",
        "a b",
        "\t",
        "\n",
        "a\nb\n",
        " a ",
        "\\",
        "\\\\",
        "\\n",
        "'",
        '"',
        "''",
        '"a"',
        "'\"'",
        "`id`",
    ),
    *(
        "$",
        "$$",
        "$$$",
        "$HOME",
        "${HOME}",
        "$(HOME)",
        "$$(HOME)",
        "${HOME:-x}",
        "$(",
        "${",
        "$é",
        "a$",
        "$1",
    ),
    *(
        "%",
        "%%",
        "%h",
        "%(ENV_HOME)s",
        "{{x}}",
        "#",
        " #",
        "a #b",
        ";",
        " ;x",
        "&",
        "*",
        "!",
        "|",
        ">",
        "~",
        "?",
    ),
    *(
        "-",
        "--",
        "- a",
        ":",
        "a: b",
        ": ",
        "{}",
        "[]",
        "[a, b]",
        "{a: b}",
        "@",
        ",",
        "null",
        "~",
        "true",
        "yes",
    ),
    *(
        "no",
        "on",
        "0x1F",
        "0o7",
        "0777",
        "1e3",
        "1_000",
        ".5",
        "12:30",
        "2026-01-01",
        "<<",
        "=",
        "---",
        "...",
    ),
    *("é", "e\u0301", "\u00a0", "\u2028", "\u202e", "\ufeff", "\x7f", "\x01", "\x85", "\U0001f600", "天气"),
    *("a" * 2_000, "x" * 900 + " " + "y" * 900),
)
"""Texts that programs, shells, YAML, or interpolation read differently than written."""

_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=4).map("".join),
    st.text(_CHARACTERS, max_size=12),
    st.text(st.sampled_from("${}()%\\'\" \n:#aé"), max_size=12),
)
VARIABLE_NAMES = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
    st.sampled_from(
        ["yes", "null", "a.b", "a-b", "x-a", "<<", "1", "é", "..a", "a b", "$A", "${A}", "# a", "A" * 1_200]
    ),
)
ENVIRONMENTS = st.dictionaries(
    VARIABLE_NAMES, st.one_of(TEXTS, st.sampled_from(["${TOKEN}", "${OTHER}"])), max_size=4
)
PROGRAMS = st.sampled_from(
    [
        *(
            "/bin/program",
            "tool",
            "/a b/c'd\"",
            "/$HOME/x",
            "$x",
            "/${x}",
            "/a\\b",
            "/50%/%h",
            "%(ENV_HOME)s",
        ),
        *(
            "bin/x",
            "./x",
            "/x=y",
            "x=y",
            ";",
            "/a ;b",
            "/a #b",
            "#x",
            "-x",
            "@x",
            ":x",
            "+x",
            "!x",
            "|x",
            "~/x",
        ),
        *("exec", "env", "if", "cd", "{", "/bin/", "..", "/é\u2028", " x", "x ", "&", "/*", "[x]", "{{x}}"),
    ]
)
"""Programs that a definition can have, though no host does."""
NAMES = st.sampled_from(
    [
        "weather/qc",
        "a",
        "A/b",
        "a.b/c_d+e",
        "天气/质检",
        "1",
        "on",
        "x" * 200,
        "weather/" + "y" * 80,
        "a/b-",
        "é",
    ]
)


def exportable(name: str = "weather/qc", **parts: Any) -> Exportable:
    """A definition with `definition` made of the keys that are its own, and other keys around it.

    `application` is the document of its application.
    """
    around = {"title", "description", "owners", "tags", "lifecycle", "deprecation", "links", "examples"}
    application = parts.pop("application", None)
    document = {key: parts.pop(key) for key in list(parts) if key in around}
    inside = {"exec": "/bin/program"} | parts
    if application is not None:
        inside["application"] = "app"
    return Exportable(
        "process_definition", name, 7, document | {"definition": inside}, application, 3, "c0ffee"
    )
