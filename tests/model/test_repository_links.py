"""Links to files and commits on a forge, and the address of a repository from that of a remote."""

import pytest

from registry.model.repository_links import RepositoryLinks, forge_of, repo_url_of

PATH = "definitions/process_definition/größe/a+b.yaml"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("url", "file", "edit", "blame", "commit"),
    [
        (
            "https://github.com/o/r.git",
            "https://github.com/o/r/blob/main/",
            "https://github.com/o/r/edit/main/",
            "https://github.com/o/r/blame/main/",
            "https://github.com/o/r/commit/",
        ),
        (
            "https://gitlab.example.org:8443/g/sub/r/",
            "https://gitlab.example.org:8443/g/sub/r/-/blob/main/",
            "https://gitlab.example.org:8443/g/sub/r/-/edit/main/",
            "https://gitlab.example.org:8443/g/sub/r/-/blame/main/",
            "https://gitlab.example.org:8443/g/sub/r/-/commit/",
        ),
        (
            "https://codeberg.org/o/r",
            "https://codeberg.org/o/r/src/branch/main/",
            "https://codeberg.org/o/r/_edit/main/",
            "https://codeberg.org/o/r/blame/branch/main/",
            "https://codeberg.org/o/r/commit/",
        ),
    ],
)
def test_each_forge_has_its_addresses(url: str, file: str, edit: str, blame: str, commit: str) -> None:
    links = RepositoryLinks(url, forge_of(url), "main", "")
    quoted = "definitions/process_definition/gr%C3%B6%C3%9Fe/a+b.yaml"
    assert links.of_file(PATH) == (file + quoted, edit + quoted, blame + quoted)
    assert links.of_commit(COMMIT) == commit + COMMIT
    assert links.of_commit(None) == ""


def test_the_registry_can_be_a_folder_and_the_branch_any() -> None:
    links = RepositoryLinks("https://git.example.org/o/r", "forgejo", "release/1", "services/my reg/")
    found = links.of_file("a.yaml")
    assert found is not None
    assert found.file == "https://git.example.org/o/r/src/branch/release/1/services/my%20reg/a.yaml"


@pytest.mark.parametrize(("url", "forge"), [("", "github"), ("https://git.example.org/o/r", "")])
def test_there_are_no_links_without_an_address_or_a_forge(url: str, forge: str) -> None:
    links = RepositoryLinks(url, forge, "main", "")
    assert (links.of_file(PATH), links.of_commit(COMMIT)) == (None, "")


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@github.com:o/r.git", "https://github.com/o/r"),
        ("https://me:secret@gitlab.com/g/r.git", "https://gitlab.com/g/r"),
        ("https://git.example.org:8443/o/r/", "https://git.example.org:8443/o/r"),
        ("ssh://git@git.example.org:2222/o/r.git", "https://git.example.org/o/r"),
        ("http://git.example.org/o/r", ""),
        ("/srv/git/r.git", ""),
        ("../r", ""),
        ("file:///srv/r.git", ""),
        ("work:o/r", ""),
        ("C:/r", ""),
        ("", ""),
    ],
)
def test_a_remote_gives_the_address_without_credentials(remote: str, url: str) -> None:
    assert repo_url_of(remote) == url
