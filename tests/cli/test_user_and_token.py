"""`registry user` and `registry token` as an operator uses them: passwords from stdin or a terminal, tokens shown once."""

import io
import json
import os
import pty
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.writes.passwords import Passwords
from registry.writes.users import Token, looks_like_token
from registry.writes.users_file import load_users
from tests.conftest import Outcome, Run
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S


class Registry:
    """The two commands on one users file."""

    def __init__(self, run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._run = run
        self._monkeypatch = monkeypatch

    def __call__(self, words: str, *more: str, stdin: bytes = b"") -> Outcome:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        return self._run(*words.split(), *more, "--users", str(self.path))

    def add(self, name: str, *more: str) -> None:
        outcome = self("user add", name, "--email", f"{name}@example.org", "--no-password", *more)
        assert outcome.code == 0, outcome.err


@pytest.fixture
def registry(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    return Registry(run, tmp_path / "users.yaml", monkeypatch)


class TestUsers:
    def test_the_first_user_creates_a_private_file(self, registry: Registry) -> None:
        outcome = registry(
            "user add alice --email alice@example.org --password-stdin", stdin=b"correct horse\n"
        )
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.splitlines() == [
            f"Created {registry.path} (mode 0600).",
            "Added the user alice. Rights: read everywhere, write everywhere.",
        ]
        assert stat.S_IMODE(registry.path.stat().st_mode) == 0o600
        assert "correct horse" not in registry.path.read_text()
        found = load_users(registry.path).users["alice"]
        assert Passwords().matches(found.password, "correct horse")

    def test_rights_for_all_and_by_folder(self, registry: Registry) -> None:
        registry.add("reader", "--right", "read")
        registry.add("weather", "--only", "weather", "--only", "lab/deep/")
        registry.add(
            "mixed",
            "--right",
            "read",
            "--right",
            "write:weather",
            "--right",
            "write:lab",
            "--right",
            "break:/",
        )
        found = {name: dict(user.rights) for name, user in load_users(registry.path).users.items()}
        assert found == {
            "reader": {"read": ("/",)},
            "weather": {"read": ("weather/", "lab/deep/"), "write": ("weather/", "lab/deep/")},
            "mixed": {"read": ("/",), "write": ("weather/", "lab/"), "break": ("/",)},
        }

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("user add a", "`registry user add` needs --email"),
            ("user add a --email nonsense", "is no e-mail address"),
            ("user add a:b --email a@example.org", "is no name of a user or token"),
            ("user add a --email a@example.org --right wirte", "did you mean `write`?"),
            ("user add a --email a@example.org --right write:", "is no folder"),
            ("user add a --email a@example.org --only ../x", "is no folder"),
            ("user add a --email a@example.org --no-password --password-stdin", "exclude each other"),
            ("user add a --email a@example.org", "there is no terminal to ask for the password"),
            ("user add a --email a@example.org --format text", "does not take --format"),
            ("user add", "needs a name"),
            ("user list a", "takes no name"),
            ("user remove a --email a@example.org", "does not take --email"),
            ("user rename a", "is not one of"),
            ("user list", "there is no users file"),
            ("user remove a", "there is no users file"),
            ("token add a --user b", "there is no users file"),
            ("token add a", "`registry token add` needs --user"),
        ],
    )  # fmt: skip
    def test_wrong_use_is_one_clear_error_and_writes_nothing(
        self, registry: Registry, words: str, expected: str
    ) -> None:
        outcome = registry(words)
        assert (outcome.code, outcome.out) == (2, "")
        assert expected in outcome.err
        assert not registry.path.exists()

    @pytest.mark.parametrize(
        ("stdin", "expected"),
        [
            (b"", "the password is empty"),
            (b"\n", "the password is empty"),
            (b"one\ntwo\n", "more than one line"),
            (b"\xff\n", "not UTF-8"),
            (b"x" * 1025, "more than 1,024 characters"),
            (b"registry_" + b"0a" * 32, "has the form of a token"),
        ],
    )
    def test_a_password_that_cannot_be_used_is_refused(
        self, registry: Registry, stdin: bytes, expected: str
    ) -> None:
        outcome = registry("user add alice --email a@example.org --password-stdin", stdin=stdin)
        assert (outcome.code, expected in outcome.err) == (2, True)
        assert not registry.path.exists()

    def test_a_short_password_is_accepted_with_a_warning(self, registry: Registry) -> None:
        outcome = registry("user add alice --email a@example.org --password-stdin", stdin="kürz".encode())
        assert (outcome.code, outcome.err) == (0, "warning: the password has fewer than 8 characters\n")

    def test_a_user_is_not_added_twice_and_gets_a_new_password(self, registry: Registry) -> None:
        registry.add("alice", "--right", "read")
        again = registry("user add alice --email other@example.org --password-stdin", stdin=b"correct horse")
        assert (again.code, "there is a user alice already" in again.err) == (2, True)
        assert "registry user password alice" in again.err
        assert load_users(registry.path).users["alice"].email == "alice@example.org"
        assert registry("user password alice --password-stdin", stdin=b"correct horse\r\n").code == 0
        found = load_users(registry.path).users["alice"]
        assert Passwords().matches(found.password, "correct horse")
        assert dict(found.rights) == {"read": ("/",)}
        unknown = registry("user password alic --password-stdin", stdin=b"correct horse")
        assert (unknown.code, "did you mean `alice`?" in unknown.err) == (2, True)

    def test_a_user_is_removed_with_his_tokens(self, registry: Registry) -> None:
        registry.add("alice")
        registry.add("bob")
        for name, user in (("one", "alice"), ("two", "alice"), ("three", "bob")):
            assert registry("token add", name, "--user", user).code == 0
        outcome = registry("user remove alice")
        assert outcome.out == "Removed the user alice and 2 tokens: one, two.\n"
        users = load_users(registry.path)
        assert (list(users.users), list(users.tokens)) == (["bob"], ["three"])
        assert "did you mean `bob`?" in registry("user remove bop").err

    def test_the_list_shows_no_hash(self, registry: Registry) -> None:
        registry(
            "user add alice --email a@example.org --right read --password-stdin",
            "--name",
            "Alice É",
            stdin=b"correct horse",
        )
        registry.add("bob", "--only", "lab")
        registry("token add ci --user alice")
        outcome = registry("user list")
        assert outcome.out.splitlines() == [
            "alice  a@example.org  read everywhere  (1 token)",
            "bob    bob@example.org  read in lab/, write in lab/  (no password)",
        ]
        body = json.loads(registry("user list --format json").out)
        assert body == {
            "format_version": 1,
            "users": [
                {"name": "alice", "email": "a@example.org", "full_name": "Alice É", "has_password": True,
                 "rights": {"read": ["/"]}, "tokens": ["ci"]},
                {"name": "bob", "email": "bob@example.org", "full_name": "", "has_password": False,
                 "rights": {"read": ["lab/"], "write": ["lab/"]}, "tokens": []},
            ],
        }  # fmt: skip

    def test_an_empty_list_says_how_to_add(self, registry: Registry) -> None:
        registry.add("alice")
        assert registry("token list").out == "No tokens yet: `registry token add` adds them.\n"
        registry("user remove alice")
        assert registry("user list").out == "No users yet: `registry user add` adds them.\n"

    def test_a_broken_file_is_shown_with_line_and_column_and_left_alone(self, registry: Registry) -> None:
        registry.add("alice")
        broken = registry.path.read_text().replace("email:", "emial:")
        registry.path.write_text(broken)
        for words in ("user list", "user add bob --email b@x --no-password", "token add ci --user alice"):
            outcome = registry(words)
            assert outcome.code == 2
            assert f"{registry.path}:4:5: unknown key `emial`" in outcome.err
        assert registry.path.read_text() == broken

    @pytest.mark.parametrize("words", ["user list", "user add b --email b@x --no-password", "token list"])
    def test_an_unsafe_file_is_refused_with_exit_code_3(
        self, registry: Registry, words: str, repo: RepoBuilder
    ) -> None:
        registry.add("alice")
        registry.path.chmod(0o644)
        outcome = registry(words)
        assert (outcome.code, "its mode is 0644, not 0600" in outcome.err) == (3, True)
        registry.path = repo.root / "users.yaml"
        outcome = registry(words)
        assert (outcome.code, "is inside the git repository" in outcome.err) == (3, True)
        assert not registry.path.exists()


class TestTokens:
    def added(self, registry: Registry, *words: str) -> tuple[Token, str]:
        outcome = registry("token add ci --user alice", *words)
        assert outcome.code == 0, outcome.err
        text = outcome.out.removesuffix("\n")
        assert looks_like_token(text)
        found = load_users(registry.path).token_of(text)
        assert found is not None
        assert text not in registry.path.read_text()
        return found, outcome.err

    def test_a_token_is_printed_once(self, registry: Registry) -> None:
        registry.add("alice")
        token, said = self.added(registry)
        assert (token.name, token.user, token.expires, token.rights) == ("ci", "alice", None, None)
        assert said == "Added the token ci of alice. Rights: all rights of the user. It is not shown again:\n"
        assert "registry_" not in registry("token list").out
        again = registry("token add ci --user alice")
        assert (again.code, "there is a token ci already" in again.err) == (2, True)

    @pytest.mark.parametrize(
        ("words", "duration"), [("12h", timedelta(hours=12)), ("90d", timedelta(days=90)), ("8w", timedelta(weeks=8))]
    )  # fmt: skip
    def test_a_token_expires_after_a_duration(
        self, registry: Registry, words: str, duration: timedelta
    ) -> None:
        registry.add("alice")
        before = datetime.now(UTC).replace(microsecond=0)
        token, _ = self.added(registry, "--expires", words)
        assert token.expires is not None
        assert before + duration <= token.expires <= datetime.now(UTC) + duration

    def test_a_token_expires_at_a_date(self, registry: Registry) -> None:
        registry.add("alice")
        token, _ = self.added(registry, "--expires", "2999-02-28")
        assert token.expires == datetime(2999, 2, 28, tzinfo=UTC)

    @pytest.mark.parametrize(
        "words", ["soon", "", "90", "d", "-1d", "0d", "99999d", "2999-02-30", "2001-01-01", "1.5d", "٣d"]
    )
    def test_other_times_are_refused(self, registry: Registry, words: str) -> None:
        registry.add("alice")
        outcome = registry("token add ci --user alice", f"--expires={words}")
        assert (outcome.code, "--expires" in outcome.err) == (2, True)

    def test_an_expired_token_is_marked(self, registry: Registry) -> None:
        registry.add("alice")
        self.added(registry, "--expires", "90d")
        text = registry.path.read_text()
        registry.path.write_text(re.sub(r'"2[0-9T:-]+Z"', '"2001-01-01T00:00:00Z"', text))
        assert "expired 2001-01-01T00:00:00Z" in registry("token list").out
        (token,) = json.loads(registry("token list --format json").out)["tokens"]
        assert token == {
            "name": "ci",
            "user": "alice",
            "expires": "2001-01-01T00:00:00Z",
            "is_expired": True,
            "rights": None,
        }

    @pytest.mark.parametrize(
        ("user", "words", "expected"),
        [
            (["--right", "read", "--right", "write"], ["--only", "weather"], {"read": ("weather/",), "write": ("weather/",)}),
            (["--right", "read", "--right", "write:weather"], ["--right", "write"], {"write": ("weather/",)}),
            (["--right", "read", "--right", "write:weather"], ["--only", "lab"], {"read": ("lab/",)}),
            (["--right", "write:weather"], ["--right", "write:weather/deep"], {"write": ("weather/deep/",)}),
        ],
    )  # fmt: skip
    def test_a_token_has_a_part_of_the_rights(
        self, registry: Registry, user: list[str], words: list[str], expected: dict[str, tuple[str, ...]]
    ) -> None:
        registry.add("alice", *user)
        token, said = self.added(registry, *words)
        assert dict(token.rights or {}) == expected
        assert f"{next(iter(expected))} in " in said

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["--right", "break"], "alice does not have the right `break` for the whole registry"),
            (["--right", "write:lab"], "alice does not have the right `write` for the folder lab/"),
            (["--right", "write:/"], "alice does not have the right `write` for the whole registry"),
            (["--right", "write", "--only", "lab"], "alice does not have the right `write` for the folder lab/"),
            (["--only", "lab"], "alice has no right for lab"),
        ],
    )  # fmt: skip
    def test_a_token_cannot_have_more_than_its_user(
        self, registry: Registry, words: list[str], expected: str
    ) -> None:
        registry.add("alice", "--only", "weather")
        outcome = registry("token add ci --user alice", *words)
        assert (outcome.code, outcome.out) == (2, "")
        assert expected in outcome.err
        assert load_users(registry.path).tokens == {}

    def test_a_token_is_removed(self, registry: Registry) -> None:
        registry.add("alice")
        self.added(registry)
        assert "did you mean `ci`?" in registry("token remove ci2").err
        assert registry("token remove ci").out == "Removed the token ci.\n"
        assert load_users(registry.path).tokens == {}


def test_the_password_is_asked_for_twice_on_a_terminal_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    words = ["user", "add", "alice", "--email", "a@example.org", "--users", str(path)]
    shown, code = on_terminal(words, ["correct horse", "wrong horse", "correct horse", "correct horse"])
    assert code == 0, shown
    assert shown.count("Repeat the password") == 2
    assert "do not match" in shown
    assert "horse" not in shown
    assert Passwords().matches(load_users(path).users["alice"].password, "correct horse")


def on_terminal(words: list[str], answers: list[str]) -> tuple[str, int]:
    """Run a command on a terminal of its own, and answer each prompt for a password."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "registry", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"PATH": os.environ["PATH"], "TERM": "dumb"},
        start_new_session=True,
    )
    os.close(theirs)
    shown, answered = "", 0
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk.decode()
            if answered < len(answers) and len(re.findall(r"assword: ", shown)) > answered:
                os.write(ours, f"{answers[answered]}\n".encode())
                answered += 1
    except OSError:
        pass  # the command has ended
    code = process.wait(PATIENCE_S)
    os.close(ours)
    return shown, code
