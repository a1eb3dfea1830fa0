"""Ids in a push: what `registry index` assigns is accepted, and nothing else that looks like it. On real bare repositories."""

import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from registry.errors import UsageError
from registry.ids import Ledger, append, encode, parse_ledger, parse_ledger_files, plan_append
from registry.indexing.indexer import IndexOptions, index
from registry.load.ledger_files import read_ledger_files
from registry.load.source import WorkTree
from registry.model.problem import has_errors
from registry.review.pre_receive import Guard, PushedRef, Verdict, judge_push
from tests.support.repo import RepoBuilder

HIGH_WATER = "refs/registry/high-water"
KIND = "process_definition"
LEDGER = ("definitions/ledger.jsonl", "definitions/ledger")
HUGE = 9007199254740000


class Work:
    """A clone with a bare repository, and what its hook would say to a push of HEAD."""

    def __init__(self, repo: RepoBuilder, hub: RepoBuilder, prefix: str = "") -> None:
        self.prefix = prefix
        self.repo = repo
        self.hub = hub

    @classmethod
    def new(cls, folder: Path, prefix: str = "") -> "Work":
        """Two definitions with ids, in both."""
        self = cls(RepoBuilder(folder / "repo"), RepoBuilder.at(folder / "hub.git", 0), prefix)
        self.write("registry.yaml", "registry_id: registry-1\n")
        self.define("a")
        self.define("b")
        self.repo.commit("start")
        self.index()
        self.repo.git("clone", "-q", "--bare", str(self.repo.root), str(self.hub.root))
        self.repo.git("remote", "add", "origin", str(self.hub.root))
        self.hub.git("update-ref", HIGH_WATER, "main")
        return self

    def copied_to(self, folder: Path) -> "Work":
        """A copy, which a test may change."""
        copy = Work(self.repo.copied_to(folder / "repo"), self.hub.copied_to(folder / "hub.git"), self.prefix)
        copy.repo.git("remote", "set-url", "origin", str(copy.hub.root))
        return copy

    @property
    def root(self) -> Path:
        return self.repo.root / self.prefix

    def write(self, path: str, text: str) -> Path:
        return self.repo.write(f"{self.prefix}{path}", text)

    def define(self, name: str, number: int | None = None, text: str = "") -> Path:
        line = f"id: {number}\n" if number is not None else ""
        return self.write(
            f"definitions/{KIND}/{name}.yaml",
            f"{line}title: T\nowners: [team]\ndefinition:\n  exec: /bin/x\n{text}",
        )

    def path(self, name: str) -> Path:
        return self.root / f"definitions/{KIND}/{name}.yaml"

    def index(self) -> None:
        index(self.root)

    def append(self, *events: tuple[int, str, str], kind: str = KIND) -> None:
        """Lines of the ledger as somebody would forge them: rightly chained."""
        files = read_ledger_files(WorkTree(self.root))
        ledger, problems = parse_ledger_files(files, "registry-1")
        assert not problems
        entries = append(ledger, [(kind, number, name, state) for number, name, state in events], None)
        for path, data in plan_append(files, encode(entries)).items():
            assert data is not None
            self.write(path, data.decode())

    @property
    def ledger(self) -> Ledger:
        return parse_ledger_files(read_ledger_files(WorkTree(self.root)), "registry-1")[0]

    def judge(
        self, *more: PushedRef, guard: Guard | None = None, ref: str = "refs/heads/main"
    ) -> list[Verdict]:
        """The verdicts on a push of HEAD to main, its objects being there already."""
        self.hub.git("fetch", "-q", str(self.repo.root), "+HEAD:refs/pushed")
        update = PushedRef(
            self.hub.git("rev-parse", "refs/heads/main"), self.hub.git("rev-parse", "refs/pushed"), ref
        )
        return judge_push(self.hub.root, [update, *more], guard or Guard(folder=self.prefix))

    def push(self, guard: Guard | None = None) -> list[str]:
        """Why a push is refused; when it is not, it happens."""
        verdicts = self.judge(guard=guard)
        reasons = wrong(verdicts)
        if not reasons:
            self.hub.git("update-ref", "refs/heads/main", "refs/pushed")
        return reasons


def wrong(verdicts: Iterable[Verdict]) -> list[str]:
    found: list[str] = []
    for verdict in verdicts:
        found += verdict.refused
        if verdict.review is not None and has_errors(verdict.review.problems):
            found += [f"{problem.rule} {problem.message}" for problem in verdict.review.problems]
    return found


def shorten_segments(monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    monkeypatch.setattr("registry.ids.segments.SEGMENT_LINES", lines)


NewWork = Callable[[str, int], Work]


@pytest.fixture(scope="module")
def made() -> dict[tuple[str, int], Work]:
    """What tests copy, by prefix and lines of a segment."""
    return {}


@pytest.fixture
def new_work(
    made: dict[tuple[str, int], Work],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> NewWork:
    """A new clone and its bare repository, with segments of so many lines from then on."""

    def new(prefix: str, lines: int) -> Work:
        shorten_segments(monkeypatch, lines)
        if (prefix, lines) not in made:
            made[prefix, lines] = Work.new(tmp_path_factory.mktemp("work"), prefix)
        return made[prefix, lines].copied_to(tmp_path)

    return new


@pytest.fixture(params=[("", 128), ("reg/", 1)], ids=["top", "subfolder, with segments"])
def work(request: pytest.FixtureRequest, new_work: NewWork) -> Work:
    return new_work(*request.param)


@pytest.fixture
def top(new_work: NewWork) -> Work:
    return new_work("", 128)


@pytest.fixture
def split(new_work: NewWork) -> Work:
    """With one sealed segment of one line."""
    return new_work("", 1)


# What must pass


def test_one_push_may_add_delete_and_restore_the_same_definition(work: Work) -> None:
    path = work.define("c")
    work.repo.commit("add")
    work.index()
    text = path.read_text()
    path.unlink()
    work.repo.commit("delete")
    work.index()
    path.write_text(text)
    work.repo.commit("restore")
    work.index()
    path.rename(work.path("d"))
    work.repo.commit("rename")
    work.index()
    assert work.push() == []
    assert '"state":"moved"' in work.hub.git("show", f"main:{work.prefix}definitions/ledger.jsonl")


def test_one_commit_may_add_a_file_together_with_its_id_and_line(work: Work) -> None:
    work.define("c", 3)
    work.append((3, "c", "live"))
    work.repo.commit("write")
    work.define("d", 4)
    work.append((4, "d", "live"))
    work.repo.commit("write")
    assert work.push() == []


def test_a_commit_may_write_one_definition_while_others_wait(top: Work) -> None:
    top.define("aa-waits")
    top.path("b").unlink()
    top.repo.commit("authors")
    assert top.push() == []
    top.define("c", 3)
    top.append((3, "c", "live"))
    top.repo.commit("write")
    assert top.push() == []
    top.index()
    assert top.push() == []
    assert "id: 4" in top.path("aa-waits").read_text()


def test_a_new_file_at_the_old_name_of_a_rename_that_waits(top: Work) -> None:
    top.path("a").rename(top.path("z"))
    top.repo.commit("rename")
    assert top.push() == []
    top.define("a", 3)
    top.append((3, "a", "live"))
    top.repo.commit("write")
    assert top.push() == []


def test_what_an_author_mends_in_the_next_commit_is_no_matter(top: Work) -> None:
    path = top.path("a")
    text = path.read_text()
    path.write_text("title: [\n")
    top.repo.commit("half done")
    path.write_text(text + "# mended\n")
    top.define("c")
    top.repo.commit("mended")
    top.index()
    assert top.push() == []


def assign(work: Work, number: int, name: str) -> None:
    """Add a definition with its id and its line, as a server that accepts writes does."""
    work.define(name, number)
    work.append((number, name, "live"))
    work.repo.commit(f"write {name}")


@pytest.mark.parametrize("name", ["a", "renamed"])
def test_a_file_that_cannot_be_read_keeps_its_id_while_another_one_is_assigned(top: Work, name: str) -> None:
    if name != "a":
        top.path("a").rename(top.path(name))
        top.repo.commit("rename")
    assign(top, 3, "c")
    path = top.path(name)
    text = path.read_text()
    path.write_text("title: [\n")
    top.repo.commit("break")
    assign(top, 4, "d")
    path.write_text(text + "# repaired\n")
    top.repo.commit("repair")
    assert top.push() == []


def test_merges_are_taken_along_the_parent_that_holds_the_branch(top: Work) -> None:
    start = top.repo.git("rev-parse", "HEAD")
    top.define("c")
    top.repo.commit("add")
    top.index()
    assert top.push() == []
    # `git pull`: the branch as it was pushed is the second parent.
    main = top.repo.git("rev-parse", "HEAD")
    top.repo.git("checkout", "-q", "-B", "own", start)
    top.define("d")
    top.repo.commit("own work")
    top.repo.git("merge", "-q", "--no-edit", main)
    top.index()
    assert top.push() == []
    # A pull request that is merged on the server.
    top.repo.git("checkout", "-q", "-b", "change")
    top.define("e")
    top.repo.commit("change")
    top.repo.git("checkout", "-q", "own")
    top.define("f")
    top.repo.commit("meanwhile")
    top.repo.git("merge", "-q", "--no-ff", "--no-edit", "change")
    top.index()
    assert top.push() == []


def test_numbers_may_be_left_out_for_published_ids_up_to_a_limit(top: Work) -> None:
    top.define("c")
    top.repo.commit("add")
    index(top.root, IndexOptions(accept_mark=1002))
    assert "id: 1003" in top.path("c").read_text()
    assert top.push() == []
    top.define("d")
    top.repo.commit("add")
    index(top.root, IndexOptions(accept_mark=2004))
    assert any(
        "the first new id of process_definition is 2005; it may be at most 2004" in reason
        for reason in top.push()
    )
    assert top.push(Guard(max_id_gap=1001)) == []


def test_the_limit_is_one_for_the_whole_push(top: Work) -> None:
    for number, name in ((903, "c"), (1804, "d")):
        top.define(name, number)
        top.append((number, name, "live"))
        top.repo.commit("write")
    assert any("may be at most 1004" in reason for reason in top.push())


def test_a_branch_that_was_set_back_takes_the_published_ledger_and_nothing_before_it(top: Work) -> None:
    before = top.repo.git("rev-parse", "HEAD")
    top.define("c")
    top.repo.commit("add")
    top.index()
    assert top.push() == []
    top.hub.git("update-ref", HIGH_WATER, "main")
    top.hub.git("update-ref", "refs/heads/main", before)
    top.repo.git("reset", "-q", "--hard", before)
    top.define("other", 3)
    top.append((3, "other", "live"))
    top.repo.commit("gives 3 again")
    assert any("the branch was reset" in reason for reason in top.push())
    top.repo.git("reset", "-q", "--hard", before)
    top.define("other")
    top.repo.commit("add")
    top.repo.git("fetch", "-q", str(top.hub.root), f"+{HIGH_WATER}:{HIGH_WATER}")
    index(top.root, IndexOptions(recover=True))
    assert "id: 4" in top.path("other").read_text()
    assert top.push() == []


# What must be refused


def forge_line_for_a_huge_id(work: Work) -> None:
    work.define("c", HUGE)
    work.append((HUGE, "c", "live"))


def forge_line_without_a_file(work: Work) -> None:
    work.append((3, "c", "live"))


def forge_event_of_nothing(work: Work) -> None:
    work.append((1, "a", "gone"))


def forge_gone_and_back(work: Work) -> None:
    work.append((1, "a", "gone"), (1, "a", "live"))


def move_an_id_to_another_file(work: Work) -> None:
    work.define("a")
    work.define("c", 1)
    work.append((1, "c", "moved"))


def swap_two_ids(work: Work) -> None:
    work.define("a", 2)
    work.define("b", 1)
    work.append((1, "b", "moved"), (2, "a", "moved"))


def give_another_id_to_a_file(work: Work) -> None:
    work.define("a", 3)
    work.append((1, "a", "gone"), (3, "a", "live"))


def give_an_old_number_again(work: Work) -> None:
    work.path("b").unlink()
    work.define("c", 2)
    work.append((2, "b", "gone"), (2, "c", "live"))


def carry_an_id_that_another_file_has(work: Work) -> None:
    work.define("c", 1)
    work.append((1, "c", "moved"))


def write_an_id_without_a_line(work: Work) -> None:
    work.define("c", 3)
    work.define("d", 4)
    work.append((3, "c", "live"))


def write_a_line_for_another_number(work: Work) -> None:
    work.define("c", 4)
    work.append((3, "c", "live"))


def leave_out_numbers_between(work: Work) -> None:
    work.define("c", 3)
    work.define("d", 5)
    work.append((3, "c", "live"), (5, "d", "live"))


def take_numbers_in_another_order(work: Work) -> None:
    work.define("c", 4)
    work.define("d", 3)
    work.append((4, "c", "live"), (3, "d", "live"))


def change_an_earlier_line(work: Work) -> None:
    path = work.root / "definitions/ledger.jsonl"
    path.write_text(path.read_text().replace('"name":"b"', '"name":"c"'))


def remove_a_line(work: Work) -> None:
    path = work.root / "definitions/ledger.jsonl"
    path.write_text(path.read_text().splitlines(keepends=True)[0])


def remove_the_ledger(work: Work) -> None:
    (work.root / "definitions/ledger.jsonl").unlink()


def make_the_ledger_a_link(work: Work) -> None:
    path = work.root / "definitions/ledger.jsonl"
    path.rename(work.root / "elsewhere")
    path.symlink_to("../elsewhere")


def make_the_ledger_a_link_of_the_same_bytes(work: Work) -> None:
    blob = work.repo.git("rev-parse", f"HEAD:{work.prefix}definitions/ledger.jsonl")
    work.repo.git("update-index", "--cacheinfo", f"120000,{blob},{work.prefix}definitions/ledger.jsonl")


def break_the_chain(work: Work) -> None:
    work.define("c", 3)
    work.append((3, "c", "live"))
    path = work.root / "definitions/ledger.jsonl"
    *lines, last = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, last[:-5] + "0" + last[-4:]]))


def cut_the_last_line(work: Work) -> None:
    work.define("c", 3)
    work.append((3, "c", "live"))
    path = work.root / "definitions/ledger.jsonl"
    path.write_text(path.read_text().rstrip("\n"))


def use_an_unknown_kind(work: Work) -> None:
    work.write("definitions/nothing/c.yaml", "id: 1\ntitle: T\n")
    work.append((1, "c", "live"), kind="nothing")


def use_another_registrys_id(work: Work) -> None:
    work.write("registry.yaml", "registry_id: registry-2\n")
    work.define("c", 3)
    work.append((3, "c", "live"))


def delete_the_registry(work: Work) -> None:
    shutil.rmtree(work.root / "definitions")


ATTACKS = (
    forge_line_for_a_huge_id,
    forge_line_without_a_file,
    forge_event_of_nothing,
    forge_gone_and_back,
    move_an_id_to_another_file,
    swap_two_ids,
    give_another_id_to_a_file,
    give_an_old_number_again,
    carry_an_id_that_another_file_has,
    write_an_id_without_a_line,
    write_a_line_for_another_number,
    leave_out_numbers_between,
    take_numbers_in_another_order,
    change_an_earlier_line,
    remove_a_line,
    remove_the_ledger,
    make_the_ledger_a_link,
    make_the_ledger_a_link_of_the_same_bytes,
    break_the_chain,
    cut_the_last_line,
    use_an_unknown_kind,
    use_another_registrys_id,
    delete_the_registry,
)


@pytest.mark.parametrize("segment_lines", [128, 1])
def test_forged_ids_and_lines_are_refused_alone_and_between_honest_commits(
    new_work: NewWork, segment_lines: int
) -> None:
    work = new_work("", segment_lines)
    start = work.repo.git("rev-parse", "HEAD")
    for attack in ATTACKS:
        work.repo.git("checkout", "-q", "-B", "attack", start)
        attack(work)
        if not work.repo.git("diff", "--cached", "--name-only"):
            work.repo.git("add", "-A")
        work.repo.git("commit", "-q", "-m", attack.__name__)
        work.repo.git("reset", "-q", "--hard")
        assert work.push(), attack.__name__
        if not (work.root / "definitions").exists():
            continue
        # Hidden behind a commit that takes it back, as far as that goes.
        work.repo.git("revert", "--no-edit", "HEAD")
        honest = work.push()
        bytes_then_and_now = {
            work.repo.git("ls-tree", "-r", "--format=%(objectname)", commit, *LEDGER)
            for commit in (start, "HEAD~1")
        }
        assert honest or len(bytes_then_and_now) == 1, attack.__name__
        work.hub.git("update-ref", "refs/heads/main", start)


# Segments

FIRST, SECOND = "definitions/ledger/000001.jsonl", "definitions/ledger/000002.jsonl"


def test_pushes_that_append_seal_and_split_are_accepted(top: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_segments(monkeypatch, 1)
    for name in "cd":
        top.define(name)
        top.repo.commit("add")
        top.index()
        assert top.push() == []
    for name in "ef":  # many lines in one push, by several commits
        top.define(name)
        top.define(f"{name}{name}")
        top.repo.commit("add")
        top.index()
    assert top.push() == []
    names = top.hub.git("ls-tree", "-r", "--name-only", "main", "definitions/ledger").splitlines()
    assert len(names) == 7


def test_a_program_from_before_there_were_segments_may_go_on_until_the_ledger_is_split(
    top: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    top.define("c")
    top.repo.commit("add")
    top.index()  # in one file
    shorten_segments(monkeypatch, 1)  # as the hook has it
    assert top.push() == []
    top.define("d")
    top.repo.commit("add")
    top.index()
    assert top.push() == []
    assert (top.root / FIRST).exists()


def change_a_segment(work: Work) -> None:
    path = work.root / FIRST
    path.write_text(path.read_text().replace('"name":"a"', '"name":"c"'))


def remove_a_segment(work: Work) -> None:
    (work.root / FIRST).unlink()


def swap_segments(work: Work) -> None:
    one, other = work.root / FIRST, work.root / SECOND
    texts = one.read_text(), other.read_text()
    other.write_text(texts[0])
    one.write_text(texts[1])


def link_a_segment(work: Work) -> None:
    blob = work.repo.git("rev-parse", f"HEAD:{FIRST}")
    work.repo.git("update-index", "--cacheinfo", f"120000,{blob},{FIRST}")


def add_a_segment(work: Work) -> None:
    work.write("definitions/ledger/000003.jsonl", (work.root / SECOND).read_text())


def repeat_the_open_segment_sealed(work: Work) -> None:
    last = (work.root / "definitions/ledger.jsonl").read_text().splitlines(keepends=True)[-1]
    work.write("definitions/ledger/000003.jsonl", last)


def add_a_file_beside_segments(work: Work) -> None:
    work.write("definitions/ledger/README.md", "x")


def name_another_segment(work: Work) -> None:
    path = work.root / "definitions/ledger.jsonl"
    path.write_text(path.read_text().replace("000002", "000001"))


def change_the_hash_of_the_segment(work: Work) -> None:
    path = work.root / "definitions/ledger.jsonl"
    first, _, rest = path.read_text().partition("\n")
    digit = "1" if first[-3] == "0" else "0"
    path.write_text(f'{first[:-3]}{digit}"}}\n{rest}')


def drop_the_first_line(work: Work) -> None:
    path = work.root / "definitions/ledger.jsonl"
    path.write_text(path.read_text().partition("\n")[2])


def join_everything_again(work: Work) -> None:
    work.write("definitions/ledger.jsonl", work.ledger.text)
    shutil.rmtree(work.root / "definitions/ledger")


def seal_without_a_new_line(work: Work) -> None:
    path = work.root / "definitions/ledger.jsonl"
    last = path.read_text().splitlines(keepends=True)[-1]
    work.write("definitions/ledger/000003.jsonl", last)
    head = work.ledger.head
    path.write_text('{"continues":"ledger/000003.jsonl","prev":"' + head + '"}\n')


def name_very_many_segments(work: Work) -> None:
    path = work.root / "definitions/ledger.jsonl"
    path.write_text(path.read_text().replace("000002", "999999999"))


def honest_line_and_a_changed_segment(work: Work) -> None:
    work.define("d", 4)
    work.append((4, "d", "live"))
    change_a_segment(work)


SEGMENT_ATTACKS = (
    change_a_segment,
    remove_a_segment,
    swap_segments,
    link_a_segment,
    add_a_segment,
    repeat_the_open_segment_sealed,
    add_a_file_beside_segments,
    name_another_segment,
    change_the_hash_of_the_segment,
    drop_the_first_line,
    join_everything_again,
    seal_without_a_new_line,
    name_very_many_segments,
    honest_line_and_a_changed_segment,
)


def test_what_is_done_to_segments_is_refused(split: Work) -> None:
    work = split
    work.define("c")
    work.repo.commit("add")
    work.index()
    assert work.push() == []
    start = work.repo.git("rev-parse", "HEAD")
    for attack in SEGMENT_ATTACKS:
        work.repo.git("checkout", "-q", "-B", "attack", start)
        attack(work)
        if not work.repo.git("diff", "--cached", "--name-only"):
            work.repo.git("add", "-A")
        assert work.repo.git("diff", "--cached", "--name-only"), attack.__name__
        work.repo.git("commit", "-q", "-m", attack.__name__)
        work.repo.git("reset", "-q", "--hard")
        assert work.push(), attack.__name__
        work.repo.git("revert", "--no-edit", "HEAD")
        assert work.push(), f"{attack.__name__}, and back"
    work.repo.git("checkout", "-q", "-B", "main", start)
    work.define("d")
    work.repo.commit("add")
    work.index()
    assert work.push() == []


def test_a_branch_with_segments_that_was_set_back_takes_the_published_ledger(split: Work) -> None:
    before = split.repo.git("rev-parse", "HEAD")
    for name in "cd":
        split.define(name)
        split.repo.commit("add")
        split.index()
    assert split.push() == []
    split.hub.git("update-ref", HIGH_WATER, "main")
    split.hub.git("update-ref", "refs/heads/main", before)
    split.repo.git("reset", "-q", "--hard", before)
    split.define("other")
    split.repo.commit("add")
    split.repo.git("fetch", "-q", str(split.hub.root), f"+{HIGH_WATER}:{HIGH_WATER}")
    index(split.root, IndexOptions(recover=True))
    assert "id: 5" in split.path("other").read_text()
    assert split.push() == []


def test_a_push_that_makes_the_ledger_too_large_is_refused(
    split: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = read_ledger_files(WorkTree(split.root))
    size = sum(map(len, (files.open, *files.sealed.values())))
    assert files.sealed
    split.define("c")
    split.repo.commit("add")
    split.index()
    monkeypatch.setattr("registry.review.pushed_ids.MAX_LEDGER_BYTES", size + 10)
    with pytest.raises(UsageError, match=f"is larger than {size + 10:,} bytes"):
        split.push()
    monkeypatch.setattr("registry.review.pushed_ids.MAX_LEDGER_BYTES", 10 * size)
    assert split.push() == []


@pytest.mark.parametrize("name", ["", "main", "0" * 39, "g" * 40, "$(id)", "A" * 40])
def test_a_line_with_anything_but_a_commit_is_refused(top: Work, name: str) -> None:
    path = top.root / "definitions/ledger.jsonl"
    ledger, _ = parse_ledger(path.read_bytes(), "registry-1")
    (entry,) = append(ledger, [(KIND, 3, "c", "live")], name)
    path.write_text(f"{ledger.text}{entry.line()}\n")
    top.define("c", 3)
    top.repo.commit("forge")
    assert any("which is not a commit" in reason for reason in top.push())


def test_a_change_of_the_registrys_id_is_named(top: Work) -> None:
    use_another_registrys_id(top)
    top.repo.commit("forge")
    assert any("registry_id is registry-2, but the ledger belongs to registry-1" in one for one in top.push())


def test_an_id_is_not_moved_by_a_commit_that_another_one_notes(top: Work) -> None:
    top.define("a")
    top.define("c", 1)
    top.repo.commit("author: move the id")
    top.append((1, "c", "moved"))
    top.define("a", 3)
    top.append((3, "a", "live"))
    top.repo.commit("note it")
    assert any("c.yaml has the id 1" in reason or "lost its id" in reason for reason in top.push())


def test_a_forced_push_is_refused_whatever_it_holds(top: Work) -> None:
    top.define("c")
    top.repo.commit("add")
    assert top.push() == []
    top.repo.git("reset", "-q", "--hard", "HEAD~1")
    top.define("d")
    top.repo.commit("instead")
    assert any("would lose the commit" in reason for reason in top.push())


def test_a_ledger_that_is_broken_already_stops_what_gives_ids_and_names_the_repair(top: Work) -> None:
    path = top.root / "definitions/ledger.jsonl"
    path.write_text(path.read_text().replace('"id":1', '"id":7'))
    top.repo.commit("before the hook was there")
    top.repo.git("push", "-q", "origin", "HEAD:main")
    path.write_text(path.read_text() + "{}\n")
    top.repo.commit("more")
    with pytest.raises(UsageError, match=r"the ledger of [0-9a-f]+ is broken"):
        top.judge()


def test_the_first_ids_and_a_ledger_of_another_registry(tmp_path: Path) -> None:
    repo = RepoBuilder(tmp_path / "repo")
    repo.define("a")
    repo.commit("start")
    work = Work(repo, RepoBuilder.at(tmp_path / "hub.git", 0))
    repo.git("clone", "-q", "--bare", str(repo.root), str(work.hub.root))
    repo.write("registry.yaml", "registry_id: mine\n")
    work.define("a", 1)
    work.append((1, "a", "live"))  # chained to registry-1
    repo.commit("forged")
    assert any("(in the first line: registry_id)" in reason for reason in work.push())
    repo.git("reset", "-q", "--hard", "HEAD~1")
    work.define("b")
    repo.commit("add")
    work.index()
    assert work.push() == []


# The mark and other refs


def test_the_mark_goes_with_its_branch_and_never_back(top: Work) -> None:
    old = top.repo.git("rev-parse", "HEAD~1")
    head = top.hub.git("rev-parse", "main")
    top.define("c")
    top.repo.commit("add")
    top.index()
    new = top.repo.git("rev-parse", "HEAD")
    top.hub.git("fetch", "-q", str(top.repo.root), "HEAD")
    mark = PushedRef(head, new, HIGH_WATER)
    assert wrong(top.judge(mark)) == []
    alone = judge_push(top.hub.root, [mark])
    assert "only in the same push as refs/heads/main" in wrong(alone)[0]
    assert "and for the same commit" in wrong(top.judge(PushedRef(head, old, HIGH_WATER)))[0]
    elsewhere = top.hub.git("commit-tree", "-p", new, "-m", "of no branch", f"{new}^{{tree}}")
    assert "and for the same commit" in wrong(top.judge(PushedRef(head, elsewhere, HIGH_WATER)))[0]
    assert "cannot be deleted" in wrong(top.judge(PushedRef(head, "0" * 40, HIGH_WATER)))[0]
    assert (
        "the only ref accepted below refs/registry/ is refs/registry/high-water"
        in wrong(top.judge(PushedRef("0" * 40, new, "refs/registry/high-water/x")))[0]
    )
    # A client that gives a false old value gets its branch refused by git, but not its mark.
    false = PushedRef(old, new, "refs/heads/main")
    assert "another push moved" in wrong(judge_push(top.hub.root, [false, mark]))[0]
    assert top.push() == []
    assert wrong(judge_push(top.hub.root, [mark]))  # after its branch is too late
    assert wrong(judge_push(top.hub.root, [mark], Guard(sees_whole_push=False)))


def test_the_mark_of_a_branch_that_was_set_back_does_not_forget(top: Work) -> None:
    head = top.hub.git("rev-parse", "main")
    top.define("c")
    top.repo.commit("add")
    top.index()
    assert top.push() == []
    far = top.hub.git("rev-parse", "main")
    top.hub.git("update-ref", "refs/heads/main", head)
    top.repo.git("reset", "-q", "--hard", head)
    top.define("d")
    top.repo.commit("no ids here")
    top.hub.git("fetch", "-q", str(top.repo.root), "HEAD")
    top.hub.git("update-ref", HIGH_WATER, far)
    assert (
        "ledger lines" in wrong(top.judge(PushedRef(far, top.repo.git("rev-parse", "HEAD"), HIGH_WATER)))[0]
    )


def test_names_that_stand_for_the_guarded_branch_are_guarded(top: Work) -> None:
    top.hub.git("tag", "main", "main~1")
    top.hub.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    top.define("c", 9)
    top.repo.commit("by hand")
    assert any("I030" in reason for reason in wrong(top.judge()))
    assert "is an alias of a guarded branch" in wrong(top.judge(ref="refs/heads/alias"))[0]
    assert wrong(top.judge(ref="refs/heads/draft")) == []


def test_a_guarded_branch_that_is_not_there_is_reported(top: Work) -> None:
    with pytest.raises(UsageError, match="refs/heads/trunk does not exist"):
        top.judge(guard=Guard(("trunk",)))
    top.hub.git("update-ref", "--no-deref", "HEAD", "main")
    with pytest.raises(UsageError, match="HEAD of the repository is not on a branch"):
        top.judge()


def test_an_id_that_moved_to_another_file_before_a_harmless_commit_is_refused(top: Work) -> None:
    top.define("a")
    top.define("c", 1)
    top.repo.commit("move the id")
    top.define("d")
    top.repo.commit("add")
    assert "I031 the id 1 was removed" in top.push()


def test_ids_in_hidden_files_are_no_ids_of_definitions(top: Work) -> None:
    top.write(f"definitions/{KIND}/.draft.yaml", "id: 2\ntitle: Draft\n")
    top.repo.commit("a draft of an editor")
    top.define("c")
    top.repo.commit("add")
    top.index()
    assert top.push() == []


def test_a_new_branch_is_checked_whole(top: Work) -> None:
    new = top.hub.git("rev-parse", "main")
    zeros = "0" * 40
    guard = Guard(("release",))
    assert wrong(judge_push(top.hub.root, [PushedRef(zeros, new, "refs/heads/release")], guard)) == []
    path = top.root / "definitions/ledger.jsonl"
    path.write_text(path.read_text().replace('"id":1', '"id":7'))
    top.repo.commit("broken ledger")
    top.hub.git("fetch", "-q", str(top.repo.root), "+HEAD:refs/pushed")
    broken = PushedRef(zeros, top.hub.git("rev-parse", "refs/pushed"), "refs/heads/release")
    assert any("I020" in reason for reason in wrong(judge_push(top.hub.root, [broken], guard)))


# Invented histories


@pytest.mark.parametrize("seed", range(3))
def test_whatever_index_does_is_accepted_and_another_story_is_not(new_work: NewWork, seed: int) -> None:
    chance = random.Random(seed)
    work = new_work("", (128, 3, 1)[seed])
    graves: dict[str, str] = {}
    for _ in range(4):
        for _ in range(chance.randrange(1, 5)):
            for _ in range(chance.randrange(1, 3)):
                author(work, chance, graves)
            work.repo.commit("authors")
            if chance.random() < 0.6:
                work.index()
        honest = work.repo.git("rev-parse", "HEAD")
        if lie(work, chance):
            work.repo.commit("lie")
            assert work.push(), work.repo.git("show")
            work.repo.git("reset", "-q", "--hard", honest)
        assert work.push() == []


def author(work: Work, chance: random.Random, graves: dict[str, str]) -> None:
    """One thing that an author does and that reviews let through."""
    here = sorted(path.stem for path in (work.root / f"definitions/{KIND}").glob("*.yaml"))
    ledger = work.ledger
    live = {one.name: f"id: {one.id}\n" for one in ledger.latest.values() if one.state != "gone"}
    free = [name for name in "abcdefghij" if name not in (*here, *graves, *live)]
    noted = [name for name in here if name in live and live[name] in work.path(name).read_text()]
    fresh = [name for name in here if not work.path(name).read_text().startswith("id: ")]
    what = chance.choice(["add", "add", "edit", "rename", "rename", "delete", "restore"])
    if what == "add" and free:
        work.define(chance.choice(free), text=f"# {chance.random()}\n")
    elif what == "edit" and here:
        path = work.path(chance.choice(here))
        path.write_text(path.read_text() + f"# {chance.random()}\n")
    elif what == "rename" and noted and free:
        work.path(chance.choice([*noted, *fresh])).rename(work.path(chance.choice(free)))
    elif what == "delete" and len(noted) > 1:
        name = chance.choice(noted)
        graves[name] = work.path(name).read_text()
        work.path(name).unlink()
    elif what == "restore" and graves:
        name = chance.choice(sorted(graves))
        work.path(name).write_text(graves.pop(name))


def lie(work: Work, chance: random.Random) -> bool:
    """A line of the ledger that is rightly chained and tells of nothing that happened."""
    work.index()  # what waits is noted, so that nothing can be true by chance
    here = sorted(path.stem for path in (work.root / f"definitions/{KIND}").glob("*.yaml"))
    number, name = chance.randrange(1, 12), chance.choice([*here, "nowhere"])
    work.append((number, name, chance.choice(["live", "moved", "gone"])))
    return True
