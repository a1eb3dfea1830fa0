"""Generations on disk: whole or not at all, the last three kept, nobody else's files touched."""

import errno
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest

from registry.errors import RefusedError, UsageError
from registry.render.target import File, Target, Targets, rendered_target
from registry.site import Site

API = rendered_target("api", File("api/a/index.json", b"{}", ("api/a.json",)))


def page(text: str) -> Target:
    """The index page as a target."""
    return rendered_target("index", File("index.html", text.encode()))


TARGETS = [page("one"), API]


def names(site: Site) -> list[str]:
    return sorted(entry.name for entry in site.generations.iterdir() if not entry.name.startswith("."))


def test_a_site_is_a_link_to_its_generation_and_the_last_three_stay(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    for number in range(5):
        written = site.write(Targets([page(str(number)), API]))
        assert written.files == 3
    assert (tmp_path / "site").is_symlink()
    assert (tmp_path / "site/index.html").read_bytes() == b"4"
    assert names(site) == ["000003", "000004", "000005"]
    assert (tmp_path / "site/api/a.json").read_bytes() == b"{}"


def test_prepared_generations_save_the_next_builds_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets([page("one"), API]))
    site.prepare_next()
    assert names(site) == ["000001"]  # a copy of so few files saves no time
    monkeypatch.setattr("registry.site.generations._WORTH_PREPARING", 1)
    site.prepare_next()
    assert names(site) == ["000001", "000002", "000003"]
    assert tree(tmp_path / "site") == tree(site.generations / "000001")
    site.prepare_next()  # there are enough
    assert site.current == site.generations / "000003"
    monkeypatch.setattr("registry.site.generations.copy_tree", Mock(side_effect=AssertionError))
    for number in range(4):
        assert site.write(Targets([page(str(number)), API])).changed == 1
        assert (tmp_path / "site/index.html").read_bytes() == str(number).encode()
        assert (tmp_path / "site/api/a.json").read_bytes() == b"{}"
    assert names(site) == ["000005", "000006", "000007"]


def test_without_hard_links_no_generation_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))
    monkeypatch.setattr("registry.site.generations._WORTH_PREPARING", 1)
    monkeypatch.setattr(os, "link", Mock(side_effect=OSError(errno.EPERM, os.strerror(errno.EPERM))))
    site.prepare_next()
    assert names(site) == ["000001"]


def test_an_error_on_the_way_leaves_the_last_good_site(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))

    def broken() -> Iterator[File]:
        yield File("index.html", b"two")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "disk")

    for targets in (
        [Target("index", "new", ("index.html",), broken)],
        [API, Target("index", "new", ("index.html",), broken)],
    ):
        with pytest.raises(UsageError, match="No space left on device"):
            site.write(Targets(targets))
        assert (tmp_path / "site/index.html").read_bytes() == b"one"
        assert names(site) == ["000001"]


def test_a_build_that_is_killed_leaves_the_last_good_site_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))
    program = (
        "import os, signal, sys; from pathlib import Path; from registry.site import Site; from registry.render.target import File, Target, Targets\n"
        "def files():\n    yield File('index.html', b'two'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "Site(Path(sys.argv[1])).write(Targets([Target('index', 'new', ('index.html',), files)]))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "site")], check=False)
    assert done.returncode == -9
    assert (tmp_path / "site/index.html").read_bytes() == b"one"
    assert names(site) == ["000001", "000002.partial"]
    site.write(Targets([page("three")]))
    assert (tmp_path / "site/index.html").read_bytes() == b"three"
    assert names(site) == ["000001", "000002"]


def test_a_generation_that_never_became_current_is_not_the_previous_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets([page("one")]))
    with monkeypatch.context() as patched:
        # Killed after the new generation was complete, and before the link.
        patched.setattr(Site, "_make_current", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            site.write(Targets([page("two")]))
    assert names(site) == ["000001", "000002"]
    site.write(Targets([page("three")]))
    previous = site.previous()
    assert previous is not None
    assert (previous / "index.html").read_bytes() == b"one"


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_a_write_that_resumes_keeps_the_files_that_an_interrupted_one_left(tmp_path: Path, how: str) -> None:
    site = Site(tmp_path / "site")
    program = (
        "import os, signal, sys; from pathlib import Path; from registry.site import Site; from registry.render.target import File, Target, Targets\n"
        "def files():\n"
        "    yield File('kept.html', b'kept'); yield File('gone/gone.html', b'gone'); yield File('old/changed.html', b'old')\n"
        f"    os.kill(os.getpid(), signal.{how})\n"
        "Site(Path(sys.argv[1])).write(Targets([Target('all', 'new', ('',), files)]), resume=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "site")], check=False, stderr=subprocess.DEVNULL
    )
    assert done.returncode == -getattr(signal, how)
    assert names(site) == ["000001.partial"]
    kept = (site.generations / "000001.partial/kept.html").stat().st_ino

    def files() -> Iterator[File]:
        yield File("kept.html", b"kept")
        yield File("old/changed.html", b"new")
        yield File("more.html", b"more")

    written = site.write(Targets([Target("all", "other", ("",), files)]), resume=True)
    assert written.files == 3
    assert (tmp_path / "site/kept.html").stat().st_ino == kept
    expected = {"kept.html": b"kept", "old": b"/", "old/changed.html": b"new", "more.html": b"more"}
    assert tree(tmp_path / "site") == expected
    assert names(site) == ["000001"]


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/mine.txt").write_text("mine")
    with pytest.raises(RefusedError, match="was not created by"):
        Site(tmp_path / "site").write(Targets(TARGETS))
    (tmp_path / "other").symlink_to(tmp_path / "site")
    with pytest.raises(RefusedError, match="is a link that"):
        Site(tmp_path / "other").write(Targets(TARGETS))
    assert (tmp_path / "site/mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "target", [".site.generations/mine", ".site.generations/12345", "other/000001", "000001"]
)
def test_a_link_to_anything_but_a_generation_is_never_replaced(tmp_path: Path, target: str) -> None:
    (tmp_path / target).mkdir(parents=True, exist_ok=True)
    (tmp_path / "site").symlink_to(target)
    with pytest.raises(RefusedError, match="is a link that"):
        Site(tmp_path / "site").write(Targets(TARGETS))
    assert str((tmp_path / "site").readlink()) == target


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    Site(tmp_path / "site").write(Targets(TARGETS))
    assert (tmp_path / "site/index.html").exists()


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        Site(tmp_path / "file/site").write(Targets(TARGETS))


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o022])
def test_files_and_folders_get_the_permissions_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    site = Site(tmp_path / "site")
    for now in (0o022, umask, umask):  # also what an earlier build made under another one
        before = os.umask(now)
        try:
            site.write(Targets([page(f"{now:o}"), API]))
        finally:
            os.umask(before)
    top = site.out.resolve()
    for path in (top, *top.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o777 if path.is_dir() else 0o666) & ~umask, path


def test_two_files_for_one_address_are_never_written_over_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File exists"):
        Site(tmp_path / "site").write(Targets([rendered_target("a", File("a", b"1"), File("a", b"2"))]))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, and every folder."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b"/"
        for path in sorted(folder.rglob("*"))
    }
    return {name: data for name, data in found.items() if not name.startswith(".")}


def test_nothing_changed_makes_no_new_generation(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))
    again = site.write(Targets(TARGETS))
    assert (again.files, again.changed, names(site)) == (3, 0, ["000001"])


def test_only_what_changed_is_made_and_other_files_stay_the_same_ones(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))
    inode = (tmp_path / "site/api/a.json").stat().st_ino

    def never() -> Iterator[File]:
        raise AssertionError("made again")

    for number in range(5):
        assert site.write(Targets([page(str(number)), API._replace(make=never)])).changed == 1
        assert (tmp_path / "site/index.html").read_text() == str(number)
        assert (tmp_path / "site/api/a.json").stat().st_ino == inode
    assert names(site) == ["000004", "000005", "000006"]
    assert [(site.generations / name / "index.html").read_text() for name in names(site)] == ["2", "3", "4"]


def test_the_last_three_stay_also_where_each_is_written_from_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    for number in range(6):
        site.write(Targets([page(str(number)), API]), from_nothing=True)
        last = range(max(1, number - 1), number + 2)
        assert names(site) == [f"{one:06d}" for one in last]
        assert (tmp_path / "site").readlink().name == names(site)[-1]
    assert [(site.generations / name / "index.html").read_text() for name in names(site)] == ["3", "4", "5"]


def test_two_changed_units_for_one_address_are_an_error_and_the_last_good_site_stays(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    for number in range(4):
        site.write(Targets([page(str(number)), API]))
    with pytest.raises((AssertionError, UsageError)):
        site.write(Targets([page("one"), rendered_target("other", File("index.html", b"two")), API]))
    assert (tmp_path / "site/index.html").read_text() == "3"
    site.write(Targets([page("five"), API]))
    assert (tmp_path / "site/index.html").read_text() == "five"


def test_generations_are_counted_as_numbers(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets([page("0"), API]))
    (site.generations / "000001").rename(site.generations / "999999")
    for number in range(1, 5):
        site.write(Targets([page(str(number)), API]))
    assert sorted(names(site), key=int) == ["1000001", "1000002", "1000003"]
    assert (tmp_path / "site/index.html").read_text() == "4"


def test_a_file_of_the_same_length_is_written_again(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    for number in range(8):
        site.write(Targets([page(str(number % 2)), API]))
        assert (tmp_path / "site/index.html").read_text() == str(number % 2)


def test_a_new_generation_upon_an_old_one_is_what_writing_from_nothing_gives(tmp_path: Path) -> None:
    """Units that come, go, change, and hand an address on to another, over many generations."""
    rng = random.Random(7)
    site = Site(tmp_path / "site")
    for step in range(40):
        targets = []
        for number in range(30):
            if rng.random() < 0.85:
                text = str(rng.choice((0, 0, 0, 0, 0, step)))
                folder = f"d{number % 4}/{'deep/' * (number % 3)}{number}"
                # The address by number goes from one target to another when the first is gone.
                twins = (f"by/{number}.json",) if rng.random() < 0.9 else ()
                name = f"{number}{rng.choice(('', '', '-renamed'))}"
                targets.append(
                    rendered_target(
                        name,
                        File(f"{folder}/index.json", text.encode(), twins),
                        File(f"{folder}/{name}.html", name.encode()),
                    )
                )
                targets[-1] = targets[-1]._replace(fingerprint=f"{targets[-1].fingerprint} {twins}")
        site.write(Targets(targets))
        fresh = Site(tmp_path / f"fresh{step}")
        fresh.write(Targets(targets))
        assert tree(tmp_path / "site") == tree(tmp_path / f"fresh{step}")
        shutil.rmtree(tmp_path / f".fresh{step}.generations")


def test_a_folder_that_we_did_not_write_is_not_built_upon(tmp_path: Path) -> None:
    """As when somebody commits generations: the same names, forged content."""
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))
    shutil.copytree(tmp_path, tmp_path / "copy", symlinks=True)
    (tmp_path / "copy/.site.generations/000001/api/a.json").write_text("forged")
    copied = Site(tmp_path / "copy/site")
    assert copied.write(Targets(TARGETS)).changed == 2
    assert (tmp_path / "copy/site/api/a.json").read_bytes() == b"{}"


@pytest.mark.parametrize("damage", [b"", b"not a database at all", None])
def test_a_record_that_is_lost_or_broken_means_writing_from_nothing(
    tmp_path: Path, damage: bytes | None
) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))
    for file in site.generations.glob(".manifest.sqlite*"):
        file.unlink()
    if damage is not None:
        (site.generations / ".manifest.sqlite").write_bytes(damage)
    site.write(Targets([page("two"), API]))
    assert tree(tmp_path / "site") == {
        "api": b"/",
        "api/a": b"/",
        "api/a/index.json": b"{}",
        "api/a.json": b"{}",
        "index.html": b"two",
    }
    assert site.write(Targets([page("two"), API])).changed == 0


def test_after_a_manifest_that_is_damaged_inside_builds_are_incremental_again(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    others = [rendered_target(f"p{n}", File(f"p{n}/index.html", b"same")) for n in range(20)]
    site.write(Targets([page("one"), *others]))
    file = site.generations / ".manifest.sqlite"
    with sqlite3.connect(file) as manifest:
        manifest.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = manifest.execute("PRAGMA page_size").fetchone()
        (root,) = manifest.execute("SELECT rootpage FROM sqlite_master WHERE name = 'targets'").fetchone()
    manifest.close()
    with file.open("r+b") as damaged:
        damaged.seek((root - 1) * size)
        damaged.write(b"\xff" * size)
    assert site.write(Targets([page("two"), *others])).changed == 21
    assert (tmp_path / "site/index.html").read_bytes() == b"two"
    assert site.write(Targets([page("three"), *others])).changed == 1
    assert len(tree(tmp_path / "site")) == 41


def test_a_build_from_nothing_repairs_what_was_changed_in_the_site(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))
    (tmp_path / "site/index.html").write_bytes(b"changed by hand")
    assert site.write(Targets(TARGETS)).changed == 0
    assert site.write(Targets(TARGETS), from_nothing=True).changed == 2
    assert (tmp_path / "site/index.html").read_bytes() == b"one"


def test_a_manifest_of_another_format_means_writing_from_scratch(tmp_path: Path) -> None:
    """Its columns may mean something else: the same tables with another version are not trusted either."""
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))
    with sqlite3.connect(site.generations / ".manifest.sqlite") as manifest:
        (version,) = manifest.execute("PRAGMA user_version").fetchone()
        manifest.execute(f"PRAGMA user_version={version - 1}")
    manifest.close()
    (tmp_path / "site/index.html").unlink()
    assert site.write(Targets(TARGETS)).changed == len(TARGETS)
    assert (tmp_path / "site/index.html").read_bytes() == b"one"
    assert site.write(Targets(TARGETS)).changed == 0


def test_what_the_latest_generation_has_is_not_made_again_for_the_oldest_folder(tmp_path: Path) -> None:
    """As after a change of the settings: all is made once, and the builds after it, upon older generations, cost one edit."""
    made: list[str] = []

    def site_of(version: str, edited: str) -> Targets:
        def target(number: int) -> Target:
            text = f"{version} {edited if number == 7 else ''}"
            # Addresses go from one target to another with the version.
            twin = f"by/{number if version == 'old' else (number + 1) % 300}.json"

            def make() -> Iterator[File]:
                made.append(str(number))
                yield File(
                    f"d{number % 4}/{number}/index.json",
                    text.encode(),
                    (twin,) if number % 2 or version == "old" else (),
                )

            return Target(str(number), f"{text} {number}", (f"d{number % 4}/{number}", twin), make)

        return Targets(map(target, range(300)))

    site = Site(tmp_path / "site")
    for edited in "abc":
        site.write(site_of("old", edited))
    site.write(site_of("new", "d"))
    made.clear()
    for edited in "efg":
        site.write(site_of("new", edited))
        fresh = Site(tmp_path / f"fresh-{edited}")
        before = made.copy()
        fresh.write(site_of("new", edited))
        assert tree(tmp_path / "site") == tree(tmp_path / f"fresh-{edited}")
        assert before == ["7"]
        made.clear()
    # What somebody took out of the latest generation is made.
    site.write(site_of("newer", "h"))
    (tmp_path / "site/d1/1/index.json").unlink()
    made.clear()
    site.write(site_of("newer", "i"))
    assert (tmp_path / "site/d1/1/index.json").read_text() == "newer "
    assert sorted(made) == ["1", "7"]


def test_builds_that_begin_at_the_same_moment_do_not_stop_each_other(tmp_path: Path) -> None:
    def begin(_number: int) -> None:
        for _ in range(100):
            with suppress(FileExistsError):
                (tmp_path / "site").mkdir()  # an empty folder that somebody made for the site
            Site(tmp_path / "site").prepare()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(begin, range(4)))


@pytest.mark.parametrize("error", [errno.EPERM, errno.EMLINK])
def test_without_hard_links_the_site_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    for number in range(4):
        Site(tmp_path / "linked").write(Targets([page(str(number)), API]))

    def refuse(source: object, target: object) -> None:
        raise OSError(error, os.strerror(error), str(source), None, str(target))

    monkeypatch.setattr(os, "link", refuse)
    for number in range(4):
        Site(tmp_path / "copied").write(Targets([page(str(number)), API]))
    assert tree(tmp_path / "copied") == tree(tmp_path / "linked")
    assert (tmp_path / "copied/api/a.json").read_bytes() == b"{}"


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_left_of_a_build_may_be_a_link_or_a_file(tmp_path: Path, kind: str) -> None:
    site = Site(tmp_path / "site")
    site.write(Targets(TARGETS))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").write_bytes(b"")
    left = site.generations / "000002.partial"
    if kind == "link":
        left.symlink_to(tmp_path / "elsewhere")
    else:
        left.write_bytes(b"")
    site.write(Targets([page("two"), API]))
    assert (tmp_path / "site/index.html").read_bytes() == b"two"
    assert not left.is_symlink() and not left.exists()
    assert (tmp_path / "elsewhere/kept").exists()


def test_a_file_that_the_system_takes_in_pieces_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr("registry.site.writer.os.write", lambda handle, data: write(handle, bytes(data)[:3]))
    Site(tmp_path / "site").write(
        Targets([*TARGETS, rendered_target("long", File("long.html", b"0123456789"))])
    )
    assert (tmp_path / "site/long.html").read_bytes() == b"0123456789"
