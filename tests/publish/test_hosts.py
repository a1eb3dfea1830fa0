"""The limits of hosts: what is counted, and that the documentation names the same ones."""

from pathlib import Path

import pytest

from registry.publish.hosts import HOSTS, Excess, Host, SiteSize

SMALL = SiteSize(9_000, 8_000, 10**8, 10**6)


@pytest.mark.parametrize(
    ("host", "size", "exceeded"),
    [
        ("GitHub Pages", SMALL._replace(files=10**6, bytes=10**9), []),
        ("GitHub Pages", SMALL._replace(bytes=10**9 + 1), [("bytes", 10**9 + 1, 10**9)]),
        ("GitHub Pages", SMALL._replace(largest_file=10**8 + 5 * 10**6), [("largest_file", 105_000_000, 104_857_600)]),
        # Folders count, and the folder of the site itself.
        ("GitLab Pages", SMALL._replace(files=120_000, folders=79_999), []),
        ("GitLab Pages", SMALL._replace(files=120_000, folders=80_000), [("entries", 200_001, 200_000)]),
        ("GitLab Pages", SMALL._replace(bytes=2 * 10**9), [("bytes", 2 * 10**9, 10**9)]),
        ("Cloudflare Pages, free", SMALL._replace(files=20_000, folders=90_000, bytes=10**12), []),
        ("Cloudflare Pages, free", SMALL._replace(files=20_001), [("files", 20_001, 20_000)]),
        ("Cloudflare Pages, paid", SMALL._replace(files=100_000), []),
        (
            "Cloudflare Pages, paid",
            SMALL._replace(files=100_001, largest_file=30_000_000),
            [("files", 100_001, 100_000), ("largest_file", 30_000_000, 26_214_400)],
        ),
        ("Azure Static Web Apps", SMALL._replace(files=10_001), [("files", 10_001, 10_000)]),
        ("Netlify", SMALL._replace(files=10**6, bytes=10**12), []),
        ("a bucket, or a server of your own", SMALL._replace(files=10**7, bytes=10**13, largest_file=10**12), []),
    ],
)  # fmt: skip
def test_a_site_exceeds_what_the_host_counts(
    host: str, size: SiteSize, exceeded: list[tuple[str, int, int]]
) -> None:
    found = next(one for one in HOSTS if one.name == host)
    assert list(found.exceeded(size)) == [Excess(*one) for one in exceeded]
    assert not list(found.exceeded(SMALL))


def test_the_operators_guide_names_the_same_limits() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/operator.md").read_text(encoding="utf-8")
    table = page.partition("## Hosts of static sites\n\n")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == [
        f"| {host.name} | {_files(host)} | {_bytes(host.bytes)} | {_bytes(host.file_bytes)} |"
        for host in HOSTS
    ]


def _files(host: Host) -> str:
    if host.entries is not None:
        return f"{host.entries:,} with folders"
    return "–" if host.files is None else f"{host.files:,}"


def _bytes(number: int | None) -> str:
    if number is None:
        return "–"
    return f"{number // 10**9} GB" if number % 10**9 == 0 else f"{number // 2**20} MiB"
