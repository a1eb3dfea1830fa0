"""Fixtures: a clean environment, a repository, a command in this process."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from registry.cli import main
from registry.cli.terminal import err, out
from tests.support.repo import RepoBuilder


@dataclass(frozen=True)
class Outcome:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]

# A busy machine may take any time for an example, and for making one: neither says anything about the program.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


# They take ten seconds or more each, the longest ones first: one that starts last keeps one process busy alone. Those
# that mostly wait are among those that compute.
LONG = (
    "browser/test_pages.py",
    "writes/faults/test_kills.py",
    "review/test_pushed_ids.py",
    "server/test_machine.py",
    "cli/test_machine_conditions.py",
    "test_patterns.py",
    "server/test_flat.py",
    "site/test_incremental.py",
    "histories/test_histories.py",
    "cli/test_ci_files.py",
    "test_watcher.py",
    "packaging/test_wheel.py",
    "server/test_mcp_contract.py",
    "server/test_write_http.py",
    "server/test_write_guarded.py",
    "writes/faults/test_remotes.py",
    "cli/test_hook.py",
    "server/test_guards.py",
    "server/test_write_concurrency.py",
    "files/test_links.py",
    "git/test_batch_writer.py",
    "publish/test_publish.py",
    "check/test_hostile.py",
    "browser/test_catalog.py",
    "browser/test_live.py",
    "packaging/test_pre_commit.py",
    "history/test_merges.py",
    "git/test_location.py",
    "load/test_sizes.py",
    "credentials/test_sets.py",
)
# Marked `slow`, so left out by `make test-fast`: they start browsers, servers, other programs or many processes of git,
# or try many examples. Folders and files relative to this one. Single tests have the mark themselves.
SLOW = (
    "browser/",
    "editors/",
    "histories/",
    "packaging/",
    "server/",
    "check/test_hostile.py",
    "check/test_invisible_text.py",
    "check/test_wrong_types.py",
    "cli/test_build_published.py",
    "cli/test_ci_files.py",
    "cli/test_comment.py",
    "cli/test_extras.py",
    "cli/test_hook.py",
    "cli/test_hostile_text.py",
    "cli/test_lookup.py",
    "cli/test_machine_conditions.py",
    "cli/test_status.py",
    "credentials/test_sets.py",
    "exchange/test_list_2013.py",
    "exchange/test_sql.py",
    "files/test_links.py",
    "git/test_absent.py",
    "git/test_batch_writer.py",
    "git/test_location.py",
    "git/test_log.py",
    "git/test_programs.py",
    "git/test_refs.py",
    "history/test_merges.py",
    "indexing/test_indexer.py",
    "indexing/test_remote.py",
    "indexing/test_segments.py",
    "load/test_sizes.py",
    "load/yaml/test_edit.py",
    "load/yaml/test_suite.py",
    "model/test_addresses.py",
    "publish/",
    "render/html/test_bytecode_cache.py",
    "render/test_openapi.py",
    "render/test_tombstones.py",
    "review/test_pushed_ids.py",
    "site/test_incremental.py",
    "test_client.py",
    "test_patterns.py",
    "test_pipeline.py",
    "test_watcher.py",
    "writes/faults/",
    "writes/test_committer.py",
    "writes/test_followed.py",
    "writes/test_login.py",
)


def pytest_configure() -> None:
    """Let tests send Ctrl-C: a script that starts `make test` in the background makes it ignored, for children, too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow files, and put the long ones first."""
    here = Path(__file__).parent
    names = {item.path: item.path.relative_to(here).as_posix() for item in items}
    for item in items:
        if names[item.path].startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(names[item.path], len(LONG)))


def pytest_xdist_auto_num_workers() -> int:
    """Three more than there are cores: half of the time tests wait, for a server, a browser, a moment to pass."""
    return (os.cpu_count() or 1) + 3


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the user who runs the tests: no git settings, no home, one locale, a wide terminal."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    for stream in (out, err):  # a console keeps the width of its first use
        vars(stream).pop("console", None)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700500000")


@pytest.fixture
def repo(tmp_path: Path) -> RepoBuilder:
    """An empty git repository with room for definitions."""
    return RepoBuilder(tmp_path / "repo")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command as `registry …` does, in this process."""

    def run_command(*words: str) -> Outcome:
        capfd.readouterr()
        code = main(list(words))
        captured = capfd.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Outcome(code, captured.out, captured.err)

    return run_command
