"""A deleted definition answers for ever, with its last content, and never in a form that a client could run by mistake."""

import json
from pathlib import Path
from typing import Any

import pytest

from registry.ids import append, parse_ledger
from tests.conftest import Run
from tests.support.repo import RepoBuilder

LEDGER = "definitions/ledger.jsonl"


@pytest.fixture
def built(repo: RepoBuilder, run: Run, tmp_path: Path) -> Any:
    """Commits and indexes what is in the work tree, builds it, and gives what reads an answer (None: there is none)."""
    repo.write("registry.yaml", "registry_id: registry-1\n")

    def make() -> Any:
        repo.commit()
        assert run("index", "-C", str(repo.root)).code == 0
        return rebuild()

    def rebuild() -> Any:
        done = run("build", "-C", str(repo.root), "-o", str(tmp_path / "site"))
        assert done.code == 0, done.err
        site = tmp_path / "site"

        def read(place: str) -> Any:
            whole, twin = (
                site / f"api/process_definition/{place}/index.json",
                site / f"api/process_definition/{place}.json",
            )
            assert whole.exists() == twin.exists()
            return json.loads(whole.read_bytes()) if whole.exists() else None

        read.site = site  # type: ignore[attr-defined]
        return read

    make.rebuild = rebuild  # type: ignore[attr-defined]
    return make


def remove(repo: RepoBuilder, name: str) -> None:
    (repo.root / f"definitions/process_definition/{name}.yaml").unlink()


def test_it_has_its_last_content_and_history_and_no_definition(repo: RepoBuilder, built: Any) -> None:
    repo.define("a/old", "title: First\nowners: [t]\ndefinition: {exec: /bin/x}\n")
    repo.define("other")
    built()
    file = repo.root / "definitions/process_definition/a/old.yaml"
    file.write_text(file.read_text().replace("title: First", "title: Last").replace("/bin/x", "/bin/y"))
    repo.commit("edit")
    remove(repo, "a/old")
    read = built()
    body = read("1")
    assert "definition" not in body
    assert {key: body[key] for key in ("deleted", "last_definition", "id", "name", "kind", "title")} == {
        "deleted": True,
        "last_definition": {"exec": "/bin/y"},
        "id": 1,
        "name": "a/old",
        "kind": "process_definition",
        "title": "Last",
    }
    assert [(one["deleted"], one["message"]) for one in body["history"]] == [
        (True, "change"),
        (False, "edit"),
        *((False, one["message"]) for one in body["history"][2:]),
    ]
    listed = read("1/history")["revisions"]
    assert body["history"] == [
        {key: value for key, value in one.items() if key != "document"} for one in listed
    ]
    assert (body["resource_uri"], body["history_uri"]) == (
        "/api/process_definition/1/",
        "/api/process_definition/1/history/",
    )
    assert body["by_name_uri"] == "/api/process_definition/by-name/a/old/"
    assert read("by-name/a/old") == body
    assert listed[-2]["document"]["definition"] == {"exec": "/bin/x"}
    assert "definition" in read("2")
    site = read.site / "api/process_definition"
    for everywhere in (site / "index.json", site / "all.json", site / "all.ndjson"):
        assert '"name":"a/old"' not in everywhere.read_text()


def test_a_name_that_is_used_again_is_that_of_the_new_definition(repo: RepoBuilder, built: Any) -> None:
    repo.define("w")
    built()
    remove(repo, "w")
    assert built()("by-name/w")["id"] == 1
    repo.define("w")
    read = built()
    assert (read("1")["deleted"], "by_name_uri" in read("1")) == (True, False)
    assert (read("2")["name"], read("by-name/w")["id"]) == ("w", 2)
    assert "was deleted" not in (read.site / "process_definition/w/index.html").read_text()


def test_of_several_that_had_one_name_the_last_one_is_found_by_it(repo: RepoBuilder, built: Any) -> None:
    for _ in range(3):
        repo.define("w")
        built()
        remove(repo, "w")
        read = built()
    assert [read(str(number))["deleted"] for number in (1, 2, 3)] == [True, True, True]
    assert [read(str(number)).get("by_name_uri") for number in (1, 2, 3)] == [
        None,
        None,
        "/api/process_definition/by-name/w/",
    ]
    assert read("by-name/w")["id"] == 3
    assert "was deleted" in (read.site / "process_definition/w/index.html").read_text()


UNADDRESSABLE = (
    "w/index",
    "../../../../outside",
    "/etc/x",
    "a//b",
    "x.json",
    "_history",
    "w/_revisions/1",
    "",
    "W",
    "n" * 300,
    "a\x00b",
    "-a",
    ".",
)


def test_a_name_in_the_ledger_that_can_have_no_address_answers_by_id_alone(
    repo: RepoBuilder, built: Any, tmp_path: Path
) -> None:
    repo.define("w")
    built()
    ledger, _ = parse_ledger((repo.root / LEDGER).read_bytes(), "registry-1")
    names = dict(enumerate(UNADDRESSABLE, 2))
    events = [
        ("process_definition", number, name, state)
        for number, name in names.items()
        for state in ("live", "gone")
    ]
    repo.write(LEDGER, ledger.text + "".join(f"{entry.line()}\n" for entry in append(ledger, events, None)))
    repo.commit("lines of somebody")
    read = built.rebuild()
    for number, name in names.items():
        body = read(str(number))
        assert (body["name"], body["last_definition"], "by_name_uri" in body) == (name, None, False)
    assert read("by-name/w")["id"] == 1
    assert not list(tmp_path.rglob("*outside*"))
    assert sorted(path.name for path in (read.site.resolve() / "process_definition").iterdir()) == [
        "_by-id",
        "index.html",
        "w",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "deleted: false\ndefinition: {exec: /bin/x}\nresource_uri: /evil\nname: other\nid: 1\nlast_definition: {}\nhistory: []\n",
        "id: 1\ndefinition: [not, a, map]\n",
        "id: 1\ndefinition: rm -rf\n",
        "- a list\n",
        "{broken",
    ],
)
def test_a_last_content_that_no_rule_saw_takes_no_key_of_the_answer(
    repo: RepoBuilder, built: Any, text: str
) -> None:
    repo.define("w")
    built()
    repo.write("definitions/process_definition/w.yaml", text)
    repo.commit("never checked")
    remove(repo, "w")
    body = built()("1")
    assert (body["deleted"], body["id"], body["name"], body["resource_uri"]) == (
        True,
        1,
        "w",
        "/api/process_definition/1/",
    )
    assert "definition" not in body
    assert body["last_definition"] in (None, {"exec": "/bin/x"}, {"exec": "/bin/w"})
    assert len(body["history"]) >= 2


@pytest.mark.parametrize("folder", ["", "reg/"])
def test_after_recovery_the_last_content_comes_from_the_commits_that_the_ledger_names(
    repo: RepoBuilder, run: Run, tmp_path: Path, folder: str
) -> None:
    registry = str(repo.root / folder)
    repo.write(f"{folder}registry.yaml", "registry_id: registry-1\n")

    def step(name: str) -> None:
        repo.write(
            f"{folder}definitions/process_definition/{name}.yaml",
            f"title: T\nowners: [t]\ndefinition: {{exec: /bin/{name}}}\n",
        )
        repo.commit("add")
        assert run("index", "-C", registry).code == 0

    step("kept")
    good = repo.git("rev-parse", "HEAD")
    step("lost")
    assert run("build", "-C", registry, "-o", str(tmp_path / "published")).code == 0
    repo.git("reset", "-q", "--hard", good)
    assert run("index", "-C", registry, "--recover", "--published", str(tmp_path / "published")).code == 0
    site = tmp_path / "site"
    for _ in range(2):  # the second time nothing is made again
        assert run("build", "-C", registry, "-o", str(site)).code == 0
        body = json.loads((site / "api/process_definition/2/index.json").read_bytes())
        assert (body["deleted"], body["name"], body["last_definition"], body["history"]) == (
            True,
            "lost",
            {"exec": "/bin/lost"},
            [],
        )
        assert "definition" not in body
        page = (site / "process_definition/lost/index.html").read_text()
        assert ("/bin/lost" in page, "its last content is shown" in page) == (True, True)
    # A clone has the branch alone: the answer is there all the same.
    repo.git("clone", "-q", repo.root.as_uri(), str(tmp_path / "clone"))
    assert run("build", "-C", str(tmp_path / "clone" / folder), "-o", str(tmp_path / "other")).code == 0
    body = json.loads((tmp_path / "other/api/process_definition/2/index.json").read_bytes())
    assert (body["deleted"], body["last_definition"]) == (True, None)
    assert (
        "its content is not available" in (tmp_path / "other/process_definition/lost/index.html").read_text()
    )


@pytest.mark.parametrize("commit", ["HEAD", "--output=/tmp/x", "0" * 40, "a" * 64, "main:x\nHEAD"])
def test_a_commit_in_the_ledger_that_is_none_gives_no_content(
    repo: RepoBuilder, built: Any, commit: str
) -> None:
    repo.define("w")
    built()
    ledger, _ = parse_ledger((repo.root / LEDGER).read_bytes(), "registry-1")
    entries = append(ledger, [("process_definition", 2, "x", "live")], commit)
    repo.write(LEDGER, ledger.text + "".join(f"{entry.line()}\n" for entry in entries))
    repo.commit("a line of somebody")
    assert built.rebuild()("2")["last_definition"] is None
