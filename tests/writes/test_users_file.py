"""The users file on disk: private, outside of git, read again on change, edited without losing a line."""

import difflib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from registry.errors import RefusedError, RegistryError, UsageError
from registry.writes.users_file import Changes, UsersFile, edit_users_file, edited, load_users
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S

ALICE = "users:\n  alice: {email: alice@example.org, rights: {}}\n"
BOTH = f"{ALICE}  bob: {{email: bob@example.org, rights: {{}}}}\n"
BOB = {"email": "bob@example.org", "rights": {"read": ["/"]}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "users.yaml"
    write(found, ALICE)
    return found


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace the file, as an editor does."""
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def names(path: Path) -> list[str]:
    return list(load_users(path).users)


class TestGuards:
    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
    def test_a_file_that_others_can_access_is_refused(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        with pytest.raises(RefusedError, match=f"its mode is 0{mode:o}, not 0600") as caught:
            load_users(path)
        assert (caught.value.exit_code, caught.value.hint) == (3, f"chmod 600 {path}")
        with pytest.raises(RefusedError):
            edit_users_file(path, lambda _: {("users", "bob"): BOB})

    def test_a_file_that_only_its_owner_can_read_is_accepted(self, path: Path) -> None:
        path.chmod(0o400)
        assert names(path) == ["alice"]

    def test_a_file_of_another_user_is_refused(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
        with pytest.raises(RefusedError, match="belongs to another user"):
            load_users(path)

    @pytest.mark.parametrize("place", ["users.yaml", "deep/users.yaml", ".git/users.yaml"])
    def test_a_place_in_a_work_tree_is_refused(self, repo: RepoBuilder, place: str) -> None:
        file = repo.root / place
        file.parent.mkdir(exist_ok=True)
        write(file, ALICE)
        for use in (load_users, lambda one: edit_users_file(one, lambda _: {}, creates=True)):
            with pytest.raises(RefusedError, match="is inside the git repository") as caught:
                use(file)
            assert caught.value.exit_code == 3

    def test_a_place_in_a_bare_repository_is_refused(self, repo: RepoBuilder, tmp_path: Path) -> None:
        repo.define("a")
        repo.commit()
        repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "bare.git"))
        with pytest.raises(RefusedError, match=r"bare\.git"):
            edit_users_file(tmp_path / "bare.git/info/users.yaml", lambda _: {}, creates=True)

    def test_a_link_into_a_work_tree_is_refused(self, repo: RepoBuilder, tmp_path: Path) -> None:
        write(repo.root / "users.yaml", ALICE)
        (tmp_path / "link.yaml").symlink_to(repo.root / "users.yaml")
        with pytest.raises(RefusedError, match="is inside the git repository"):
            load_users(tmp_path / "link.yaml")

    def test_a_link_elsewhere_stays_a_link(self, path: Path, tmp_path: Path) -> None:
        link = tmp_path / "link.yaml"
        link.symlink_to(path)
        edit_users_file(link, lambda _: {("users", "bob"): BOB})
        assert link.is_symlink()
        assert names(path) == ["alice", "bob"]

    def test_a_pipe_or_folder_is_refused_without_waiting(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe", 0o600)
        with pytest.raises(RefusedError, match="not a regular file"):
            load_users(tmp_path / "pipe")
        with pytest.raises(RegistryError):
            load_users(tmp_path)

    def test_a_missing_file_is_one_clear_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no users file") as caught:
            UsersFile(tmp_path / "none.yaml", lambda _: None)
        assert "registry user add NAME" in caught.value.hint

    def test_a_huge_file_is_one_clear_error(self, path: Path) -> None:
        write(path, ALICE + "#" * 300_000)
        with pytest.raises(UsageError, match="more than 262,144 bytes"):
            load_users(path)


class TestReading:
    @pytest.fixture
    def reported(self) -> list[RegistryError]:
        return []

    @pytest.fixture
    def file(self, path: Path, reported: list[RegistryError]) -> UsersFile:
        return UsersFile(path, reported.append)

    def test_a_change_is_noticed(self, path: Path, file: UsersFile, reported: list[RegistryError]) -> None:
        first = file.current
        assert file.current is first
        write(path, BOTH)
        assert list(file.current.users) == ["alice", "bob"]
        assert reported == []

    def test_a_change_of_the_same_size_at_the_same_time_is_noticed(self, path: Path) -> None:
        file = UsersFile(path, lambda _: None)
        for letter in "bcdefgh":
            write(path, ALICE.replace("alice:", f"alic{letter}:"))
            assert list(file.current.users) == [f"alic{letter}"]

    @pytest.mark.parametrize(
        "broken", ["", "users:\n  alice: {emial: x}\n", "users: [", ALICE.replace("alice:", "a b:")]
    )
    def test_a_broken_edit_keeps_the_last_valid_users_and_is_reported_once(
        self, path: Path, file: UsersFile, reported: list[RegistryError], broken: str
    ) -> None:
        before = file.current
        write(path, broken)
        for _ in range(3):
            assert file.current is before
        assert len(reported) == 1
        assert str(path) in reported[0].message
        write(path, BOTH)
        assert list(file.current.users) == ["alice", "bob"]
        assert len(reported) == 1

    def test_so_does_a_file_that_is_opened_to_others_or_removed(
        self, path: Path, file: UsersFile, reported: list[RegistryError]
    ) -> None:
        before = file.current
        path.chmod(0o644)
        assert file.current is before
        path.unlink()
        assert file.current is before
        assert file.current is before
        assert [
            "its mode is 0644" in reported[0].message,
            "there is no users file" in reported[1].message,
        ] == [True, True]
        assert len(reported) == 2
        write(path, BOTH)
        assert list(file.current.users) == ["alice", "bob"]

    def test_an_unchanged_file_is_not_read_again(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        os.utime(path, (1_700_000_000, 1_700_000_000))  # old enough that a later write changes the time
        file = UsersFile(path, lambda _: None)
        monkeypatch.setattr("registry.writes.users_file.read_users_file", lambda _: 1 / 0)
        for _ in range(10):
            assert list(file.current.users) == ["alice"]


COMMENTED = """\
# Accounts of the weather team

users:   # people
    # The first one
    alice:
        email: alice@example.org   # private
        password: $argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA

        rights:
            read:
            - /
            write: [weather/]
# Left in May
    bob: {email: bob@example.org, rights: {read: [/]}}
    # carol: on leave

# Programs
tokens:
    ci: {user: alice, sha256: 0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a}  # nightly
"""


class TestEditing:
    def lines_changed(self, changes: Changes) -> tuple[list[str], list[str]]:
        after = edited(COMMENTED.encode(), changes, "users.yaml").decode()
        changed = list(difflib.ndiff(COMMENTED.splitlines(), after.splitlines()))
        return (
            [line[2:] for line in changed if line.startswith("- ")],
            [line[2:] for line in changed if line.startswith("+ ")],
        )

    def test_adding_changes_no_other_line(self) -> None:
        removed, added = self.lines_changed({("users", "dora"): BOB | {"name": "Dora: #1"}})
        assert removed == []
        assert added[0] == "    dora:"
        assert '      name: "Dora: #1"' in added

    def test_a_new_password_changes_one_line(self) -> None:
        removed, added = self.lines_changed(
            {
                (
                    "users",
                    "alice",
                    "password",
                ): "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$BBBBBBBBBBBBBBBBBBBBBBBB"
            }
        )
        assert [len(removed), len(added)] == [1, 1]
        assert added[0].startswith('        password: "$argon2id$')

    def test_removing_leaves_comments_in_place(self) -> None:
        removed, added = self.lines_changed({("users", "alice"): None, ("tokens", "ci"): None})
        assert added == ["tokens: {}"]
        assert [line.strip() for line in removed if "#" in line] == [
            "email: alice@example.org   # private",
            f"ci: {{user: alice, sha256: {'0a' * 32}}}  # nightly",
        ]

    def test_the_last_user_can_be_removed_and_another_added(self) -> None:
        empty = edited(ALICE.encode(), {("users", "alice"): None}, "u")
        assert empty == b"users: {}\n"
        again = edited(
            empty, {("users", "bob"): BOB, ("tokens", "x"): {"user": "bob", "sha256": "0" * 64}}, "u"
        )
        assert again.decode().splitlines()[:2] == ["users:", "  bob:"]

    @pytest.mark.parametrize("name", ["no", "1e3", "0777", "null", "a.b@c", "12"])
    def test_names_that_yaml_could_misread_are_kept(self, name: str) -> None:
        text = edited(ALICE.encode(), {("users", name): BOB}, "u")
        text = edited(text, {("users", name, "name"): "yes"}, "u")
        assert edited(text, {("users", name): None}, "u") == ALICE.encode()

    def test_a_file_without_a_line_end_and_one_with_crlf(self) -> None:
        assert edited(ALICE.rstrip().encode(), {("users", "bob"): BOB}, "u").startswith(ALICE.encode())
        crlf = ALICE.replace("\n", "\r\n").encode()
        assert edited(crlf, {("users", "bob"): BOB}, "u").startswith(crlf)

    def test_a_form_that_cannot_be_edited_is_one_clear_error(self) -> None:
        flow = b"users: {alice: {email: alice@example.org, rights: {}}}\n"
        with pytest.raises(UsageError, match="has a form that this command cannot edit"):
            edited(flow, {("users", "bob"): BOB, ("users", "carol"): BOB}, "u")

    def test_a_file_that_would_be_too_large_is_one_clear_error(self) -> None:
        full = ALICE + "#" * (256 * 1024 - len(ALICE) - 10)
        with pytest.raises(UsageError, match="would have more than 262,144 bytes"):
            edited(full.encode(), {("users", "bob"): BOB}, "u")

    def test_an_empty_file_can_get_the_first_user(self, path: Path) -> None:
        write(path, "")
        edit_users_file(path, lambda _: {("users", "bob"): BOB}, creates=True)
        assert names(path) == ["bob"]

    def test_an_invalid_result_leaves_the_file_unchanged(self, path: Path) -> None:
        with pytest.raises(UsageError, match="no user `nosuch`"):
            edit_users_file(path, lambda _: {("tokens", "x"): {"user": "nosuch", "sha256": "0" * 64}})
        assert path.read_text() == ALICE
        assert sorted(one.name for one in path.parent.iterdir()) == [".users.yaml.lock", "users.yaml"]

    def test_a_new_file_is_private_whatever_the_umask(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            edit_users_file(tmp_path / "new.yaml", lambda _: {("users", "bob"): BOB}, creates=True)
        finally:
            os.umask(before)
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
        assert modes == {"new.yaml": 0o600, ".new.yaml.lock": 0o600}
        assert names(tmp_path / "new.yaml") == ["bob"]

    def test_a_missing_folder_is_one_clear_error_and_is_not_created(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no folder"):
            edit_users_file(tmp_path / "none/users.yaml", lambda _: {}, creates=True)
        assert not (tmp_path / "none").exists()

    def test_parallel_edits_lose_nothing(self, path: Path) -> None:
        program = (
            "import sys; from pathlib import Path; from registry.writes.users_file import edit_users_file\n"
            "for number in range(5): edit_users_file(Path(sys.argv[1]), lambda _: "
            "{('users', f'u{sys.argv[2]}-{number}'): {'email': 'a@b', 'rights': {}}})"
        )
        with processes([sys.executable, "-c", program, str(path), str(number)] for number in range(3)):
            pass
        assert sorted(names(path)) == ["alice", *(f"u{a}-{b}" for a in range(3) for b in range(5))]


@contextmanager
def processes(commands: Iterator[list[str]]) -> Iterator[None]:
    started = [subprocess.Popen(words) for words in commands]
    yield
    assert [one.wait(PATIENCE_S) for one in started] == [0] * len(started)
