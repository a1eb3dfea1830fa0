"""Publishing to a bucket in memory: the order of uploads, what stays readable, locks, and interruptions."""

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

import obstore
import pytest
from obstore.store import MemoryStore

from registry.client import NotFound, RegistryClient
from registry.errors import RefusedError, RegistryError, UsageError
from registry.progress import silent
from registry.publish import PublicationPlan, plan_publication, plan_rollback
from registry.publish.bucket import Bucket
from registry.publish.hash_tree import ROOT_FILE, SIGNATURE_FILE, all_leaf_files
from registry.publish.object_store import ObjectStoreDestination, upload_rank
from registry.publish.signing import sign
from registry.site import Site
from tests.conftest import Run
from tests.support.publishing import change, files_in, shrink, signing_key
from tests.support.repo import RepoBuilder
from tests.support.seeds import seeds

if TYPE_CHECKING:
    from obstore import Attributes

READ = (
    "api/process_definition/1.json",
    "api/process_definition/1/index.json",  # in the first state only
    "api/process_definition/all.ndjson",
    "api/snapshot.json",
)
RECORD = "_registry/publish/000001.json"
NAME = "the bucket s3://test"


class KilledError(BaseException):
    """The publisher was killed."""


class MortalBucket(Bucket):
    """A bucket whose publisher is killed before a request that changes something, and does nothing after it."""

    def __init__(self, store: MemoryStore, requests: int) -> None:
        super().__init__(store, NAME)
        self.remaining = requests

    def _count(self) -> None:
        self.remaining -= 1
        if self.remaining < 0:
            raise KilledError

    def create(self, path: str, data: bytes) -> bool:
        self._count()
        return super().create(path, data)

    def write(self, path: str, data: bytes) -> None:
        self._count()
        super().write(path, data)

    async def write_later(self, path: str, data: bytes, attributes: "Attributes | None" = None) -> str | None:
        self._count()
        return await super().write_later(path, data, attributes)

    async def copy_later(self, path: str, to: str) -> bool:
        self._count()
        return await super().copy_later(path, to)

    def delete(self, paths: Iterable[str]) -> None:
        self._count()
        super().delete(paths)


@dataclass
class Place:
    """A bucket in memory, and the registry that is published to it."""

    repo: RepoBuilder
    store: MemoryStore = field(default_factory=MemoryStore)
    warnings: list[str] = field(default_factory=list)
    sign: Callable[[bytes], bytes] | None = None

    def destination(
        self, bucket: Bucket | None = None, *, take_over: bool = False, dead_after_s: float = 300
    ) -> ObjectStoreDestination:
        bucket = bucket if bucket is not None else Bucket(self.store, NAME)
        return ObjectStoreDestination(
            bucket, self.warnings.append, take_over=take_over, dead_after_s=dead_after_s
        )

    def plan(self, place: ObjectStoreDestination | None = None) -> PublicationPlan:
        site, place = Site(self.repo.root / "site"), place or self.destination()
        return plan_publication(site, place, silent, allow_shrink=True, sign=self.sign)

    def publish(self, place: ObjectStoreDestination | None = None) -> PublicationPlan:
        place = place or self.destination()
        return carry_out(place, self.plan(place))

    def roll_back(self, place: ObjectStoreDestination | None = None) -> PublicationPlan:
        place = place or self.destination()
        return carry_out(place, plan_rollback(place, silent, sign=self.sign))

    def kill_after(self, requests: int) -> bool:
        """Publish, killed before a request that writes; True if the publication ended before."""
        bucket = MortalBucket(self.store, requests)
        try:
            self.publish(self.destination(bucket, take_over=True))
        except KilledError:
            return False
        return True

    def objects(self) -> dict[str, str | None]:
        """ETags by path."""
        return {one["path"]: one["e_tag"] for some in obstore.list(self.store) for one in some}

    def content(self, path: str) -> bytes:
        return bytes(obstore.get(self.store, path).bytes())

    def shown(self) -> dict[str, bytes]:
        """The files of the site that the bucket has."""
        return {path: self.content(path) for path in self.objects() if not path.startswith("_registry/")}

    def site(self) -> dict[str, bytes]:
        """The files of the site that was built."""
        return files_in(self.repo.root / "site")

    def download(self, folder: Path) -> Path:
        """Write all objects to a folder."""
        for path in self.objects():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(self.content(path))
        return folder

    def sequence(self) -> int:
        found: int = json.loads(self.content(ROOT_FILE))["sequence"]
        return found


def carry_out(place: ObjectStoreDestination, plan: PublicationPlan) -> PublicationPlan:
    """Publish what was planned."""
    if plan.publication is not None:
        place.publish(plan.publication, plan.changes, silent)
    return plan


@pytest.fixture
def place(registry: RepoBuilder) -> Place:
    return Place(registry)


def number_of(etag: str | None) -> int:
    """The number of the request that wrote an object: a bucket in memory counts them."""
    assert etag is not None
    return int(etag.strip('"'))


@pytest.mark.parametrize(
    ("path", "rank"),
    [
        ("_assets/style.0123.css", 0),
        ("api/process_definition/12/index.json", 1),
        ("api/process_definition/12.json", 1),
        ("api/process_definition/12/revisions/3/index.json", 1),
        ("process_definition/weather/forecast/index.html", 1),
        ("process_definition/weather/forecast/_history/index.html", 1),
        ("api/process_definition/by-name/12/index.json", 2),
        ("api/process_definition/index.json", 3),
        ("api/process_definition/page/2/index.json", 3),
        ("process_definition/_page/2/index.html", 3),
        ("process_definition/index.html", 3),
        ("api/process_definition.json", 4),
        ("api/process_definition/all.ndjson", 4),
        ("api/openapi.json", 4),
        ("index.html", 4),
        ("api/snapshot.json", 5),
    ],
)
def test_a_file_has_its_place_in_the_order(path: str, rank: int) -> None:
    assert upload_rank(path) == rank


def test_files_are_uploaded_in_order_with_their_types(place: Place) -> None:
    place.publish()
    assert place.shown() == place.site()
    written = place.objects()
    ranked = [(upload_rank(path), number_of(written[path])) for path in place.site()]
    assert [rank for _, rank in sorted((number, rank) for rank, number in ranked)] == sorted(
        rank for rank, _ in ranked
    )
    before_root = max(number for rank, number in ranked if rank < 5)
    leaves = [number_of(written[leaf]) for leaf in all_leaf_files()]
    root, snapshot = number_of(written[ROOT_FILE]), number_of(written["api/snapshot.json"])
    assert before_root < min(leaves) <= max(leaves) < root < snapshot
    for path in written:
        if path.startswith("_registry/") and path not in (*all_leaf_files(), ROOT_FILE):
            continue
        attributes = obstore.get(place.store, path).attributes
        lasting = "immutable" in attributes["Cache-Control"]
        assert lasting == path.startswith("_assets/")
        assert lasting or attributes["Cache-Control"] == "no-cache"
        if path.endswith(".json"):
            assert attributes["Content-Type"] == "application/json"
        elif path.endswith(".html"):
            assert attributes["Content-Type"] == "text/html; charset=utf-8"
        elif path.endswith(".ndjson"):
            assert attributes["Content-Type"] == "application/x-ndjson"


def test_only_what_changed_is_uploaded(place: Place, run: Run) -> None:
    assert set(place.plan().changes.written) == place.site().keys()
    assert place.objects() == {}  # a plan writes nothing
    place.publish()
    before = place.objects()
    assert place.publish().publication is None
    assert place.objects() == before
    change(place.repo, run, "Another title")
    plan = place.publish()
    after = place.objects()
    assert {path for path in place.site() if before.get(path) != after[path]} == set(plan.changes.written)
    assert 0 < len(plan.changes.written) < len(place.site()) / 2
    assert place.shown() == place.site()
    assert place.sequence() == 2


def test_files_are_deleted_by_the_publication_after_that_which_no_longer_has_them(
    place: Place, run: Run
) -> None:
    place.publish()
    first = set(place.site())
    shrink(place.repo, run)
    gone = set(place.publish().changes.removed)
    assert gone
    assert set(place.shown()) == first
    change(place.repo, run, "Another title")
    place.publish()
    assert set(place.shown()) == set(place.site())
    assert not gone & place.shown().keys()


def test_files_that_were_left_are_known_after_an_interruption(place: Place, run: Run) -> None:
    place.publish()
    shrink(place.repo, run)
    gone = set(place.publish().changes.removed)
    change(place.repo, run, "Another title")
    assert not place.kill_after(10)
    assert gone <= place.shown().keys()
    place.publish(place.destination(take_over=True))
    assert place.shown() == place.site()


def test_a_rollback_publishes_the_state_before(place: Place, run: Run, tmp_path: Path) -> None:
    place.publish()
    first = place.shown()
    shrink(place.repo, run)
    change(place.repo, run, "A mistake")
    place.publish()
    second = place.site()
    place.roll_back()
    assert {path: place.shown()[path] for path in first} == first
    assert place.sequence() == 3
    assert run("verify", str(place.download(tmp_path / "first"))).code == 0
    place.roll_back()
    assert {path: place.shown()[path] for path in second} == second
    assert run("verify", str(place.download(tmp_path / "second"))).code == 0
    for number in range(3):
        change(place.repo, run, f"Title {number}")
        place.publish()
    before = {path.split("/")[2] for path in place.objects() if path.startswith("_registry/before/")}
    assert before == {"000006", "000007"}  # the state before, and files that follow the root
    place.roll_back()
    assert b"Title 1" in place.content("process_definition/a/index.html")


def test_nothing_is_rolled_back_without_an_earlier_state(place: Place) -> None:
    with pytest.raises(UsageError, match="no earlier publication"):
        place.roll_back()
    place.publish()
    with pytest.raises(UsageError, match="no earlier publication"):
        place.roll_back()


def test_a_prefix_with_objects_of_others_is_not_touched(place: Place) -> None:
    obstore.put(place.store, "precious.txt", b"mine")
    before = place.objects()
    with pytest.raises(RefusedError, match=r"did not write: precious\.txt"):
        place.publish()
    assert place.objects() == before


def test_of_two_publishers_one_publishes(place: Place, run: Run) -> None:
    place.publish()
    change(place.repo, run, "Another title")
    first, second = place.destination(), place.destination()
    planned, late = place.plan(first), place.plan(second)
    carry_out(first, planned)
    before = place.objects()
    with pytest.raises(RefusedError, match=f"has published to {NAME} since it was read"):
        carry_out(second, late)
    assert place.objects() == before


def as_running(place: Place, path: str, host: str = "builder-7") -> None:
    """Make a record that of a publisher which is at work, or was killed."""
    record = {**json.loads(place.content(path)), "state": "publishing", "host": host}
    obstore.put(place.store, path, json.dumps(record).encode())


def test_a_running_publication_is_named_and_a_killed_one_is_taken_over(place: Place, run: Run) -> None:
    place.publish()
    change(place.repo, run, "Another title")
    as_running(place, RECORD)
    objects = set(place.objects())
    with pytest.raises(RefusedError, match=r"builder-7 \(since 20.*\) is publishing to the bucket") as caught:
        place.publish()
    assert "--take-over" in caught.value.hint
    assert set(place.objects()) - objects <= {"_registry/publish/clock"}
    place.publish(place.destination(dead_after_s=-1))  # killed a long time ago
    assert place.shown() == place.site()
    change(place.repo, run, "A third title")
    as_running(place, "_registry/publish/000002.json")
    before = place.shown()
    place.publish(place.destination(take_over=True))
    # Files that the site no longer has stay until the next publication.
    assert place.shown() == {**before, **place.site()}


def test_a_publisher_that_was_taken_over_stops(
    place: Place, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publish()
    change(place.repo, run, "Another title")
    slow = place.destination()
    plan, site = place.plan(slow), place.site()
    assert plan.publication is not None
    one_at_once, taken_over = Lock(), Event()

    def read_slowly(path: str) -> bytes:
        with one_at_once:
            if not taken_over.is_set():
                change(place.repo, run, "A third title")
                place.publish(place.destination(take_over=True))
                taken_over.set()
        return site[path]

    hours = count()
    monkeypatch.setattr(time, "time", lambda: next(hours) * 3600.0)
    with pytest.raises(RefusedError, match="has taken over the publication"):
        slow.publish(replace(plan.publication, read=read_slowly), plan.changes, silent)
    assert json.loads(place.content("_registry/publish/000003.json"))["state"] == "done"
    assert place.shown() == place.site()


def test_a_store_without_conditions_is_reported_each_time(place: Place, run: Run) -> None:
    class CarelessBucket(Bucket):
        """It overwrites what must not exist, as some stores do."""

        def create(self, path: str, data: bytes) -> bool:
            self.write(path, data)
            return True

        def refuses_second_creation(self, probe: str) -> bool:
            self.create(probe, b"")
            return not self.create(probe, b"")

    for title in ("First", "Second"):
        change(place.repo, run, title)
        place.publish(place.destination(CarelessBucket(place.store, NAME)))
    assert place.warnings == [f"{NAME}: this store cannot refuse a concurrent publication"] * 2


def test_an_interrupted_first_publication_continues(place: Place) -> None:
    assert not place.kill_after(len(place.site()) - 10)
    assert ROOT_FILE not in place.objects()
    plan = place.publish(place.destination(take_over=True))
    assert place.shown() == place.site()
    assert plan.sequence == 1
    assert place.publish().publication is None


def test_a_failed_publication_continues_where_it_ended(place: Place) -> None:
    """Only what is missing is uploaded, and no waiting is needed: the failure closed the record."""

    class FailingBucket(MortalBucket):
        async def write_later(
            self, path: str, data: bytes, attributes: "Attributes | None" = None
        ) -> str | None:
            if self.remaining == 0:
                raise RegistryError("the connection failed")
            self.remaining -= 1
            return await Bucket.write_later(self, path, data, attributes)

        def _count(self) -> None:
            """Other requests succeed."""

    with pytest.raises(RegistryError, match="the connection failed"):
        place.publish(place.destination(FailingBucket(place.store, 30)))
    done = place.shown().keys()
    assert len(done) == 30
    written = set(place.publish().changes.written)
    missing = place.site().keys() - done
    assert missing <= written
    assert len(written) <= len(missing) + 16  # those under way when it failed
    assert place.shown() == place.site()
    assert {path for path in place.objects() if "uploaded" in path} == set()


def test_objects_of_others_are_found_after_an_interruption(place: Place) -> None:
    assert not place.kill_after(30)
    obstore.put(place.store, "precious.txt", b"mine")
    with pytest.raises(RefusedError, match=r"did not write: precious\.txt"):
        place.publish(place.destination(take_over=True))
    assert place.content("precious.txt") == b"mine"


@pytest.mark.parametrize("half", seeds(1, 2))
def test_a_publication_that_was_killed_anywhere_is_completed_or_undone(
    place: Place, run: Run, tmp_path: Path, half: int
) -> None:
    key, signers = signing_key(tmp_path)
    place.sign = partial(sign, key=key)
    place.publish()
    first = place.shown()
    change(place.repo, run, "Another title")
    shrink(place.repo, run)
    second = place.site()
    begin = {path: place.content(path) for path in place.objects()}

    def killed_after(requests: int) -> bool:
        place.store = MemoryStore()
        for path, data in begin.items():
            obstore.put(place.store, path, data)
        return not place.kill_after(requests)

    counted = MortalBucket(place.store, 10_000)
    place.publish(place.destination(counted))
    total = 10_000 - counted.remaining
    # The last requests replace the root and what follows it.
    places = (*range(0, total - 14, total // 4), *range(total - 14, total))
    # Pairs, because every second interruption is followed by a rollback.
    for kills in (one for number, one in enumerate(places) if number // 2 % 2 == half):
        assert killed_after(kills)
        held = place.sequence()
        folder = place.download(tmp_path / f"{kills}-killed")
        shown = first if held == 1 else second
        mixed = any(place.content(path) != data for path, data in shown.items())
        done = run("verify", str(folder), "--allowed-signers", str(signers))
        assert done.code == (1 if mixed else 0)
        assert "was changed" not in done.err
        assert ("of another publication, which has not finished" in done.err) == mixed
        with RegistryClient(folder, verify=signers) as client:
            assert answers_of(client) == {path: shown.get(path) for path in READ}
            if kills < total - 14:
                client.sync(tmp_path / f"{kills}-mirror")
                assert files_in(tmp_path / f"{kills}-mirror") == shown
        if kills % 2 and "_registry/publish/000002.json" in place.objects():
            place.roll_back(place.destination(take_over=True))
            expected = first
        else:
            place.publish(place.destination(take_over=True))
            expected = second
        assert {path: place.shown()[path] for path in expected} == expected
        if kills % 3 == 0:
            folder = place.download(tmp_path / f"{kills}-then")
            done = run("verify", str(folder), "--allowed-signers", str(signers))
            assert done.code == 0, (kills, done.err)
        if expected == second and held == 1 and kills < total - 14:
            place.roll_back()
            assert {path: place.shown()[path] for path in first} == first


def answers_of(client: RegistryClient) -> dict[str, bytes | None]:
    """What a client reads; None for what the published state does not have."""
    found: dict[str, bytes | None] = dict.fromkeys(READ)
    for path in READ:
        with suppress(NotFound):
            found[path] = client._read(path)[0]
    return found


def test_a_signature_of_another_state_is_removed(place: Place, run: Run) -> None:
    place.sign = lambda data: b"signed " + data
    place.publish()
    assert place.content(SIGNATURE_FILE) == b"signed " + place.content(ROOT_FILE)
    place.sign = None
    change(place.repo, run, "Another title")
    place.publish()
    assert SIGNATURE_FILE not in place.objects()


def test_a_damaged_bucket_is_reported(place: Place, run: Run) -> None:
    place.publish()
    obstore.put(place.store, "_registry/tree/7f", b"no digest\n")
    change(place.repo, run, "Another title")
    with pytest.raises(RefusedError, match="_registry/tree/7f does not fit the root"):
        place.publish()


@pytest.mark.parametrize("words", [["folder:www", "--take-over"], ["s3://bucket", "--remote", "origin"]])
def test_an_option_of_another_target_is_refused(registry: RepoBuilder, run: Run, words: list[str]) -> None:
    done = run("publish", *words, "-C", str(registry.root))
    assert (done.code, " needs a b" in done.err) == (2, True)
