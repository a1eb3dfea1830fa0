"""The whole flow: same commit, same bytes, whatever the machine is like; problems stop it and the last good site stays."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from registry.load.source import open_source
from registry.pipeline import build
from registry.site import Site
from tests.conftest import Run
from tests.support.repo import RepoBuilder


def digest(folder: Path) -> str:
    """One digest over the paths and bytes of a whole tree."""
    total = hashlib.sha256()
    root = folder.resolve()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


@pytest.fixture
def filled(repo: RepoBuilder, run: Run) -> RepoBuilder:
    """A registry with ids, an edit, a rename, a deletion, names that sort differently in other locales."""
    repo.write("registry.yaml", "title: Täst\nregistry_id: registry-1\n")
    repo.define("app", kind="application")
    for name in ("zoo", "Äpfel", "b/x", "b-x", "B2", "deleted"):
        repo.define(
            name,
            f"title: Ünï {name}\nowners: [t]\ndescription: '**bold** <b>no</b>'\ndefinition: {{exec: x, application: app}}\n",
        )
    repo.commit("add")
    run("index", "-C", str(repo.root))
    (repo.root / "definitions/process_definition/deleted.yaml").unlink()
    repo.git("mv", "definitions/process_definition/zoo.yaml", "definitions/process_definition/animals.yaml")
    repo.commit("move things")
    run("index", "-C", str(repo.root))
    return repo


def test_the_same_commit_gives_the_same_bytes_whatever_the_machine_is_like(
    filled: RepoBuilder, tmp_path: Path
) -> None:
    found = set()
    clone = tmp_path / "clone"
    filled.git("clone", "-q", str(filled.root), str(clone))
    for index, (environment, umask, root, source) in enumerate(
        [
            ({"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "1"}, 0o022, filled.root, "worktree"),
            (
                {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kolkata", "PYTHONHASHSEED": "2", "COLUMNS": "40"},
                0o077,
                filled.root,
                "HEAD",
            ),
            (
                {"LC_ALL": "C", "TZ": "America/St_Johns", "PYTHONHASHSEED": "3", "SOURCE_DATE_EPOCH": "1"},
                0o002,
                clone,
                "main",
            ),
            ({"LC_ALL": "POSIX", "PYTHONHASHSEED": "4", "HOME": "/nonexistent"}, 0o022, clone, "worktree"),
        ]
    ):
        out = tmp_path / f"site{index}"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "registry",
                "build",
                "-C",
                str(root),
                "--source",
                source,
                "--out",
                str(out),
            ],
            env={"PATH": os.environ["PATH"], **environment},
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.add(digest(out))
    assert len(found) == 1


def test_an_older_commit_is_built_without_touching_the_work_tree(filled: RepoBuilder, tmp_path: Path) -> None:
    before = filled.git("status", "--porcelain")
    filled.define("broken", "title: [\n")
    result = build(open_source(filled.root, "HEAD~3"), Site(tmp_path / "old"))
    assert result.snapshot is not None
    assert result.snapshot.commit == filled.git("rev-parse", "HEAD~3")
    assert (tmp_path / "old/process_definition/zoo/index.html").exists()
    assert filled.git("status", "--porcelain").splitlines()[:1] != before.splitlines()


def test_problems_stop_it_and_the_last_good_site_stays(filled: RepoBuilder, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "site"
    assert run("build", "-C", str(filled.root), "-o", str(out)).code == 0
    good = digest(out)
    filled.define("bad", "title: T\ndefinition: {exec: x, argz: []}\n")
    outcome = run("build", "-C", str(filled.root), "-o", str(out))
    assert outcome.code == 1
    assert "bad.yaml:2:23: error S002: unknown key `argz`" in outcome.err
    assert "did you mean `argv`?" in outcome.err
    assert digest(out) == good


def test_every_link_in_the_catalog_leads_somewhere(filled: RepoBuilder, tmp_path: Path) -> None:
    import re
    from urllib.parse import unquote

    assert build(open_source(filled.root), Site(tmp_path / "site")).files
    root = (tmp_path / "site").resolve()
    checked = 0
    for page in root.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"]*)"', page.read_text(encoding="utf-8")):
            link = link.partition("#")[0]  # noqa: PLW2901
            if link.startswith("https://"):
                continue
            place = (
                root / unquote(link.removeprefix("/"))
                if link.startswith("/")
                else page.parent / unquote(link)
            )
            target = (
                place / ("index.json" if "/api/" in f"{place}/" else "index.html")
                if link.endswith("/") or not link
                else place
            )
            assert target.resolve().is_file(), f"{page.relative_to(root)}: {link}"
            checked += 1
    assert checked > 100


@pytest.mark.parametrize(
    ("limit", "said"), [(500, "the temporary folder"), (9000, "the site cannot be written")]
)
def test_a_full_disk_is_one_clear_line_and_the_last_good_site_stays(
    filled: RepoBuilder, tmp_path: Path, limit: int, said: str
) -> None:
    out = tmp_path / "site"
    assert build(open_source(filled.root), Site(out)).files
    good = digest(out)
    # No file may grow past a limit: the same error path as a disk that is full.
    program = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from registry.cli import main; sys.exit(main(['build', '-C', sys.argv[1], '-o', sys.argv[2]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(filled.root), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"error: {said}" in done.stderr
    assert "Traceback" not in done.stderr
    assert digest(out) == good


def test_own_templates_win_and_a_broken_one_is_told(filled: RepoBuilder, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "site"
    filled.write("site_templates/404.html", "<p>{{ site.title }} has no such page</p>")
    assert run("build", "-C", str(filled.root), "-o", str(out)).code == 0
    assert (out / "404.html").read_text(encoding="utf-8") == "<p>Täst has no such page</p>"
    for text, said in (
        ("{% if %}", "404.html:1"),
        ("{{ nothing.here }}", "nothing"),
        ("{{ site.__class__.__mro__ }}", "unsafe"),
    ):
        filled.write("site_templates/404.html", text)
        outcome = run("build", "-C", str(filled.root), "-o", str(out))
        assert outcome.code == 2
        assert said in outcome.err
    assert (out / "404.html").read_text(encoding="utf-8") == "<p>Täst has no such page</p>"


def test_a_copy_of_our_templates_as_ones_own_changes_no_page(filled: RepoBuilder, tmp_path: Path) -> None:
    # Ours are rendered in a faster way, which must give the same.
    filled.define(
        "old", "title: T\nowners: [t]\nlifecycle: deprecated\ndefinition: {exec: x, argv: [a, b]}\n"
    )
    filled.commit("one more")
    ours, own = Site(tmp_path / "ours"), Site(tmp_path / "own")
    build(open_source(filled.root, "HEAD"), ours)
    shutil.copytree(Path(__file__).parents[1] / "site_templates", filled.root / "site_templates")
    build(open_source(filled.root), own)

    def pages(site: Site) -> dict[str, bytes]:
        top = site.out.resolve()
        return {
            path.relative_to(top).as_posix(): path.read_bytes()
            for path in top.rglob("*.html")
            if path.name != "404.html"
        }

    differing = {path for path, page in pages(ours).items() if pages(own)[path] != page}
    assert differing == {"index.html"}  # it says that the templates are not committed
    assert len(pages(ours)) > 15


def test_hostile_text_is_shown_as_text(repo: RepoBuilder, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"
    repo.define(
        "a",
        f"title: '{evil.replace(chr(39), chr(39) * 2)}'\nowners: [t]\ndescription: 'x [a](javascript:alert(1)) ![i](https://e.org/i.png) <img src=x>'\n"
        f"definition: {{exec: x, argv: ['{evil.replace(chr(39), chr(39) * 2)}']}}\n",
    )
    repo.commit(evil)
    assert build(open_source(repo.root), Site(tmp_path / "site")).files
    for page in (tmp_path / "site").resolve().rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "<img" not in text
        assert 'href="javascript' not in text
        assert "default-src &#39;none&#39;" in text


def test_a_character_that_is_refused_today_stands_in_an_old_revision_as_it_was(
    repo: RepoBuilder, tmp_path: Path
) -> None:
    for title in (r'"one \0 two"', r'"<\0>"', "Three"):
        repo.define("a", f"id: 1\ntitle: {title}\nowners: [t]\ndefinition: {{exec: x}}\n")
        repo.commit()
    assert build(open_source(repo.root), Site(tmp_path / "site")).files
    for page in ("index.html", "_history/index.html"):
        text = (tmp_path / "site/process_definition/a" / page).read_text(encoding="utf-8")
        assert "<del><bdi>one \0 two</bdi></del>" in text
        assert "<ins><bdi>&lt;\0&gt;</bdi></ins>" in text
        assert 'process_definition/a/_history/#revision-3">Revision 3</a>' in text


def test_a_revision_shows_the_file_as_it_was_written_but_no_credential(
    repo: RepoBuilder, tmp_path: Path
) -> None:
    text = "# first try\ntitle: A\nowners: [t]\ndefinition:\n  exec: x   # for now\n  environment: {A_MODE: fast}\n"
    # Put together here, so that no scanner of this repository finds one.
    token = "gh" + "p_" + "a1B2c3D4e5" * 4
    repo.define("a", text)
    repo.commit("one")
    repo.define("a", text.replace("# for now", f"# was {token}"))
    repo.commit("two")
    repo.define("a", text.replace("A_MODE: fast", f"A_TOKEN: {token}"))
    repo.commit("three")
    repo.define("a", text)
    repo.commit("four")
    random = "".join(
        chr(97 + number * 7 % 26) + str(number * 3 % 10) + chr(65 + number * 11 % 26) for number in range(12)
    )
    repo.define("a", text.replace("# for now", f"# ({random})"))
    repo.commit("five")
    repo.define("a", text)
    repo.commit("six")
    assert build(open_source(repo.root), Site(tmp_path / "site")).files
    history = (tmp_path / "site/process_definition/a/_history/index.html").read_text(encoding="utf-8")
    # Newest first; each entry ends with the file at that revision.
    pages = [*reversed([entry.partition('class="file"')[2] for entry in history.split("<li id=")[1:]])]
    assert random not in pages[4]
    assert pages[0].count("# first try\ntitle: A") == 1
    assert "exec: x   # for now" in pages[3]
    for page in pages[1:3]:
        assert token not in page
        assert "# first try" not in page
        assert "title: A\n" in page
    assert "[hidden]" in pages[2]
