"""What a static host cannot do, over real HTTP: parts of lists, filters, sets, conditions, encodings."""

import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import brotli
import pytest
import zstandard

from registry.cli import main
from tests.server.test_http_contract import ask
from tests.support.repo import RepoBuilder
from tests.support.served import served
from tests.support.waiting import PATIENCE_S

COUNT = 45
LIST = "/api/process_definition/"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """45 definitions, of which every third is a service, and one that was deleted."""
    repo = RepoBuilder(tmp_path_factory.mktemp("lists") / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("app", kind="application")
    for number in range(COUNT + 1):
        kind = "service" if number % 3 == 0 else "single"
        application = "  application: app\n" if number < 10 else ""
        repo.define(
            f"g/p{number:02d}",
            f"title: Number {number}\nowners: [t]\ntags: [all, 't{number % 5}']\ndefinition:\n  exec: /bin/x\n"
            f"  process_type: {kind}\n{application}",
        )
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    (repo.root / f"definitions/process_definition/g/p{COUNT}.yaml").unlink()
    repo.commit("delete one")
    assert main(["index", "-C", str(repo.root)]) == 0
    with served(repo.root) as (found, _):
        yield found


def ids(answer: Any) -> list[int]:
    return [one["id"] for one in answer.json["objects"]]


def test_lists_can_be_ordered_by_name_and_title(address: str) -> None:
    answer: Any = ask(address, f"{LIST}?order_by=-name&limit=3&tag=t1")
    assert ids(answer) == [42, 37, 32]
    assert answer.json["meta"]["next"] == f"{LIST}?limit=3&offset=3&order_by=-name&tag=t1"
    by_title: Any = ask(address, f"{LIST}?order_by=title&limit=4")
    titles = [one["title"] for one in by_title.json["objects"]]
    assert titles == ["Number 0", "Number 1", "Number 10", "Number 11"]


def test_without_parameters_it_is_what_a_static_host_answers(address: str) -> None:
    answer = ask(address, LIST)
    assert (ids(answer), answer.json["meta"]) == (
        list(range(1, 21)),
        {"limit": 20, "next": f"{LIST}page/2/", "offset": 0, "previous": None, "total_count": COUNT},
    )
    assert ask(address, f"{LIST}?format=json").body == answer.body


@pytest.mark.parametrize(
    ("query", "expected", "following", "before"),
    [
        ("limit=5", range(1, 6), "limit=5&offset=5", None),
        ("limit=5&offset=40", range(41, 46), None, "limit=5&offset=35"),
        ("offset=3", range(4, 24), "limit=20&offset=23", "limit=20&offset=0"),
        ("limit=0", range(1, 46), None, None),
        ("limit=5000", range(1, 46), None, None),
        ("offset=1000", [], None, "limit=20&offset=980"),
        ("limit=10000000000000000000000", range(1, 46), None, None),
        ("limit=2&offset=9007199254740991", [], None, "limit=2&offset=9007199254740989"),
        ("limit=1&limit=%202", range(1, 3), "limit=2&offset=2", None),
        ("limit=2&x=a%20b&format=json", [1, 2], "limit=2&offset=2&x=a%20b&format=json", None),
    ],
)
def test_parts_of_a_list(
    address: str, query: str, expected: range, following: str | None, before: str | None
) -> None:
    answer = ask(address, f"{LIST}?{query}")
    assert answer.type == "application/json"
    meta: Any = answer.json["meta"]
    assert ids(answer) == list(expected)
    assert (meta["next"], meta["previous"]) == (
        following and f"{LIST}?{following}",
        before and f"{LIST}?{before}",
    )
    assert meta["total_count"] == COUNT


def test_following_next_from_any_start_visits_every_one_once(address: str) -> None:
    path: Any = f"{LIST}?limit=7&q=number"
    seen: list[int] = []
    while path:
        answer = ask(address, path)
        seen += ids(answer)
        meta: Any = answer.json["meta"]
        path = meta["next"]
    assert seen == list(range(1, COUNT + 1))


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=-1",
        "offset=-5",
        "offset=1.5",
        "limit=",
        "limit=1e3",
        "offset=%D9%A3",
        f"limit={'9' * 5_000}",
        "offset=10000000000000000000000",
    ],
)
def test_nonsense_is_a_bad_request_that_says_why(address: str, query: str) -> None:
    answer = ask(address, f"{LIST}?{query}")
    assert (answer.status, answer.type, list(answer.json)) == (400, "application/json", ["error"])


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("applicaton=x", "application"),
        ("Application=app", "application"),
        ("aplicatio=app", "application"),
        ("application_=app", "application"),
        ("process-type=single", "process_type"),
        ("processtype=service", "process_type"),
        ("proces_typ=single", "process_type"),
        ("life_cycle=deprecated", "lifecycle"),
        ("lifecyle=deprecated", "lifecycle"),
        ("LIFECYCLE=deprecated", "lifecycle"),
        ("tags=t1", "tag"),
        ("names=g/p07", "name"),
        ("query=17", "q"),
        ("limit=2&applicaton=", "application"),
        ("application=app&tags=t1", "tag"),
    ],
)
def test_a_misspelled_filter_is_refused_with_the_right_name_as_ignoring_it_would_return_everything(
    address: str, query: str, meant: str
) -> None:
    answer = ask(address, f"{LIST}?{query}")
    assert (answer.status, answer.type) == (400, "application/json")
    assert str(answer.json["error"]).endswith(f"did you mean '{meant}'?")


@pytest.mark.parametrize(
    "query",
    [
        "nope=1",
        "_=1700000000",
        "v=2",
        "app=x",
        "type=single",
        "applicXXXn=x",
        "life=x",
        "nam=x",
        "tga=x",
        "qq=x",
        "utm_source=a%20b",
        "application_ids=x",
        "format=xml",
    ],
)
def test_other_unknown_parameters_are_ignored_and_carried_on(address: str, query: str) -> None:
    answer = ask(address, f"{LIST}?limit=2&{query}")
    assert (answer.status, ids(answer)) == (200, [1, 2])
    meta: Any = answer.json["meta"]
    assert meta["next"] == f"{LIST}?limit=2&offset=2&{query}"
    assert ask(address, meta["next"]).json["meta"]["previous"] == f"{LIST}?limit=2&offset=0&{query}"  # type: ignore[index]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (f"{field}{lookup}", f"The '{field}' field does not allow filtering.")
        for field in ("id", "definition")
        for lookup in ("=3", "__in=1,2", "__gt=3", "__contains=x", "__nope=")
    ]
    + [
        ("order_by=id", "The 'id' field does not allow ordering."),
        ("order_by=-definition", "The 'definition' field does not allow ordering."),
        ("order_by=nope", "No matching 'nope' field for ordering on."),
    ],
)
def test_fields_of_the_2013_service_allow_neither_filtering_nor_ordering(
    address: str, query: str, error: str
) -> None:
    answer = ask(address, f"{LIST}?limit=2&{query}")
    assert (answer.status, answer.json) == (400, {"error": error})


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("process_type=service", 15),
        ("process_type=single", 30),
        ("application=app", 10),
        ("q=number+17", 2),  # the title of one, and the id of another
        ("q=nubmer+t3", 9),
        ("q=number&q=t3&application=app", 2),
        ("q=%20", 45),
        ("q=--", 0),
        ("tag=t3", 9),
        ("name=g/p07", 1),
        ("process_type=service&application=app", 4),
        ("q=nothing", 0),
        ("lifecycle=production", 45),
        ("lifecycle=deprecated", 0),
    ],
)
def test_filters_narrow_a_list_together(address: str, query: str, count: int) -> None:
    answer = ask(address, f"{LIST}?{query}&limit=0")
    meta: Any = answer.json["meta"]
    assert (len(ids(answer)), meta["total_count"]) == (count, count)


def test_a_search_gives_the_best_first(address: str) -> None:
    # The title before the name, and both before the tag and the id.
    assert ids(ask(address, f"{LIST}?q=17")) == [18, 17]
    assert ids(ask(address, f"{LIST}?q=p17")) == [18]
    assert ids(ask(address, f"{LIST}?q=3&limit=3"))[:1] == [4]
    both: Any = ask(address, f"{LIST}?q=17&limit=1").json["meta"]
    assert both["next"] == f"{LIST}?limit=1&offset=1&q=17"
    assert ids(ask(address, both["next"])) == [17]


def test_several_at_once_and_those_that_are_deleted_are_not_found(address: str) -> None:
    answer = ask(address, f"{LIST}set/3;1;{COUNT + 1};999;3/")
    assert ids(answer) == [3, 1, 3]
    assert all("definition" in one for one in answer.json["objects"])  # type: ignore[attr-defined]
    assert answer.json["not_found"] == [str(COUNT + 1), "999"]
    assert "not_found" not in ask(address, f"{LIST}set/1;2/").json
    assert ask(address, f"{LIST}set/1;2").headers["location"] == f"{LIST}set/1;2/"
    for wrong in ("set/x/", "set/;/", "set/1;-2/", f"set/{';'.join('1' for _ in range(1001))}/"):
        assert ask(address, LIST + wrong).status == 400


def test_what_is_had_is_not_sent_again(address: str) -> None:
    first = ask(address, f"{LIST}?limit=5")
    again = ask(address, f"{LIST}?limit=5", headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (
        ask(address, f"{LIST}?limit=5", headers={"If-Modified-Since": first.headers["last-modified"]}).status
        == 304
    )
    assert (
        ask(address, f"{LIST}?limit=5", headers={"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}).status
        == 200
    )
    assert ask(address, f"{LIST}?limit=5", headers={"If-Modified-Since": "nonsense"}).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_bodies_are_compressed_for_those_who_ask(address: str, encoding: str) -> None:
    plain = ask(address, LIST)
    packed = ask(address, LIST, headers={"Accept-Encoding": f"{encoding};q=0.5, identity;q=0.1"})
    assert packed.headers["content-encoding"] == encoding
    assert packed.headers["etag"] != plain.headers["etag"]
    assert len(packed.body) < len(plain.body) / 2
    unpacked = {
        "gzip": gzip.decompress,
        "br": brotli.decompress,
        "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
    }
    assert unpacked[encoding](packed.body) == plain.body
    with pytest.raises((ValueError, zlib.error)):
        json.loads(packed.body)
    assert (
        "content-encoding" not in ask(address, LIST, headers={"Accept-Encoding": f"{encoding};q=0"}).headers
    )


def test_pages_of_other_origins_may_read_the_api(address: str) -> None:
    assert ask(address, LIST).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in ask(address, "/").headers


def test_head_tells_the_length_and_sends_nothing(address: str) -> None:
    head = ask(address, f"{LIST}?limit=5", "HEAD")
    assert (head.status, head.body, int(head.headers["content-length"])) == (
        200,
        b"",
        len(ask(address, f"{LIST}?limit=5").body),
    )


@pytest.mark.parametrize("place", ["%0A/", "a%0Ab", "set/1%0A/"])
def test_a_line_break_in_an_address_is_not_found_as_everything_else(address: str, place: str) -> None:
    answer = ask(address, LIST + place)
    assert (answer.status, answer.type) == (404, "application/json")
    assert answer.json == {"error": "there is nothing at this address"}


def test_every_file_of_a_build_is_served_with_the_same_bytes(repo: RepoBuilder, tmp_path: Path) -> None:
    repo.write("registry.yaml", "registry_id: registry-1\n")
    for number in range(6):
        repo.define(f"g/p{number}")
    repo.define("app", kind="application")
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    assert main(["build", "-C", str(repo.root), "--out", str(tmp_path / "site")]) == 0
    with served(repo.root) as (found, _):
        root = (tmp_path / "site").resolve()
        for file in (path for path in root.rglob("*") if path.is_file()):
            path = "/" + file.relative_to(root).as_posix()
            body = ask(found, path).body
            if path.endswith(".html"):
                # What brings changes into the page is the server's.
                head, _, tail = body.rpartition(b'<link rel="stylesheet" href="/_live/')
                body = head + tail[tail.index(b"</script>\n") + len(b"</script>\n") :]
            assert body == file.read_bytes(), path


def test_what_tells_open_pages_of_changes_is_a_stream_and_no_answer_to_head(address: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)
    connection.request("HEAD", "/_live/events")
    response = connection.getresponse()
    assert (response.status, response.getheader("content-type"), response.read()) == (
        200,
        "text/event-stream",
        b"",
    )
    # The same connection goes on: nothing is still being sent.
    connection.request("GET", "/_live/events")
    response = connection.getresponse()
    assert response.getheader("content-type") == "text/event-stream"
    assert response.readline() == b"event: state\n"
    assert b'"problems": []' in response.readline()
    connection.close()
