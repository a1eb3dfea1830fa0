"""Rights, tokens and the document of the users file: what is allowed, and which mistakes are reported where."""

from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from registry.credentials import credential_in
from registry.errors import UsageError
from registry.writes.users import (
    TOKEN_PREFIX,
    Principal,
    Right,
    Rights,
    Token,
    User,
    allowed,
    looks_like_token,
    new_token,
    parse_users,
    sha256_of,
)

HASH = "$argon2id$v=19$m=19456,t=2,p=1$tjRg1PgZMpYBtlKEizDbXw$bonybslughjoQ8w7xo4jOSqeOEUHiJ/spf0CEvljQNk"
VALID = f"""\
users:
  alice:
    email: alice@example.org
    name: Alice Example
    password: {HASH}
    rights: {{read: [/], write: [weather/, lab/]}}
  bob: {{email: bob@example.org, rights: {{}}}}
tokens:
  ci:
    user: alice
    sha256: {"0a" * 32}
    expires: "2027-02-28T12:00:00Z"
    rights:
      write: [weather/]
"""


def principal(rights: Rights, token_rights: Rights | None = None, *, by_token: bool = False) -> Principal:
    user = User("alice", "alice@example.org", "", None, rights)
    token = Token("ci", "alice", "0" * 64, None, token_rights) if by_token else None
    return Principal(user, token)


class TestAllowed:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("weather/qc", True),
            ("weather/deep/qc", True),
            ("weather/", True),
            ("weather", False),
            ("weather2/qc", False),
            ("Weather/qc", False),
            ("lab/weather/qc", False),
            ("qc", False),
            ("", False),
        ],
    )
    def test_a_folder_covers_the_names_below_it(self, name: str, expected: bool) -> None:
        assert bool(allowed(principal({"write": ("weather/",)}), "write", name)) is expected

    @pytest.mark.parametrize("name", ["", "qc", "weather/qc"])
    def test_a_slash_covers_everything(self, name: str) -> None:
        assert allowed(principal({"read": ("/",)}), "read", name)

    @pytest.mark.parametrize("right", ["read", "write", "break"])
    def test_each_right_counts_for_itself(self, right: Right) -> None:
        assert bool(allowed(principal({"write": ("/",)}), right, "qc")) is (right == "write")

    def test_a_token_has_at_most_the_rights_of_its_user(self) -> None:
        rights = {"read": ("/",), "write": ("weather/",)}
        everything = {"read": ("/",), "write": ("/",), "break": ("/",)}
        assert allowed(principal(rights, None, by_token=True), "write", "weather/qc")
        assert not allowed(principal(rights, None, by_token=True), "write", "lab/qc")
        wide = principal(rights, everything, by_token=True)
        assert allowed(wide, "write", "weather/qc")
        assert not allowed(wide, "write", "lab/qc")
        assert not allowed(wide, "break", "weather/qc")
        narrow = principal(everything, {"write": ("weather/deep/",)}, by_token=True)
        assert allowed(narrow, "write", "weather/deep/qc")
        assert not allowed(narrow, "write", "weather/qc")
        assert not allowed(narrow, "read", "weather/deep/qc")

    def test_a_refusal_names_the_folder_the_right_and_who_lacks_it(self) -> None:
        user = principal({"read": ("/",)})
        assert allowed(user, "read", "lab/x").refusal == ""
        assert (
            allowed(user, "write", "lab/deep/x").refusal
            == "alice does not have the right `write` for the folder lab/deep/"
        )
        assert (
            allowed(user, "write", "x").refusal == "alice does not have the right `write` for the top folder"
        )
        token = principal({"write": ("/",)}, {"write": ("lab/",)}, by_token=True)
        assert (
            allowed(token, "write", "").refusal
            == "the token ci does not have the right `write` for the whole registry"
        )


def test_the_author_of_commits_and_the_description_for_logs() -> None:
    user = User("alice", "alice@example.org", "Alice Example", None, {})
    assert Principal(user).author == ("Alice Example", "alice@example.org")
    assert principal({}).author == ("alice", "alice@example.org")
    assert Principal(user).description == "alice"
    assert principal({}, by_token=True).description == "alice (token ci)"


def test_a_token_in_a_definition_is_found_as_a_credential() -> None:
    assert credential_in("SETTING", new_token()) == "a token of a registry server"


def test_a_token_has_256_random_bits_and_a_prefix() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        assert token.startswith(TOKEN_PREFIX)
        assert len(bytes.fromhex(token.removeprefix(TOKEN_PREFIX))) * 8 == 256
        assert looks_like_token(token)
    for other in ("", "secret", TOKEN_PREFIX, f"{min(tokens)}0", f"{min(tokens)}\n", min(tokens).upper()):
        assert not looks_like_token(other)


class TestDocument:
    def test_a_valid_document(self) -> None:
        users = parse_users(VALID.encode(), "users.yaml")
        alice, bob = users.users.values()
        assert alice == User(
            "alice",
            "alice@example.org",
            "Alice Example",
            HASH,
            MappingProxyType({"read": ("/",), "write": ("weather/", "lab/")}),
        )
        assert (bob.full_name, bob.password, dict(bob.rights)) == ("", None, {})
        token = users.tokens["ci"]
        assert token.expires == datetime(2027, 2, 28, 12, tzinfo=UTC)
        assert dict(token.rights or {}) == {"write": ("weather/",)}
        assert not token.is_expired(datetime(2027, 2, 28, 11, 59, 59, tzinfo=UTC))
        assert token.is_expired(datetime(2027, 2, 28, 12, tzinfo=UTC))

    def test_a_token_is_found_by_its_text(self) -> None:
        text = new_token()
        users = parse_users(VALID.replace("0a" * 32, sha256_of(text)).encode(), "users.yaml")
        found = users.token_of(text)
        assert found is not None
        assert found.name == "ci"
        assert users.token_of(new_token()) is None
        assert users.token_of(sha256_of(text)) is None
        assert users.token_of("\ud800") is None

    @pytest.mark.parametrize(
        ("before", "after", "place", "words"),
        [
            ("email: alice", "emial: alice", "3:5", ("unknown key `emial`", "did you mean `email`?")),
            ("alice@example.org", "alice", "3:12", ("is no e-mail address",)),
            ("Alice Example", '"a <b>"', "4:11", ("one line",)),
            ("Alice Example", '"a\\nb"', "4:11", ("one line",)),
            (HASH, "hunter2", "5:15", ("not the argon2id hash", "registry user password NAME")),
            (HASH, "$argon2i$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "5:15", ("argon2id",)),
            ("read: [/]", "reed: [/]", "6:14", ("unknown key `reed`", "did you mean `read`?")),
            ("read: [/]", "read: everything", "6:20", ("must be a list of folders",)),
            ("weather/, lab/", "weather, lab/", "6:33", ("with a slash at its end",)),
            ("weather/, lab/", "/weather/", "6:33", ("must be a folder",)),
            ("  bob:", "  b b:", "7:3", ("`b b` is no name of a user",)),
            ("user: alice", "user: alise", "10:11", ("no user `alise`", "did you mean `alice`?")),
            ("0a0a", "0A0A", "11:13", ("SHA-256",)),
            ('"2027-02-28T12:00:00Z"', "soon", "12:14", ("must be a time in UTC",)),
            ('"2027-02-28T12:00:00Z"', '"2027-02-30T12:00:00Z"', "12:14", ("this day does not exist",)),
            ("tokens:", "token:", "8:1", ("unknown key `token`", "did you mean `tokens`?")),
            ("bob: {email", "alice: {email", "7:3", ("duplicate key `alice`",)),
            ("users:\n", "users: &all\n", "1:8", ("anchor",)),
        ],
    )
    def test_a_mistake_is_reported_with_line_column_and_hint(
        self, before: str, after: str, place: str, words: tuple[str, ...]
    ) -> None:
        assert before in VALID
        with pytest.raises(UsageError) as caught:
            parse_users(VALID.replace(before, after, 1).encode(), "users.yaml")
        shown = "\n".join([caught.value.message, caught.value.hint, *caught.value.details])
        assert shown.startswith(f"users.yaml:{place}: ")
        for word in words:
            assert word in shown
        assert "bonybslughjoQ8w7" not in shown
        assert "hunter2" not in shown

    def test_all_mistakes_are_reported_at_once(self) -> None:
        with pytest.raises(UsageError) as caught:
            parse_users(b"users:\n  a: {email: a@x, rights: {}, x: 1}\n  b: {}\n", "u")
        assert [caught.value.message, *caught.value.details] == [
            "u:2:31: unknown key `x`",
            "u:3:3: `email` is missing; add `email: …`",
            "u:3:3: `rights` is missing; add `rights: …`",
        ]

    def test_two_tokens_with_one_text_are_a_mistake(self) -> None:
        twice = f"{VALID}  other: {{user: bob, sha256: {'0a' * 32}}}\n"
        with pytest.raises(UsageError, match="the token `other` is the same as another one"):
            parse_users(twice.encode(), "users.yaml")

    @pytest.mark.parametrize(
        "data", [b"", b"# nothing\n", b"users:\n", b"tokens: {}\n", b"- a\n", b"\xff", b"users: ["]
    )
    def test_an_empty_or_broken_document_has_no_users(self, data: bytes) -> None:
        with pytest.raises(UsageError, match=r"users\.yaml"):
            parse_users(data, "users.yaml")
