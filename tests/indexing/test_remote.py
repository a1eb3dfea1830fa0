"""`registry index --push`: compare-and-swap on a real bare repository, and the memory outside of the branch."""

import json
import shlex
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from registry.errors import UsageError
from registry.indexing.indexer import IndexOptions, index
from tests.conftest import Run
from tests.support.repo import RepoBuilder

HIGH_WATER = "refs/registry/high-water"


@pytest.fixture
def hub(repo: RepoBuilder, tmp_path: Path) -> RepoBuilder:
    """A bare repository with one definition; `repo` is a clone of it with the remote `origin`."""
    repo.write("registry.yaml", "registry_id: registry-1\n")
    repo.define("a")
    repo.commit()
    repo.git("clone", "-q", "--bare", str(repo.root), str(tmp_path / "hub.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    return RepoBuilder.at(tmp_path / "hub.git", repo.clock)


def clone(hub: RepoBuilder, name: str, *options: str) -> RepoBuilder:
    hub.git("clone", "-q", *options, f"file://{hub.root}", str(hub.root.parent / name))
    return RepoBuilder.at(hub.root.parent / name, hub.clock)


def push_one(hub: RepoBuilder, name: str) -> None:
    """Somebody else adds a definition to main."""
    other = clone(hub, f"other-{name}")
    other.define(name)
    other.commit(f"add {name}")
    other.git("push", "-q", "origin", "main")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[str]:
    """The folder `tmp_path/web` over HTTP."""
    (tmp_path / "web").mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "web"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_remote_gets_the_commit_and_the_mark_and_the_clone_follows(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    outcome = run("index", "--push", "-C", str(repo.root))
    assert outcome.code == 0, outcome.err
    assert "pushed to origin" in outcome.out
    head = hub.git("rev-parse", "main")
    assert head == repo.git("rev-parse", "HEAD") == hub.git("rev-parse", HIGH_WATER)
    assert repo.git("status", "--porcelain") == ""
    assert "Nothing to do" in run("index", "--push", "-C", str(repo.root)).out
    assert hub.git("rev-parse", "main") == head


def test_who_was_slower_throws_away_and_starts_again(hub: RepoBuilder, repo: RepoBuilder) -> None:
    seen = []

    def step(name: str) -> None:
        seen.append(name)
        if seen.count("commit made") == 1 and name == "commit made":
            push_one(hub, "faster")

    result = index(repo.root, IndexOptions(remote="origin"), step)
    assert seen.count("fetched") == 2
    assert [(entry.id, entry.name) for entry in result.entries] == [(1, "a"), (2, "faster")]
    assert hub.git("log", "--format=%s", "main").splitlines() == [
        "Assign ids to 2 definitions",
        "add faster",
        "change",
    ]


def test_it_gives_up_after_a_while_and_nothing_was_given(hub: RepoBuilder, repo: RepoBuilder) -> None:
    names = iter(range(100))

    def step(name: str) -> None:
        if name == "commit made":
            push_one(hub, f"n{next(names)}")

    with pytest.raises(
        UsageError, match=r"other clients changed the branch \d+ times in 0\.3 s; no ids were assigned"
    ):
        index(repo.root, IndexOptions(remote="origin", give_up_after_s=0.3), step)
    assert "id: " not in hub.git("show", "main:definitions/process_definition/a.yaml")


def test_a_remote_that_says_no_is_one_clear_line(hub: RepoBuilder, repo: RepoBuilder, run: Run) -> None:
    head = repo.git("rev-parse", "HEAD")
    hook = hub.root / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    outcome = run("index", "--push", "-C", str(repo.root))
    assert (
        outcome.code,
        "origin rejected the commit: [remote rejected] (pre-receive hook declined)" in outcome.err,
    ) == (2, True), outcome.err
    assert repo.git("rev-parse", "HEAD") == hub.git("rev-parse", "main") == head
    repo.git("remote", "set-url", "origin", "/nowhere.git")
    assert run("index", "--push", "-C", str(repo.root)).code == 2
    missing = run("index", "--push", "--remote", "upstream", "-C", str(repo.root))
    assert (
        missing.code,
        "there is no remote `upstream`" in missing.err,
        "existing remotes: origin" in missing.err,
    ) == (2, True, True)


def test_a_remote_without_room_for_the_mark_is_told_and_all_else_is_done(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    hook = hub.root / "hooks/update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/registry/*) exit 1;; esac\n')
    hook.chmod(0o755)
    outcome = run("index", "--push", "-C", str(repo.root))
    assert (outcome.code, "refs/registry/high-water could not be set on origin" in outcome.err) == (0, True)
    assert "id: 1" in hub.git("show", "main:definitions/process_definition/a.yaml")


def test_work_that_was_not_pushed_and_a_head_without_a_branch(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    repo.define("mine")
    repo.commit()
    outcome = run("index", "--push", "-C", str(repo.root))
    assert (outcome.code, "HEAD has commits that main of origin does not have" in outcome.err) == (3, True)
    repo.git("push", "-q", "origin", "main")
    repo.git("checkout", "-q", "--detach")
    assert "--branch main" in run("index", "--push", "-C", str(repo.root)).err
    assert run("index", "--push", "--branch", "main", "-C", str(repo.root)).code == 0
    assert repo.git("rev-parse", "HEAD") == hub.git("rev-parse", "main")
    assert run("index", "--push", "--no-commit", "-C", str(repo.root)).code == 2


def test_in_a_bare_repository_its_branch_gets_the_ids(hub: RepoBuilder, run: Run) -> None:
    assert run("index", "-C", str(hub.root)).code == 0
    assert "id: 1" in hub.git("show", "main:definitions/process_definition/a.yaml")


def test_in_a_bare_repository_a_missing_branch_is_named_with_those_that_exist(
    hub: RepoBuilder, run: Run
) -> None:
    hub.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    outcome = run("index", "-C", str(hub.root))
    assert (outcome.code, outcome.err.splitlines()) == (
        2,
        ["error: the branch trunk does not exist", "hint: name another one with --branch: main"],
    )
    assert run("index", "--branch", "main", "-C", str(hub.root)).code == 0


def test_in_a_bare_repository_without_commits_the_hint_is_to_push(hub: RepoBuilder, run: Run) -> None:
    hub.git("update-ref", "-d", "refs/heads/main")
    assert run("index", "-C", str(hub.root)).err.splitlines() == [
        "error: the branch main does not exist",
        "hint: push to it, then run it again",
    ]


@pytest.mark.parametrize("where", ["the ref", "the site", "its folder", "its snapshot", "a revision"])
def test_a_branch_that_was_set_back_is_refused_and_the_command_that_is_printed_mends_it(
    hub: RepoBuilder, repo: RepoBuilder, run: Run, serve: str, tmp_path: Path, where: str
) -> None:
    before = repo.git("rev-parse", "HEAD")
    assert run("index", "--push", "-C", str(repo.root)).code == 0
    repo.git("tag", "published")
    site = tmp_path / "web" / "registry"
    assert run("build", "-C", str(repo.root), "-o", str(site)).code == 0
    repo.git("reset", "-q", "--hard", before)
    repo.git("push", "-q", "-f", "origin", "main")
    if where != "the ref":
        for one in (repo, hub):
            one.git("update-ref", "-d", HIGH_WATER)
    places = {
        "the ref": [],
        "the site": [f"{serve}/registry/"],
        "its folder": [str(site)],
        "its snapshot": [str(site / "api/snapshot.json")],
        "a revision": ["published"],
    }
    published = [word for place in places[where] for word in ("--published", place)]
    push_one(hub, "added-meanwhile")
    outcome = run("index", "--push", *published, "-C", str(repo.root))
    assert (outcome.code, "the branch was reset" in outcome.err) == (3, True), outcome.err
    assert "id: " not in hub.git("show", "main:definitions/process_definition/a.yaml")
    printed = outcome.err.split("restore the published ledger: ")[1].strip()
    mended = run(*shlex.split(printed)[1:], "-C", str(repo.root))
    assert mended.code == 0, mended.err
    # What had an id has it again; what is new has another one.
    assert "id: 1\n" in hub.git("show", "main:definitions/process_definition/a.yaml")
    assert "id: 2\n" in hub.git("show", "main:definitions/process_definition/added-meanwhile.yaml")
    assert run("ids", "verify", "-C", str(repo.root)).code == 0
    assert "Nothing to do" in run("index", "--push", *published, "-C", str(repo.root)).out


@pytest.mark.usefixtures("hub")
def test_what_was_published_must_be_known_or_not_be_there_yet(
    repo: RepoBuilder, run: Run, serve: str, tmp_path: Path
) -> None:
    for nonsense in ("http://127.0.0.1:1/", "no-such-thing"):
        outcome = run("index", "--published", nonsense, "-C", str(repo.root))
        assert (outcome.code, nonsense.rstrip("/") in outcome.err) == (2, True)
    (tmp_path / "web/api").mkdir()
    for text in (
        "<html>",
        "[]",
        '{"kinds": {}}',
        '{"kinds": {"p": {"next_id": "7"}}, "registry_id": "r", "ledger_lines": 0, "ledger_head": null}',
    ):
        (tmp_path / "web/api/snapshot.json").write_text(text)
        assert run("index", "--published", serve, "-C", str(repo.root)).code == 2
    (tmp_path / "web/api/snapshot.json").unlink()
    outcome = run("index", "--published", serve, "-C", str(repo.root))
    assert (outcome.code, f"nothing is published at {serve} yet" in outcome.err) == (0, True)


@pytest.mark.usefixtures("hub")
def test_a_published_site_of_another_registry_is_refused(repo: RepoBuilder, run: Run, tmp_path: Path) -> None:
    foreign = {"registry_id": "somebody-else", "kinds": {}, "ledger_lines": 0, "ledger_head": None}
    (tmp_path / "snapshot.json").write_text(json.dumps(foreign))
    outcome = run("index", "--published", str(tmp_path / "snapshot.json"), "-C", str(repo.root))
    assert (outcome.code, "belongs to the registry somebody-else" in outcome.err) == (3, True)


@pytest.mark.usefixtures("hub")
def test_the_next_id_is_above_what_was_published_even_of_ids_that_were_never_here(
    repo: RepoBuilder, run: Run, tmp_path: Path
) -> None:
    mark = {
        "registry_id": "registry-1",
        "kinds": {"process_definition": {"next_id": 30}},
        "ledger_lines": 0,
        "ledger_head": None,
    }
    (tmp_path / "snapshot.json").write_text(json.dumps(mark))
    assert run("index", "--published", str(tmp_path / "snapshot.json"), "-C", str(repo.root)).code == 0
    assert "id: 30\n" in repo.git("show", "HEAD:definitions/process_definition/a.yaml")


def test_a_shallow_clone_without_any_mark_is_refused_until_somebody_says_what_was_given(
    hub: RepoBuilder, repo: RepoBuilder, run: Run
) -> None:
    repo.commit()
    repo.git("push", "-q", "origin", "main")
    shallow = clone(hub, "shallow", "--depth=1")
    outcome = run("index", "--push", "-C", str(shallow.root))
    assert (outcome.code, "--accept-mark N" in outcome.err) == (3, True)
    assert run("index", "--push", "--accept-mark", "5", "-C", str(shallow.root)).code == 0
    assert "id: 6\n" in hub.git("show", "main:definitions/process_definition/a.yaml")
    again = clone(hub, "again", "--depth=1")
    assert run("index", "--push", "-C", str(again.root)).code == 0  # the mark is on the remote now


def test_two_indexers_at_once_give_every_id_once(hub: RepoBuilder, repo: RepoBuilder) -> None:
    for number in range(5):
        repo.define(f"n{number}")
    repo.commit()
    repo.git("push", "-q", "origin", "main")
    clones = [clone(hub, f"indexer-{number}") for number in range(4)]
    threads = [
        threading.Thread(target=index, args=(one.root, IndexOptions(remote="origin"))) for one in clones
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert hub.git("log", "--format=%s", "main").splitlines()[0] == "Assign ids to 6 definitions"
    assert hub.git("rev-list", "--count", "main") == "3"


def test_main_and_the_mark_go_in_one_push(hub: RepoBuilder, repo: RepoBuilder, run: Run) -> None:
    seen = hub.root / "seen"
    hook = hub.root / "hooks/pre-receive"
    hook.write_text(
        f"#!/bin/sh\nsort -k 3 >> {shlex.quote(str(seen))}; echo end >> {shlex.quote(str(seen))}\n"
    )
    hook.chmod(0o755)
    assert run("index", "--push", "-C", str(repo.root)).code == 0
    words = [line.split(" ") for line in seen.read_text().splitlines()]
    head = hub.git("rev-parse", "main")
    assert [line[1:] for line in words] == [[head, "refs/heads/main"], [head, HIGH_WATER], []]


def test_a_mark_that_moved_meanwhile_means_that_another_client_was_faster(
    hub: RepoBuilder, repo: RepoBuilder
) -> None:
    other = hub.git("rev-parse", "main")
    seen: list[str] = []

    def step(name: str) -> None:
        seen.append(name)
        if seen.count("commit made") == 1 and name == "commit made":
            hub.git("update-ref", HIGH_WATER, other)

    index(repo.root, IndexOptions(remote="origin"), step)
    assert seen.count("fetched") == 2
    assert hub.git("rev-parse", "main") == hub.git("rev-parse", HIGH_WATER) == repo.git("rev-parse", "HEAD")


def test_a_mark_that_the_remote_has_lost_is_set_again(hub: RepoBuilder, repo: RepoBuilder, run: Run) -> None:
    assert run("index", "--push", "-C", str(repo.root)).code == 0
    hub.git("update-ref", "-d", HIGH_WATER)
    push_one(hub, "more")
    outcome = run("index", "--push", "-C", str(repo.root))
    assert outcome.code == 0, outcome.err
    assert hub.git("rev-parse", "main") == hub.git("rev-parse", HIGH_WATER)


def test_the_clone_follows_only_where_it_holds_nothing_else(hub: RepoBuilder) -> None:
    mirror = clone(hub, "mirror.git", "--bare")
    own = mirror.git("commit-tree", "main^{tree}", "-p", "main", "-m", "own work")
    mirror.git("update-ref", "refs/heads/main", own)
    result = index(mirror.root, IndexOptions(remote="origin", branch="main"))
    assert mirror.git("rev-parse", "main") == own
    assert any("git pull" in note for note in result.notes)
    assert hub.git("rev-parse", "main") == result.commit
