"""Fixtures: a registry that is ready to be published."""

import pytest

from tests.conftest import Run
from tests.support.publishing import index
from tests.support.repo import RepoBuilder


@pytest.fixture
def registry(repo: RepoBuilder, run: Run) -> RepoBuilder:
    """A registry with two definitions that have ids, built to `site`."""
    repo.define("a")
    repo.define("b")
    repo.write(".gitignore", "/site\n/.site.generations/\n/.registry/\n")
    repo.commit()
    index(repo, run)
    return repo
