"""Fixtures: a registry that is ready to be published."""

from pathlib import Path

import pytest

from tests.conftest import Run
from tests.support.publishing import new_registry
from tests.support.repo import RepoBuilder


@pytest.fixture(scope="session")
def made() -> list[RepoBuilder]:
    """The registry that tests copy, once there is one."""
    return []


@pytest.fixture
def registry(
    made: list[RepoBuilder], run: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> RepoBuilder:
    """A registry with two definitions that have ids, built to `site`."""
    if not made:
        made.append(new_registry(RepoBuilder(tmp_path_factory.mktemp("registry") / "repo"), run))
    return made[0].copied_to(tmp_path / "repo")


@pytest.fixture
def built_in_place(repo: RepoBuilder, run: Run) -> RepoBuilder:
    """The same, with a manifest of the site, which a copy of the folder does not keep."""
    return new_registry(repo, run)
