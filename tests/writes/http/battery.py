"""The contract of 2013 and its additions as one sequence of requests, for any registry below any base path."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.support.writing import Answer, Client

RUN = {"definition": {"exec": "/path/to/executable"}}
JSON = "application/json"


class Place(NamedTuple):
    """A registry: a client, the path of its list, and the address that `Location` starts with."""

    client: Client
    list: str
    base: str = ""

    def one(self, number: int, rest: str = "") -> str:
        """The path of a definition."""
        return f"{self.list}{number}/{rest}"

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request."""
        return self.client.send(
            method, path, body, {key.replace("_", "-"): value for key, value in headers.items()}
        )


def run_battery(place: Place) -> None:
    """Fail for an answer that differs from the contract. Deletes what it adds, except for the ids."""
    before = place.client.get(place.list).json["meta"]["total_count"]
    numbers = [*_adding(place), *_changing(place), *_conditions(place), *_deleting(place)]
    _methods(place, numbers[0])
    _reading(place, numbers[0])
    for number in numbers:
        assert place.send("DELETE", place.one(number)).status == 204
    assert place.client.get(place.list).json["meta"]["total_count"] == before


def _added(place: Place, body: object = RUN, **headers: str) -> tuple[int, str]:
    answer = place.send("POST", place.list, body, **headers)
    assert (answer.status, answer.body) == (201, b""), answer
    assert answer.headers["location"] == f"{place.base}{place.one(answer.id)}"
    read = place.client.get(place.one(answer.id))
    assert (read.status, read.etag, read.headers["content-type"]) == (200, answer.etag, JSON)
    assert read.headers["registry-commit"] == answer.headers["registry-commit"]
    return answer.id, answer.etag


def _adding(place: Place) -> Iterator[int]:
    total = place.client.get(place.list).json["meta"]["total_count"]
    first, _ = _added(place)
    yield first
    second, _ = _added(place, {**RUN, "name": "battery/named", "title": "T", "tags": ["a"], "owners": ["t"]})
    yield second
    assert second == first + 1
    third, _ = _added(place, iter([b'{"definition":', b'{"exec": "/x"}}']))
    yield third
    meta = place.client.get(f"{place.list}?limit=1&offset={total}").json
    assert (meta["meta"]["total_count"], [one["id"] for one in meta["objects"]]) == (total + 3, [first])
    several = place.client.get(f"{place.list}set/{third};{first};999999999/").json
    assert [one["id"] for one in several["objects"]] == [third, first]
    assert several["not_found"] == ["999999999"]
    for name in ("battery/named", "Battery/NAMED"):
        assert place.send("POST", place.list, {**RUN, "name": name}).status == 409
    refused: list[tuple[object, int]] = [
        (b"", 400), (b"{", 400), (b"[]", 400), (b'{"definition": {"exec": NaN}}', 400), (b'{"a": 1, "a": 1}', 400),
        (b'\xef\xbb\xbf{}', 400), (b'{"definition": {"exec": "\\ud800"}}', 400), (b"[" * 5000, 400),
        ({}, 422), ({"definition": None}, 422), ({"definition": []}, 422), ({**RUN, "titel": "T"}, 422),
        ({**RUN, "id": first}, 409), ({**RUN, "name": "../up"}, 422),
        ({**RUN, "description": "x" * 600_000}, 413), ({**RUN, "description": "word " * 60_000}, 413),
    ]  # fmt: skip
    for body, status in refused:
        answer = place.send("POST", place.list, body)
        assert (answer.status, answer.headers["content-type"]) == (status, JSON), (body, answer)
        assert isinstance(answer.json["error"], str)
    for headers, status in (
        ({"Content_Type": "text/yaml"}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Content_Type": ""}, 201),
        ({"Content_Type": "application/json; charset=utf-8"}, 201),
        ({"Origin": "https://evil.example"}, 403),
        ({"Authorization": ""}, 401),
    ):
        answer = place.send("POST", place.list, RUN, **headers)
        assert answer.status == status, (headers, answer)
        if status == 201:
            yield answer.id


def _changing(place: Place) -> Iterator[int]:
    number, tag = _added(place, {"definition": {"exec": "/bin/a", "timeout": 3}, "title": "Kept"})
    yield number
    path = place.one(number)
    put = place.send("PUT", path, {"definition": {"exec": "/bin/b"}})
    assert (put.status, put.body) == (204, b"")
    assert put.etag != tag
    read = place.client.get(path).json
    assert (read["definition"], read["title"]) == ({"exec": "/bin/b"}, "Kept")
    patch = place.send("PATCH", path, {"title": "New"})
    assert (patch.status, patch.body) == (202, b"")
    merged = place.send(
        "PATCH",
        path,
        {"definition": {"timeout": 5}, "title": None},
        Content_Type="application/merge-patch+json",
    )
    assert merged.status == 202
    read = place.client.get(path).json
    assert read["definition"] == {"exec": "/bin/b", "timeout": 5}
    assert "title" not in read
    commit = place.client.get(path).headers["registry-commit"]
    assert place.send("PATCH", path, {}).headers["registry-commit"] == commit
    assert place.send("PUT", path, read).status == 204  # a client sends back what it got
    assert place.client.get(path).headers["registry-commit"] == commit
    for wrong in (number + 1, str(number), True, None):
        assert place.send("PATCH", path, {"id": wrong}).status == 409
    assert place.send("PATCH", path, {"name": "battery/moved"}).status == 202
    assert place.client.get(f"{place.list}by-name/battery/moved/").json["id"] == number
    for method in ("PUT", "PATCH", "DELETE"):
        assert place.send(method, place.one(987654321), RUN).status == 404
        assert place.send(method, f"{place.list}0{number}/", RUN).status == 404


def _conditions(place: Place) -> Iterator[int]:
    number, first = _added(place)
    yield number
    path, timeout = place.one(number), iter(range(1, 100))

    def patch(tags: str) -> Answer:
        return place.send(
            "PATCH", path, {"definition": {"exec": "/bin/x", "timeout": next(timeout)}}, If_Match=tags
        )

    now = patch(first)
    assert now.status == 202
    assert patch(first).status == 412
    for form in ("{0}", "*", '"other", {0}', "{0}, {1}", '"1-0","x" , {0}', "{gzip}", "{br}", '"x",{zstd}'):
        tag = place.client.get(path).etag
        suffixes = {one: f'{tag[:-1]}-{one}"' for one in ("gzip", "br", "zstd")}
        answer = patch(form.format(tag, first, **suffixes))
        assert answer.status == 202, (form, answer)
        assert answer.etag == place.client.get(path).etag
    compressed = place.client.get(path, Accept_Encoding="gzip")
    assert patch(compressed.etag).status == 202
    tag = place.client.get(path).etag
    for form in (f"W/{tag}", '"x"', f'"x", W/{tag}', '"1-000000000000000000000000"', '""'):
        refused = patch(form)
        assert (refused.status, refused.etag) == (412, tag), form
    for form in ("x", tag.strip('"'), f"{tag} {tag}", "*, *", ",", f"{tag[:-1]}"):
        assert patch(form).status == 400, form
    assert place.send("DELETE", path, If_Match='"x"').status == 412
    key = {"Idempotency_Key": f"battery-{number}"}
    once = place.send("POST", place.list, RUN, **key)
    yield once.id
    again = place.send("POST", place.list, RUN, **key)
    assert (again.status, again.id, again.etag) == (201, once.id, once.etag)
    assert place.send("POST", place.list, {"definition": {"exec": "/y"}}, **key).status == 422
    asked = place.send("PATCH", path, {"title": "A"}, Request_Id="battery_1")
    assert (asked.status, asked.headers["request-id"]) == (202, "battery_1")
    assert place.client.get(path, Registry_At_Least=asked.headers["registry-commit"]).status == 200


def _deleting(place: Place) -> Iterator[int]:
    number, _ = _added(place, {**RUN, "name": "battery/gone"})
    path = place.one(number)
    assert place.send("DELETE", path).status == 204
    gone = place.client.get(path)
    assert (gone.status, gone.json["deleted"]) == (410, True)
    for method, body in (("DELETE", None), ("PUT", RUN), ("PATCH", {})):
        assert place.send(method, path, body).status == 410
    after, _ = _added(place)
    yield after
    assert after == number + 1
    restored = place.send("POST", place.one(number, "restore/"))
    assert (restored.status, restored.json["id"]) == (200, number)
    yield number
    assert place.send("POST", place.one(number, "restore/")).status == 409


def _methods(place: Place, number: int) -> None:
    stranger = place._replace(client=Client(place.client.address, ""))
    for path, allowed in (
        (place.list, "GET, HEAD, OPTIONS, POST"),
        (place.one(number), "GET, HEAD, OPTIONS, PUT, PATCH, DELETE"),
        (place.one(number, "restore/"), "POST, OPTIONS"),
    ):
        answer = stranger.send("OPTIONS", path)
        assert (answer.status, answer.headers["allow"]) == (200, allowed)
    for method, path in (
        ("PUT", place.list),
        ("PATCH", place.list),
        ("DELETE", place.list),
        ("POST", place.one(number)),
    ):
        answer = place.send(method, path, RUN)
        assert answer.status == 405
        assert method not in answer.headers["allow"].split(", ")
    for method, path in (("PUT", place.one(number)), ("POST", place.list), ("DELETE", place.one(number))):
        answer = place.send(method, f"{path.rstrip('/')}?a=%2F", RUN)
        assert (answer.status, answer.headers["location"]) == (308, f"{path}?a=%2F")
    overridden = place.send("POST", place.list, RUN, X_HTTP_Method_Override="DELETE")
    assert overridden.status == 201
    assert place.send("DELETE", place.one(overridden.id)).status == 204
    assert place.send("HEAD", place.one(number)).status == 200


def _reading(place: Place, number: int) -> None:
    answer = place.client.get(place.one(number).rstrip("/"))
    assert (answer.status, answer.headers["location"]) == (301, place.one(number))
    body = place.client.get(place.one(number)).json
    assert list(body)[:3] == ["definition", "id", "resource_uri"]
    assert body["resource_uri"] == place.one(number)
    page = place.client.get(f"{place.list}?limit=2").json
    assert urlsplit(page["meta"]["next"]).path == place.list
    history = place.client.get(place.one(number, "history/")).json
    assert [one["number"] for one in history["revisions"]] == [1]
