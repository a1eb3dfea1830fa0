"""The lists of the catalog in a real browser, opened from disk without JavaScript, on a narrow screen."""

from pathlib import Path

from registry.cli import main
from tests.support.browser import chromium
from tests.support.repo import RepoBuilder
from tests.support.waiting import PATIENCE_S

LONG = "averylongwordwithoutanybreak" * 3
ARABIC = "\u0641\u0631\u064a\u0642"


def test_a_preview_is_browsed_from_disk(tmp_path: Path) -> None:
    repo = RepoBuilder(tmp_path / "repo")
    repo.write("registry.yaml", "registry_id: registry-1\n")
    for number in range(60):
        repo.define(
            f"{LONG}/d{number}",
            f"title: {LONG}{number}\nowners: [{ARABIC}, {LONG}]\ntags: [sky]\ndefinition: {{exec: /bin/x}}\n",
        )
    repo.commit("add")
    assert main(["index", "-C", str(repo.root)]) == 0
    repo.git(
        "mv", f"definitions/process_definition/{LONG}/d1.yaml", "definitions/process_definition/moved.yaml"
    )
    repo.commit("rename")
    out = tmp_path / "preview"
    assert (
        main(["build", "-C", str(repo.root), "--out", str(out), "--preview", "one", "--base", "HEAD~1"]) == 0
    )
    with chromium() as browser:
        context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 700})
        context.set_default_timeout(PATIENCE_S * 1000)
        page = context.new_page()

        def fits() -> bool:
            width: int = page.evaluate("document.documentElement.scrollWidth")
            return width <= 320

        page.goto(f"file://{out}/index.html")
        assert fits()
        for link in (
            f"#browse ~ * >> text={ARABIC}",
            ".title",
            ".crumbs >> nth=0 >> a >> nth=2",
            "text=Folders",
        ):
            page.click(link)
            assert page.url.endswith("/index.html")
            assert page.locator("main h1").count() == 1
            assert fits(), page.url
        # The direction of a value does not change its surroundings.
        page.goto(f"file://{out}/_owners/index.html")
        owner, count = page.locator(f"li:has-text('{ARABIC}') >> css=a, .count").all()[:2]
        left, right = owner.bounding_box(), count.bounding_box()
        assert left is not None
        assert right is not None
        assert left["x"] < right["x"]
        page.goto(f"file://{out}/process_definition/{LONG}/d1/index.html")
        page.wait_for_url("**/process_definition/moved/index.html")
        context.close()
