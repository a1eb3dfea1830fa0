"""Two snapshots rendered at the same time in two threads: each page has the title and navigation of its own snapshot."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry.load.source import open_source
from registry.pipeline import snapshot_of
from registry.render import render
from registry.render.html import pages as pages_module
from registry.render.html.filled_template import FilledTemplate, Texts
from registry.render.target import files_by_path
from registry.snapshot import Snapshot
from tests.support.repo import RepoBuilder

TITLES = ("Registry Alpha", "Registry Beta")
KIND = '{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "%s", "type": "object", "x-registry": {"title": "%s", "plural": "%s"}}'


def _snapshot(repo: RepoBuilder, title: str) -> Snapshot:
    repo.write("registry.yaml", f"title: {title}\n")
    repo.write("schema/site.schema.json", KIND % (title, title, f"Sites of {title}"))
    repo.define("a")
    repo.commit("add")
    repo.define("a", "title: Two\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    repo.commit("change")
    found, problems = snapshot_of(open_source(repo.root))
    assert found is not None, problems
    return found


def _maker(snapshot: Snapshot) -> Callable[[], dict[str, bytes]]:
    """What makes the pages of the definition."""
    target = next(target for target in render(snapshot) if "process_definition/a" in target.prefixes)
    return lambda: dict(files_by_path(target.make()))


def test_pages_of_two_snapshots_in_two_threads_do_not_mix(
    repo: RepoBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers = [
        _maker(_snapshot(RepoBuilder(repo.root / str(number)), title)) for number, title in enumerate(TITLES)
    ]
    expected = [make() for make in makers]
    assert all(
        f"Sites of {title}".encode() in data
        for title, pages in zip(TITLES, expected, strict=True)
        for data in pages.values()
    )
    # Another thread renders the other snapshot just when a template of this one was filled, and before that is kept.
    original = FilledTemplate
    within: list[dict[str, bytes]] = []

    def interrupted(markup: str, texts: Texts) -> FilledTemplate:
        made = original(markup, texts)
        if threading.current_thread() is threading.main_thread():
            with ThreadPoolExecutor(1) as other:
                within.append(other.submit(makers[1]).result())
        return made

    monkeypatch.setattr(pages_module, "FilledTemplate", interrupted)
    first = _maker(_snapshot(RepoBuilder(repo.root / "2"), TITLES[0]))()
    assert first == expected[0]
    assert len(within) > 1
    assert all(pages == expected[1] for pages in [*within, makers[1]()])
