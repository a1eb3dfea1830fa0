"""Without --write: what a server with writes has made is read as on a static host, and nothing can be written."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from registry.cli import main
from tests.support.served import served
from tests.support.waiting import PATIENCE_S
from tests.support.writing import LIST, Client, new_bare_registry, new_users, write_server

RUN = {"definition": {"exec": "/bin/x"}}


class Pair(NamedTuple):
    """A static tree, and a server of the same commit without --write."""

    site: Path
    client: Client


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("read-only")
    bare = new_bare_registry(folder)
    with write_server(bare, new_users(folder)) as server:
        client = server.client()
        first, gone, moved = (client.post({**RUN, "title": f"T{number}"}).id for number in range(3))
        assert client.patch(first, {"title": "Changed", "tags": ["a"]}).status == 202
        assert client.delete(gone).status == 204
        assert client.patch(moved, {"name": "moved/ünï"}).status == 202
        for _ in range(30):
            client.post(RUN)
    clone, site = folder / "clone", folder / "site"
    subprocess.run(
        ["git", "clone", "-q", "--no-local", str(bare), str(clone)], check=True, timeout=PATIENCE_S
    )
    assert main(["build", "-C", str(clone), "--out", str(site)]) == 0
    with served(clone) as (address, _):
        yield Pair(site.resolve(), Client(address))


def _addresses(place: str) -> list[str]:
    """The addresses of a file: its own, and that of its folder."""
    path = f"/{quote(place)}"
    folder = path.removesuffix("index.html") if path.endswith(".html") else path.removesuffix("index.json")
    return [path, folder] if folder != path and folder.endswith("/") else [path]


def test_every_address_of_the_static_tree_has_its_bytes(pair: Pair) -> None:
    files = sorted(path for path in pair.site.rglob("*") if path.is_file())
    assert len(files) > 300
    for file in files:
        expected = file.read_bytes()
        for address in _addresses(file.relative_to(pair.site).as_posix()):
            answer = pair.client.get(address)
            body = answer.body
            if file.suffix == ".html":
                # What brings changes into the page is the server's.
                head, _, tail = body.rpartition(b'<link rel="stylesheet" href="/_live/')
                body = head + tail.partition(b"</script>\n")[2]
            assert body == expected, address
            assert answer.status in (200, 410), address
            assert (answer.status == 410) == (b'"deleted":true' in expected[:20]), address


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("place", ["", "1/", "2/", "2/restore/", "999/", "1", "by-name/moved/", "schema/"])
def test_no_write_is_possible(pair: Pair, method: str, place: str) -> None:
    answer = pair.client.send(method, LIST + place, RUN)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json == {"error": "this registry is read only: change the files in its repository"}
    described = pair.client.get("/api/openapi.json").json
    assert {key for item in described["paths"].values() for key in item} == {"get"}
