"""Save a picture of every type of page in both themes and two sizes: `make screenshots`."""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.browser import chromium
from tests.support.demonstration import PAGE_TYPES, SIZES, THEMES, demonstration


def main() -> None:
    """Save the pictures as FOLDER/<page>-<theme>-<size>.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("screenshots"))
    parser.add_argument("--only", default="", metavar="TEXT", help="pages with this text in their name")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    chosen = [page for page in PAGE_TYPES if given.only in page.name]
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder)) as shown, chromium() as browser:
        for theme in THEMES:
            for size, (width, height) in SIZES.items():
                page = browser.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if theme == "dark" else "light",
                )
                for one in chosen:
                    page.goto(shown.address(one))
                    page.wait_for_selector(one.waits_for)
                    page.screenshot(
                        path=given.folder / f"{one.name}-{theme}-{size}.png",
                        full_page=one.site != "live",
                        animations="disabled",
                    )
                page.close()
    print(f"{len(chosen) * len(THEMES) * len(SIZES)} pictures in {given.folder}/")


if __name__ == "__main__":
    main()
