"""A live registry that is updated shows what one that reads everything shows, after any sequence of changes."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.cache.build_cache import BuildCache
from registry.cache.cache_file import CacheFile
from registry.load.file_stats import scan
from registry.load.source import open_source
from registry.pipeline import read_state, snapshot_of
from registry.progress import CancelToken
from registry.render import render
from registry.render.target import files_by_path
from registry.server.live import LiveRegistry, LiveUpdate
from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.seeds import seeds

PAGE = "process_definition/a/index.html"
APPLICATION = (
    "title: {0}\nlifecycle: {1}\ncontainer_image: 'example.org/i:{0}'\n"
    "definition: {{mappings: {{hotel: {{iaas_image: i, iaas_allocation: a}}}}}}\n"
)


@pytest.fixture
def reloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that everything was read."""
    found: list[str] = []

    def counted(*given: object, **named: object) -> object:
        found.append("reload")
        return read_state(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("registry.server.live.read_state", counted)
    return found


def live_of(repo: RepoBuilder) -> LiveRegistry:
    """A live registry that has read the files once."""
    live = LiveRegistry(repo.root, BuildCache(CacheFile(repo.root)), lambda _update: None)
    assert live.reload()
    return live


def assert_as_a_fresh_one(live: LiveRegistry, root: Path, after: str) -> None:
    """Problems, every file of the site, and every table are what reading everything gives."""
    snapshot, problems = snapshot_of(open_source(root))
    assert live.state.problems == problems, after
    assert live.state.error is None
    if snapshot is None:
        return
    found = live.state.snapshot
    assert found is not None
    assert (found.commit, found.uncommitted, found.is_dirty) == (
        snapshot.commit,
        snapshot.uncommitted,
        snapshot.is_dirty,
    ), after
    assert [one[:3] for one in found.definitions] == [one[:3] for one in snapshot.definitions], after
    assert found.fingerprints_by_kind == snapshot.fingerprints_by_kind, after
    assert found.ledger.entries == snapshot.ledger.entries
    targets = render(snapshot)
    expected = {path: body for target in targets for path, body in files_by_path(target.make())}
    shown = {path: live.state.pages.get(path) for path in expected}
    assert [path for path in expected if shown[path] != expected[path]] == [], after
    assert render(found).fingerprints == targets.fingerprints, after


def process(rng: random.Random, number: int | None) -> str:
    """The text of a process definition, sometimes with a warning, a reference, an exception or an error."""
    identity = f"id: {number}\n" if number is not None else ""
    owners = rng.choice(["owners: [t]\n", "owners: [t]\n", ""])
    application = rng.choice(["", "", ", application: media", ", application: disk", ", application: none"])
    ignored = rng.choice(["", "", "ignore: [{rule: W202, reason: Old}]\n"])
    wrong = rng.choice([""] * 12 + ["  : [\n"])
    return (
        f"{identity}title: T{rng.randrange(1000)}\n{owners}{ignored}"
        f"definition: {{exec: /bin/x{rng.randrange(1000)}{application}}}\n{wrong}"
    )


class Sequence:
    """Random changes to one repository."""

    def __init__(self, repo: RepoBuilder, rng: random.Random, index: Callable[[], object]) -> None:
        self.repo, self.rng, self.index = repo, rng, index

    def files(self) -> list[Path]:
        return sorted((self.repo.root / "definitions/process_definition").rglob("*.yaml"))

    def edit(self) -> None:
        for path in self.rng.sample(self.files(), k=min(len(self.files()), self.rng.choice([1, 1, 1, 3]))):
            first = path.read_text(errors="replace").partition("\n")[0]
            number = int(first[4:]) if first.startswith("id: ") and self.rng.random() < 0.95 else None
            path.write_text(process(self.rng, number))

    def add(self) -> None:
        self.repo.write(
            f"definitions/process_definition/{self.rng.choice('abcdeXé')}{self.rng.randrange(30)}.yaml",
            process(self.rng, None),
        )

    def delete(self) -> None:
        if len(self.files()) > 3:
            self.rng.choice(self.files()).unlink()

    def rename(self) -> None:
        path = self.rng.choice(self.files())
        path.rename(path.with_name(f"r{self.rng.randrange(100)}.yaml"))

    def application(self) -> None:
        name, lifecycle = self.rng.choice(["media", "disk"]), self.rng.choice(["production", "deprecated"])
        path = f"definitions/application/{name}.yaml"
        if (self.repo.root / path).exists() and self.rng.random() < 0.3:
            (self.repo.root / path).unlink()
        else:
            self.repo.write(path, APPLICATION.format(f"A{self.rng.randrange(9)}", lifecycle))

    def editor_file(self) -> None:
        self.repo.write("definitions/process_definition/.a.yaml.swp", str(self.rng.random()))

    def stage(self) -> None:
        self.repo.git("add", "-A")

    def commit(self) -> None:
        self.repo.commit(f"change {self.rng.randrange(1000)}")

    def amend(self) -> None:
        self.repo.git("commit", "-q", "-a", "--amend", "--allow-empty", "-m", "amended")

    def switch(self) -> None:
        self.commit()
        names = self.repo.git("branch", "--format=%(refname:short)").split()
        other = self.rng.choice([*names, f"b{len(names)}"])
        self.repo.git("checkout", "-q", *([] if other in names else ["-b"]), other)

    def merge(self) -> None:
        self.commit()
        names = self.repo.git("branch", "--format=%(refname:short)").split()
        self.repo.git("merge", "-q", "-X", "ours", "--no-edit", self.rng.choice(names), ok=False)
        self.commit()

    def set_back(self) -> None:
        self.repo.git("reset", "-q", self.rng.choice(["--hard", "--soft", "--mixed"]), "HEAD~1", ok=False)

    def settings(self) -> None:
        self.repo.write("registry.yaml", f"{self.start}title: R{self.rng.randrange(9)}\n")

    def steps(self) -> Iterator[str]:
        self.start = (
            (self.repo.root / "registry.yaml").read_text()
            if (self.repo.root / "registry.yaml").exists()
            else ""
        )
        often = [
            self.edit,
            self.edit,
            self.add,
            self.delete,
            self.rename,
            self.application,
            self.commit,
            self.commit,
        ]
        seldom = [
            self.editor_file,
            self.stage,
            self.amend,
            self.switch,
            self.merge,
            self.set_back,
            self.index,
            self.settings,
        ]
        while True:
            step = self.rng.choice([*often, *often, *seldom])
            step()
            yield getattr(step, "__name__", "index")


@pytest.mark.parametrize("seed", seeds(2, 30))
def test_updates_show_what_reading_everything_shows(
    repo: RepoBuilder, run: Run, seed: int, reloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.ids.segments.SEGMENT_LINES", 3)
    rng = random.Random(seed)
    for name in "abcde":
        repo.define(name)
    if seed % 2:  # pages and exports of a definition contain the image of its application then
        repo.write("registry.yaml", "registry_id: registry-1\nexports: [compose, procfile]\n")
    repo.write("definitions/application/media.yaml", APPLICATION.format("Media", "production"))
    repo.write("definitions/application/disk.yaml", APPLICATION.format("Disk", "production"))
    repo.commit("start")
    run("index", "-C", str(repo.root))
    live = live_of(repo)
    done: list[str] = []
    steps = Sequence(repo, rng, lambda: run("index", "-C", str(repo.root))).steps()
    for number in range(30):
        before = scan(repo.root)
        done.append(next(steps))
        paths = scan(repo.root).changed_since(before)
        if len(paths) == 1 and rng.random() < 0.5:
            live.apply_edit(next(iter(paths)))
        if rng.random() < 0.75:
            assert live.update()
            assert_as_a_fresh_one(live, repo.root, f"seed {seed}, step {number}: {done[-5:]}")
    if seed < 2:  # other sequences can consist of rewritten histories, where everything is read
        assert len(reloads) < len(done) / 2, (len(reloads), done)


def test_edits_commits_and_new_and_removed_files_are_not_read_with_everything(
    repo: RepoBuilder, run: Run, reloads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.ids.segments.SEGMENT_LINES", 2)
    for name in "abc":
        repo.define(name)
    repo.commit("start")
    run("index", "-C", str(repo.root))
    live = live_of(repo)
    text = (repo.root / "definitions/process_definition/a.yaml").read_text()
    changes: dict[str, Callable[[], object]] = {
        "edit": lambda: repo.define("a", f"{text}  cwd: /srv/\n"),
        "commit": lambda: repo.commit("edit"),
        "mistake": lambda: repo.define("a", "title: [\n"),
        "another edit meanwhile": lambda: repo.define("b"),
        "corrected": lambda: repo.define("a", text),
        "new file": lambda: repo.define("d"),
        "two commits": lambda: (repo.commit("new"), repo.commit("nothing")),
        "indexed": lambda: run("index", "-C", str(repo.root)),
        "renamed": lambda: (repo.root / "definitions/process_definition/b.yaml").rename(
            repo.root / "definitions/process_definition/e.yaml"
        ),
        "committed again": lambda: repo.commit("renamed"),
        "removed": (repo.root / "definitions/process_definition/c.yaml").unlink,
        "removed for all": lambda: repo.commit("removed"),
        "indexed again": lambda: run("index", "-C", str(repo.root)),
        "a file of an editor": lambda: repo.write("definitions/process_definition/.a.yaml.swp", "a"),
    }
    for what, change in changes.items():
        change()
        assert live.update()
        assert_as_a_fresh_one(live, repo.root, what)
        assert reloads == ["reload"], what


def test_a_change_of_a_sealed_segment_is_noticed(
    repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.ids.segments.SEGMENT_LINES", 2)
    for name in "abc":
        repo.define(name)
    repo.commit("start")
    run("index", "-C", str(repo.root))
    live = live_of(repo)
    sealed = repo.root / "definitions/ledger/000001.jsonl"
    text = sealed.read_text()
    for broken in (text.replace('"id":1', '"id":7'), None, ""):
        if broken is None:
            sealed.unlink()
        else:
            sealed.write_text(broken)
        assert live.update()
        assert [problem.rule for problem in live.state.problems] == ["I020"]
        sealed.write_text(text)
        assert live.update()
        assert_as_a_fresh_one(live, repo.root, "restored")
        assert not live.state.problems
    repo.write(".gitattributes", "definitions/ledger.jsonl -text\n")
    repo.commit("attributes")
    sealed.write_text(text + " ")
    assert live.update()
    sealed.write_text(text)
    assert live.update()
    assert_as_a_fresh_one(live, repo.root, "with attributes from before there were segments")
    assert [problem.rule for problem in live.state.problems] == ["I028"]


def test_everything_is_read_again_where_more_than_definitions_changed(
    repo: RepoBuilder, run: Run, reloads: list[str]
) -> None:
    for name in "abc":
        repo.define(name)
    repo.commit("start")
    run("index", "-C", str(repo.root))
    repo.define("a", "title: A\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    repo.commit("edit")
    live = live_of(repo)
    sample = "title: B\nowners: [t]\nexamples: [{title: one, input_file: samples/b.txt}]\ndefinition: {exec: /bin/b}\n"
    changes: dict[str, Callable[[], object]] = {
        "settings": lambda: repo.write(
            "registry.yaml", (repo.root / "registry.yaml").read_text() + "title: R\n"
        ),
        "a template": lambda: repo.write("site_templates/404.html", "not here"),
        "a sample": lambda: (repo.write("samples/b.txt", "b"), repo.define("b", sample)),
        "the sample is gone": (repo.root / "samples/b.txt").unlink,
        "the sample is back": lambda: repo.write("samples/b.txt", "b"),
        "names of authors": lambda: (
            repo.write(".mailmap", "Ana Author <ana@example.org>\n"),
            repo.commit("names"),
        ),
        "a misplaced file": lambda: repo.write("definitions/a.yaml", "title: A\n"),
        "it is gone": (repo.root / "definitions/a.yaml").unlink,
        "a branch set back": lambda: repo.git("reset", "-q", "--hard", "HEAD~1"),
        "a rewritten commit": lambda: repo.git("commit", "-q", "--amend", "--allow-empty", "-m", "rewritten"),
    }
    for what, change in changes.items():
        before = len(reloads)
        change()
        assert live.update()
        assert_as_a_fresh_one(live, repo.root, what)
        assert len(reloads) == before + 1, what


@pytest.mark.parametrize("path", ["registry.yaml", "site_templates/404.html"])
def test_what_changes_beside_an_error_is_shown_once_the_error_is_fixed(repo: RepoBuilder, path: str) -> None:
    repo.define("a")
    repo.commit("start")
    live = live_of(repo)
    repo.define("a", "title: [\n")
    assert live.update()
    repo.write(path, "title: Another\n")
    assert live.update()
    repo.define("a")
    assert live.update()
    assert_as_a_fresh_one(live, repo.root, path)


def test_a_canceled_reload_changes_nothing_and_can_be_repeated(repo: RepoBuilder) -> None:
    repo.define("a")
    repo.commit("start")
    updates: list[LiveUpdate] = []
    live = LiveRegistry(repo.root, BuildCache(CacheFile(repo.root)), updates.append)
    assert live.reload()
    before = live.state
    repo.define("a", "title: Edited\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    steps = 0
    while True:
        asked = iter([False] * steps)
        if live.reload(cancel=CancelToken(lambda asked=asked: next(asked, True))):  # type: ignore[misc]
            break
        assert live.state is before
        assert len(updates) == 1
        steps += 1
    assert steps >= 4  # before, during and after reading, and before pages are made
    assert len(updates) == 2
    assert_as_a_fresh_one(live, repo.root, "canceled")


def test_a_canceled_update_is_part_of_the_next_one(repo: RepoBuilder, reloads: list[str]) -> None:
    repo.define("a")
    repo.define("b")
    repo.commit("start")
    live = live_of(repo)
    repo.define("a", "title: Edited\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    asked = iter([False, False])
    assert not live.update(cancel=CancelToken(lambda: next(asked, True)))
    repo.define("b", "title: Edited\nowners: [t]\ndefinition: {exec: /bin/b}\n")
    assert live.update()
    assert_as_a_fresh_one(live, repo.root, "canceled")
    assert reloads == ["reload"]


def test_an_edit_is_shown_at_once_and_lists_follow(repo: RepoBuilder, reloads: list[str]) -> None:
    path = repo.define("a")
    repo.define("b")
    repo.commit("start")
    live = live_of(repo)
    listed = live.state.pages.get("process_definition/index.html")
    for title in ("First", "Second"):
        path.write_text(f"title: {title}\ndefinition: {{exec: /bin/a}}\n")
        assert live.apply_edit("definitions/process_definition/a.yaml")
        page = live.state.pages.get(PAGE)
        assert page is not None
        assert title in page.decode()
        assert live.state.pages.get("process_definition/index.html") == listed
        assert [one.rule for one in live.state.problems] == ["W202"]
    assert live.update()
    assert live.state.pages.get(PAGE) == page
    assert_as_a_fresh_one(live, repo.root, "lists follow")
    path.write_text("title: [\n")
    assert not live.apply_edit("definitions/process_definition/a.yaml")
    path.unlink()
    assert not live.apply_edit("definitions/process_definition/a.yaml")
    assert live.update()
    assert_as_a_fresh_one(live, repo.root, "removed")
    assert reloads == ["reload"]


def test_a_broken_template_keeps_the_last_good_state(repo: RepoBuilder) -> None:
    repo.define("a")
    repo.commit("start")
    live = live_of(repo)
    page = live.state.pages.get(PAGE)
    template = repo.write("site_templates/definition.html", "{% if %}")
    assert live.update()
    assert live.state.error is not None
    repo.define("a", "title: Edited\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    assert live.update()
    assert live.state.error is not None
    assert live.state.pages.get(PAGE) == page
    template.unlink()
    assert live.update()
    assert_as_a_fresh_one(live, repo.root, "corrected")
