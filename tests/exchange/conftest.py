"""A registry whose definitions have a value in every table."""

import pytest

from tests.conftest import Run
from tests.support.repo import RepoBuilder

FULL = """\
title: Forecast
description: Rain of tomorrow.
owners: [weather, ops]
tags: [b, a]
definition:
  exec: /opt/forecast
  argv: [--days, "3", "", "naïve \\u2028"]
  application: app
  environment: {ZONE: UTC, A: "1"}
  input_adapter: {input_type: file, input_params: {file_type: stream, stream_name: STDIN}}
  output_adapter: {output_type: file, output_params: {file_path: /tmp/out}}
"""


@pytest.fixture
def registry(repo: RepoBuilder, run: Run) -> RepoBuilder:
    """A registry with an application and two process definitions, which have ids."""
    repo.define("app", kind="application")
    repo.define("weather/forecast", FULL)
    repo.define("small")
    repo.commit("Add definitions")
    index(repo, run)
    return repo


def index(repo: RepoBuilder, run: Run) -> None:
    """Assign ids on the main branch."""
    done = run("index", "-C", str(repo.root))
    assert done.code == 0, done.err
