"""Fixtures: a registry that is ready to be published."""

import pytest

from tests.conftest import Run
from tests.support.publishing import new_registry
from tests.support.repo import RepoBuilder


@pytest.fixture
def registry(repo: RepoBuilder, run: Run) -> RepoBuilder:
    """A registry with two definitions that have ids, built to `site`."""
    return new_registry(repo, run)
