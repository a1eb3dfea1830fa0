"""The CI files that `registry init --ci …` writes: their own commands are run, on a real change and on a real main."""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from registry.scaffold import CI_FORGES, PLACEHOLDER, ci_files
from registry.scaffold.ci import ACTIONS
from tests.conftest import Run
from tests.support.repo import RepoBuilder
from tests.support.terminal import converse

ROOT = Path(__file__).parent.parent.parent
# What belongs to a forge's machines, and not to us.
_NOT_OURS = ("pip install", "apt-get", "git remote set-url")


def commands(text: str, job: str) -> list[str]:
    """The shell commands of one job, those of the forge left out."""
    document: Any = YAML(typ="safe").load(text)
    if "jobs" in document:
        found = [step["run"] for step in document["jobs"][job]["steps"] if "run" in step]
    else:
        found = document[{"publish": "pages"}.get(job, job)]["script"]
    return [line for line in found if not line.startswith(_NOT_OURS)]


def run_as_ci(lines: list[str], folder: Path, published: Path | str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder.parent), "GIT_CONFIG_GLOBAL": os.devnull,
        "GITHUB_BASE_REF": "main", "CI_DEFAULT_BRANCH": "main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_PAGES_URL": str(published),
        "GITHUB_STEP_SUMMARY": str(folder.parent / "summary.md"), "CI_MERGE_REQUEST_IID": "12", "NUMBER": "12",
        "GITHUB_OUTPUT": str(folder.parent / "output.txt"), "ADDRESS": str(published), "REGISTRY_URL": str(published),
    }  # fmt: skip
    return subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder's files on a web server of this machine."""
    folder.mkdir(exist_ok=True)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_words: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


# Where the forge finds what it shows.
FOLDERS = {"github": "pages", "gitlab": "public"}


def published_by(clone: RepoBuilder, forge: str) -> dict[str, Any]:
    """The root of the newest publication on the branch of the remote."""
    clone.git("fetch", "-q", "origin", "gh-pages" if forge == "github" else "pages")
    root: dict[str, Any] = json.loads(clone.git("show", "FETCH_HEAD:_registry/root.json"))
    return root


def publish(site: Path, published: Path) -> None:
    shutil.rmtree(published, ignore_errors=True)
    shutil.copytree(site, published)


def later_run(clone: RepoBuilder, forge: str, run: Run, address: str) -> None:
    """A change on main, published from another clone: it continues the publications of the first one."""
    text = next(iter(ci_files(forge).values()))
    clone.define("second")
    clone.commit("add the second")
    clone.git("push", "-q", "origin", "main")
    done = run_as_ci(commands(text, "publish"), clone.root, address)
    assert done.returncode == 0, done.stderr
    assert published_by(clone, forge)["sequence"] == 2
    if forge in FOLDERS:
        shown = clone.root / FOLDERS[forge]
        assert not shown.is_symlink()
        assert run("verify", str(shown)).code == 0
        assert (shown / "api/process_definition/2.json").exists()


@pytest.mark.parametrize(
    ("forge", "folder"),
    [
        *((forge, "") for forge in CI_FORGES),
        ("gitlab", "some/reg"),
        # Written by the same lines with another name of the forge.
        *(
            pytest.param(forge, "some/reg", marks=pytest.mark.engine)
            for forge in CI_FORGES
            if forge != "gitlab"
        ),
    ],
)
def test_its_commands_check_a_change_give_ids_on_main_and_build_the_site(
    forge: str, folder: str, run: Run, tmp_path: Path
) -> None:
    start, hub = tmp_path / "start", tmp_path / "hub.git"
    start.mkdir()
    repo = RepoBuilder(start)
    assert run("init", str(start / folder), "--ci", forge).code == 0
    for path, text in ci_files(forge, folder).items():
        assert (start / path).read_text() == text
    text = next(iter(ci_files(forge, folder).values()))
    repo.commit("start")
    repo.git("clone", "-q", "--bare", str(start), str(hub))
    definitions = f"{folder}/definitions/process_definition".lstrip("/")

    def checkout(name: str, *options: str) -> RepoBuilder:
        repo.git("clone", "-q", *options, str(hub), str(tmp_path / name))
        return RepoBuilder.at(tmp_path / name, repo.clock)

    main = checkout("main")
    published = tmp_path / "published"
    with served(published) as address:
        done = run_as_ci(commands(text, "publish"), main.root, address)
        assert done.returncode == 0, done.stderr
        assert (main.root / "site/api/process_definition/1/index.json").exists()
        assert (
            repo.git("--git-dir", str(hub), "log", "-1", "--format=%s", "main")
            == "Assign an id to example/upper-case"
        )
        assert published_by(main, forge)["commit"] == main.git("rev-parse", "main")
        # A main that is set back: neither command replaces the site, each on its own.
        publish(main.root / "site", published)
        set_back = checkout("set-back")
        set_back.git("reset", "-q", "--hard", "HEAD~1")
        build = [line for line in commands(text, "publish") if line.startswith("registry build")]
        done = run_as_ci(build, set_back.root, address)
        assert (done.returncode, "ledger lines" in done.stderr) == (3, True)
        assert not (set_back.root / "site").exists()
        # The branch is not replaced either, if the site cannot be read.
        assert run("build", "-C", str(set_back.root / folder), "--out", str(set_back.root / "site")).code == 0
        last = [line for line in commands(text, "publish") if line.startswith("registry publish")]
        done = run_as_ci(last, set_back.root, address)
        assert (done.returncode, "ids would be lost" in done.stderr) == (3, True), done.stderr
        # The same commit again is no loss.
        assert run_as_ci(build, main.root, address).returncode == 0
        if not folder:
            later_run(checkout("later"), forge, run, address)

    change = checkout("change")
    change.git("checkout", "-q", "-b", "change")
    change.write(f"{definitions}/good.yaml", "title: T\nowners: [t]\ndefinition: {exec: /bin/x}\n")
    change.commit()
    done = run_as_ci(commands(text, "review"), change.root, "")
    assert done.returncode == 0, done.stdout + done.stderr
    change.write(f"{definitions}/bad.yaml", "id: 7\ntitle: T\nowners: [t]\ndefinition: {exec: x}\n")
    change.commit()
    done = run_as_ci(commands(text, "review"), change.root, "")
    assert (done.returncode, "I030" in done.stdout) == (1, True), done.stderr
    assert json.loads((change.root / "review/review.json").read_text())["errors"] == 1


def workflows() -> dict[str, Any]:
    """All workflows that we write or use, by name."""
    texts = {f"{forge} {path} in {folder or 'top'}": text for forge in ("github", "forgejo") for folder in ("", "some/reg")
             for path, text in ci_files(forge, folder).items()}  # fmt: skip
    texts |= {
        str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml")
    }
    return {name: YAML(typ="safe").load(text) for name, text in texts.items()}


def test_every_job_has_a_limit_and_names_its_rights() -> None:
    for name, document in workflows().items():
        assert document["permissions"] == {}, name
        for job in document["jobs"].values():
            assert 0 < job["timeout-minutes"] <= 60, name
            assert job["permissions"], name
    jobs = YAML(typ="safe").load(ci_files("github")[".github/workflows/registry.yml"])["jobs"]
    writers = {
        name: [right for right, level in job["permissions"].items() if level == "write"]
        for name, job in jobs.items()
    }
    assert writers == {"review": [], "publish": ["contents"], "deploy": ["pages", "id-token"]}
    # Only the job that pushes leaves the token where a later step could read it.
    for name, job in jobs.items():
        kept = [
            step["with"].get("persist-credentials", True)
            for step in job["steps"]
            if "checkout" in step.get("uses", "")
        ]
        assert kept == {"publish": [True], "deploy": []}.get(name, [False])
    gitlab = YAML(typ="safe").load(ci_files("gitlab")[".gitlab-ci.yml"])
    assert gitlab["default"]["timeout"] == "30 minutes"


def test_every_action_is_named_by_the_commit_of_a_release() -> None:
    steps = [
        step
        for document in workflows().values()
        for job in document["jobs"].values()
        for step in job["steps"]
    ]
    steps += YAML(typ="safe").load((ROOT / "action.yml").read_text())["runs"]["steps"]
    used = {step["uses"] for step in steps if "uses" in step}
    assert used
    for one in used:
        name, _, commit = one.partition("@")
        assert re.fullmatch("[0-9a-f]{40}", commit)
        assert ACTIONS[name][0] == commit
    assert {one.partition("@")[0] for one in used} == set(ACTIONS)
    # The version stands beside it, for people and for robots that update it.
    for path in (ROOT / "action.yml", *(ROOT / ".github/workflows").glob("*.yml")):
        assert all(
            re.search(r"@[0-9a-f]{40}   # v\d", line)
            for line in path.read_text().splitlines()
            if "uses:" in line
        )


def test_text_from_outside_reaches_no_shell_but_as_a_variable() -> None:
    for name, document in workflows().items():
        scripts = [step.get("run", "") for job in document["jobs"].values() for step in job["steps"]]
        assert all("${{" not in script for script in scripts), name


def test_nothing_installs_the_name_that_is_not_ours() -> None:
    """The program is on no package index, and its name there is somebody else's."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    wanted = re.compile(r"(pip|pipx|uv|uvx)\b[^\n]* [\"']?process-registry(?!(\[[^\]]*\])? @ )")
    places = [name for name in listed if not name.startswith(("tests/", "CHANGELOG.md")) and (ROOT / name).is_file()
              and wanted.search((ROOT / name).read_bytes().decode("utf-8", "replace"))]  # fmt: skip
    assert places == []
    for forge in CI_FORGES:
        for text in ci_files(forge, "", "git+https://git.example.net/tools/registry.git@v3.1").values():
            installs = [line for line in text.splitlines() if "pip install" in line]
            assert installs
            assert all(
                line.endswith("pip install git+https://git.example.net/tools/registry.git@v3.1")
                for line in installs
            )


class TestAddingToARegistry:
    def test_without_a_folder_it_is_the_registry_around(
        self, repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repo.define("a/b")
        repo.commit()
        monkeypatch.chdir(repo.root / "definitions/process_definition/a")
        outcome = run("init", "--ci", "github", "--ci", "forgejo")
        assert outcome.code == 0, outcome.err
        written = {line[3:] for line in repo.git("status", "--porcelain", "-uall").splitlines()}
        assert {name for name in written if not name.startswith(".registry")} == {
            *ci_files("github"),
            *ci_files("forgejo"),
        }

    def test_in_a_subfolder_they_go_to_the_top(self, repo: RepoBuilder, run: Run) -> None:
        repo.write(
            "services/reg/definitions/process_definition/a.yaml",
            "title: T\nowners: [t]\ndefinition: {exec: /bin/a}\n",
        )
        repo.write("services/reg/registry.yaml", "install_from: https://git.example.net/p.git@v2\n")
        outcome = run("init", str(repo.root / "services/reg"), "--ci", "github", "--ci", "gitlab")
        assert (outcome.code, "../../.github/workflows/registry.yml" in outcome.out, outcome.err) == (
            0,
            True,
            "",
        )
        text = (repo.root / ".github/workflows/registry.yml").read_text()
        document = YAML(typ="safe").load(text)
        triggers = document.get("on", document.get(True))
        assert triggers["push"] == {"branches": ["main"], "paths": ["services/reg/**", *ci_files("github")]}
        assert triggers["pull_request"]["paths"] == triggers["push"]["paths"]
        assert "pip install git+https://git.example.net/p.git@v2\n" in text
        gitlab = YAML(typ="safe").load((repo.root / ".gitlab-ci.yml").read_text())
        assert gitlab["pages"]["rules"][0]["changes"] == ["services/reg/**/*", ".gitlab-ci.yml"]

    def test_a_file_of_another_text_is_never_replaced(self, repo: RepoBuilder, run: Run) -> None:
        repo.define("a")
        repo.write(".gitlab-ci.yml", "mine: {}\n")
        outcome = run("init", "--ci", "github", "--ci", "gitlab", str(repo.root))
        assert (outcome.code, ".gitlab-ci.yml" in outcome.err) == (3, True)
        assert ((repo.root / ".gitlab-ci.yml").read_text(), (repo.root / ".github").exists()) == (
            "mine: {}\n",
            False,
        )
        assert run("init", "--ci", "github", str(repo.root)).code == 0
        assert "(exists, unchanged)" in run("init", "--ci", "github", str(repo.root)).out

    def test_a_dangling_link_in_its_place_is_not_written_through(
        self, repo: RepoBuilder, run: Run, tmp_path: Path
    ) -> None:
        repo.define("a")
        (repo.root / ".gitlab-ci.yml").symlink_to(tmp_path / "outside.yml")
        assert run("init", "--ci", "gitlab", str(repo.root)).code == 3
        assert not (tmp_path / "outside.yml").exists()

    @pytest.mark.parametrize("name", ["a b", "x'; touch pwned; '", "${{ secrets.X }}", "-C", "a: b", "*"])
    def test_a_folder_that_needs_quoting_is_refused(self, repo: RepoBuilder, run: Run, name: str) -> None:
        outcome = run("init", str(repo.root / "in" / name), "--ci", "github")
        assert (outcome.code, "cannot be written into a CI file" in outcome.err) == (2, True)
        assert not (repo.root / "in").exists()
        assert run("init", str(repo.root / "in" / name), "--ci", "none").code == 0
        assert not (repo.root / ".github").exists()

    def test_none_adds_nothing_and_says_so(self, repo: RepoBuilder, run: Run) -> None:
        repo.define("a")
        outcome = run("init", "--ci", "none", str(repo.root))
        assert (outcome.code, "adds nothing" in outcome.err) == (2, True)

    def test_an_address_that_is_no_setting_yet_is_named(self, repo: RepoBuilder, run: Run) -> None:
        repo.define("a")
        address = "https://git.example.net/p.git@v1"
        outcome = run("init", "--ci", "gitlab", "--install-from", address, str(repo.root))
        assert (outcome.code, f"registry.yaml: install_from: {address}" in outcome.err) == (0, True)

    def test_without_ci_a_registry_is_still_refused(
        self, repo: RepoBuilder, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repo.define("a")
        monkeypatch.chdir(repo.root)
        outcome = run("init")
        assert (outcome.code, "--ci github" in outcome.err) == (3, True)


class TestInstallFrom:
    def test_it_is_kept_as_a_setting_and_used_by_all_files(self, run: Run, tmp_path: Path) -> None:
        address = "https://git.example.net/tools/process-registry.git@v2.0"
        assert run("init", str(tmp_path / "new"), "--install-from", address).err == ""
        assert f"install_from: {address}\n" in (tmp_path / "new/registry.yaml").read_text()
        readme = (tmp_path / "new/README.md").read_text()
        assert f"pip install 'process-registry[serve] @ git+{address}'\n" in readme
        assert run("check", "-C", str(tmp_path / "new")).code == 0
        assert run("init", str(tmp_path / "new"), "--ci", "gitlab").err == ""
        assert f"    - pip install git+{address}\n" in (tmp_path / "new/.gitlab-ci.yml").read_text()

    def test_on_a_terminal_it_is_asked_for(self, tmp_path: Path) -> None:
        code, shown = converse(
            ["init", str(tmp_path / "new")],
            [("with @tag", "evil; touch x\n"), ("with @tag", "https://git.example.net/p.git@v1\n")],
            tmp_path,
        )
        assert code == 0, shown
        assert (
            "install_from: https://git.example.net/p.git@v1\n" in (tmp_path / "new/registry.yaml").read_text()
        )

    def test_without_one_a_note_names_the_placeholder(self, run: Run, tmp_path: Path) -> None:
        assert PLACEHOLDER in run("init", str(tmp_path / "new")).err
        assert (
            f"pip install git+{PLACEHOLDER}" in (tmp_path / "new/.github/workflows/registry.yml").read_text()
        )

    @pytest.mark.parametrize("address", [
        "", "process-registry", "https://git.example.net/p.git", "http://git.example.net/p.git@v1", "https://me:secret@git.example.net/p.git@v1",
        "https://git.example.net/p.git@v1; touch pwned", "https://git.example.net/p.git@v1\n", "https://git.example.net/$(id)@v1",
        "git@example.net:p.git@v1", "https://git.example.net/p.git@-v", "https://git.example.net/${{ x }}@v1",
    ])  # fmt: skip
    def test_what_is_none_is_refused(self, run: Run, tmp_path: Path, address: str) -> None:
        outcome = run("init", str(tmp_path / "new"), "--install-from", address)
        assert (outcome.code, "git address" in outcome.err, (tmp_path / "new").exists()) == (2, True, False)


def test_several_forges_at_once_and_one_that_is_not_known(run: Run, tmp_path: Path) -> None:
    assert run("init", str(tmp_path / "both"), "--ci", "gitlab", "--ci", "forgejo").code == 0
    assert (tmp_path / "both/.gitlab-ci.yml").exists()
    assert not (tmp_path / "both/.github").exists()
    assert run("init", str(tmp_path / "none"), "--ci", "sourcehut").code == 2
    attributes = (tmp_path / "both/.gitattributes").read_text()
    assert attributes == "definitions/ledger.jsonl -text\ndefinitions/ledger/** -text\n"


def checkout_of_change(repo: RepoBuilder, tmp_path: Path, *options: str) -> RepoBuilder:
    """A clone on a branch that lowers a time-out, of a repository that has moved on."""
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: /bin/a, timeout: 60}\n")
    repo.commit("start")
    repo.git("checkout", "-q", "-b", "change")
    repo.define("a", "title: T\nowners: [t]\ndefinition: {exec: /bin/a, timeout: 6}\n")
    repo.commit("lower")
    repo.git("checkout", "-q", "main")
    repo.define("b")
    repo.commit("beside")
    repo.git("clone", "-q", *options, "--branch", "change", repo.root.as_uri(), str(tmp_path / "checkout"))
    return RepoBuilder.at(tmp_path / "checkout", repo.clock)


@pytest.mark.parametrize("options", [[], ["--depth=1"]])
def test_the_action_reviews_a_whole_and_a_shallow_checkout(
    repo: RepoBuilder, tmp_path: Path, options: list[str]
) -> None:
    clone = checkout_of_change(repo, tmp_path, *options)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "RUNNER_TEMP": str(tmp_path / "runner"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "REGISTRY_BASE": "main",
        "REGISTRY_NUMBER": "12",
    }
    (tmp_path / "runner").mkdir()

    def action(**more: str) -> "subprocess.CompletedProcess[str]":
        script = ["bash", str(ROOT / "scripts/action")]
        return subprocess.run(
            script, cwd=clone.root, env=environment | more, capture_output=True, text=True, check=False
        )

    done = action()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "::warning file=definitions/process_definition/a.yaml,line=3" in done.stdout
    assert "C140" in (tmp_path / "summary").read_text()
    report = Path((tmp_path / "output").read_text().removeprefix("report=").strip())
    assert "Preview of pull request 12" in (report / "preview-site/index.html").read_text()
    assert clone.git("rev-parse", "--is-shallow-repository") == ("true" if options else "false")
    assert action(REGISTRY_FAIL_ON="breaking").returncode == 1
    assert action(REGISTRY_BASE="$(touch pwned)").returncode == 2
    assert not list(tmp_path.rglob("pwned"))
    assert action(REGISTRY_BASE="").returncode == 2
    clone.define("a", "title: [")
    clone.commit("broken")
    broken = action()
    assert broken.returncode == 1
    assert "::error file=definitions/process_definition/a.yaml" in broken.stdout


def test_the_action_names_files_and_inputs_that_are_there() -> None:
    document: Any = YAML(typ="safe").load((ROOT / "action.yml").read_text())
    text = (ROOT / "action.yml").read_text()
    assert all(f"inputs.{name}" in text for name in document["inputs"])
    assert os.access(ROOT / "scripts/action", os.X_OK)
    # Text from outside reaches a script as a variable only.
    assert all("${{" not in step.get("run", "") for step in document["runs"]["steps"])


def test_gitlabs_file_runs_in_gitlab_ci_local(repo: RepoBuilder, tmp_path: Path) -> None:
    """The real file, through gitlab-ci-local with its shell executor; only `pip install` is that of this machine already."""
    clone = checkout_of_change(repo, tmp_path)
    clone.write(".gitlab-ci.yml", ci_files("gitlab")[".gitlab-ci.yml"])
    clone.commit("ci")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pip").write_text("#!/bin/sh\nexit 0\n")
    (programs / "pip").chmod(0o755)
    tool = ROOT / "tests/support/node/node_modules/.bin/gitlab-ci-local"
    environment = {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    variables = [
        "CI_PIPELINE_SOURCE=merge_request_event",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main",
        "CI_MERGE_REQUEST_IID=12",
    ]
    clone.git("remote", "set-url", "origin", repo.root.as_uri())

    def pipeline() -> "subprocess.CompletedProcess[str]":
        command = [
            str(tool),
            "--force-shell-executor",
            *[word for one in variables for word in ("--variable", one)],
            "review",
        ]
        return subprocess.run(
            command, cwd=clone.root, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    done = pipeline()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "C140" in done.stdout
    found = (
        next(iter(tmp_path.glob("checkout/.gitlab-ci-local/artifacts/*/review/gl-code-quality.json")), None)
        or clone.root / "review/gl-code-quality.json"
    )
    assert [issue["check_name"] for issue in json.loads(found.read_text())] == ["C140"]
    shutil.rmtree(clone.root / "review", ignore_errors=True)
    clone.define("a", "title: [")
    clone.commit("broken")
    broken = pipeline()
    assert broken.returncode != 0
    assert "a.yaml" in broken.stdout
