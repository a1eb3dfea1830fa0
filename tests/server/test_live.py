"""A live registry is brought up to date, and gives way to what is newer at any of its steps."""

from registry.cache.build_cache import BuildCache
from registry.server.live import LiveRegistry, LiveUpdate
from tests.support.repo import RepoBuilder

PAGE = "process_definition/a/index.html"


def test_a_look_that_gives_way_leaves_all_as_it_was_and_can_be_taken_again(repo: RepoBuilder) -> None:
    repo.define("a")
    repo.define("b")
    repo.commit("start")
    told: list[LiveUpdate] = []
    live = LiveRegistry(repo.root, BuildCache(), told.append)
    assert live.refresh()
    before = live.state
    for steps in range(20):
        repo.define("a", f"title: Edited {steps} times\nowners: [t]\ndefinition: {{exec: /bin/a}}\n")
        asked = iter([False] * steps)
        if live.refresh(gives_way=lambda asked=asked: next(asked, True)):  # type: ignore[misc]
            break  # it has fewer steps
        assert live.state is before
        assert len(told) == 1
    assert steps >= 4  # between reading, bringing together, and making pages
    assert len(told) == 2
    page = live.state.pages.get(PAGE)
    assert page is not None
    assert f"Edited {steps} times" in page.decode()
    fresh = LiveRegistry(repo.root, BuildCache(), told.append)
    fresh.refresh()
    assert all(
        fresh.state.pages.get(path) == live.state.pages.get(path)
        for path in (PAGE, "index.html", "api/process_definition.json")
    )


def test_an_edit_is_shown_at_once_where_reading_everything_gave_way(repo: RepoBuilder) -> None:
    path = repo.define("a")
    repo.commit("start")
    live = LiveRegistry(repo.root, BuildCache(), lambda _told: None)
    live.refresh()
    path.write_text("title: First\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    assert live.edit("definitions/process_definition/a.yaml")
    path.write_text("title: Second\nowners: [t]\ndefinition: {exec: /bin/a}\n")
    steps = iter([False, False])
    assert not live.refresh(gives_way=lambda: next(steps, True))
    assert live.edit("definitions/process_definition/a.yaml")
    page = live.state.pages.get(PAGE)
    assert page is not None
    assert "Second" in page.decode()
    assert live.refresh()
    assert live.state.pages.get(PAGE) == page
