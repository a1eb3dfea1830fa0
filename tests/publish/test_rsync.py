"""Places on other machines: which are understood, and which are refused before anything connects."""

import pytest

from registry.errors import UsageError
from registry.publish.ssh_host import parse_place
from tests.conftest import Run
from tests.support.repo import RepoBuilder


@pytest.mark.parametrize(
    ("text", "host", "parent", "name"),
    [
        ("www.example.org:/srv/registry/site", "www.example.org", "/srv/registry", "site"),
        ("web@www:/srv/site/", "web@www", "/srv", "site"),
        ("my_alias:/site", "my_alias", "/", "site"),
        ("web@[2001:db8::1]:/srv/site", "web@[2001:db8::1]", "/srv", "site"),
        ("www:www/site", "www", "./www", "site"),
        ("www:~/www/site", "www", "./www", "site"),
        ("www:-site", "www", "./", "-site"),
        ("www::site", "www", "./", ":site"),
        ("www:/srv/my sites/it's one", "www", "/srv/my sites", "it's one"),
    ],
)
def test_a_place_is_a_host_and_a_link(text: str, host: str, parent: str, name: str) -> None:
    found = parse_place(text)
    assert (found.host, found.parent, found.name) == (host, parent, name)


@pytest.mark.parametrize(
    "text",
    [
        "/srv/site",
        "www",
        "www:",
        ":/srv/site",
        "-oProxyCommand=touch x:/srv/site",
        "-v@www:/srv/site",
        "web@-v:/srv/site",
        "my host:/srv/site",
        "www\n:/srv/site",
        "[::1:/srv/site",
        "www:/srv/si\nte",
        "www:/srv/si\x00te",
        "www:/srv/si\x1bte",
        "www:~web/site",
        "www:/",
        "www:/srv/..",
        "www:.",
        "www:~/",
    ],
)
def test_any_other_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_place(text)


def test_the_form_is_shown(repo: RepoBuilder, run: Run) -> None:
    repo.define("a")
    repo.commit()
    done = run("publish", "rsync:/srv/site", "-C", str(repo.root))
    assert (done.code, "as in rsync:web@www.example.org:/srv/registry/site" in done.err) == (2, True)
