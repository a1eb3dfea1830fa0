"""Strict readers of `_headers` and `_redirects`, by the documentation of the hosts that read them.

Cloudflare Pages: developers.cloudflare.com/pages/configuration/headers and …/redirects. Netlify:
docs.netlify.com/manage/routing/headers and …/redirects/overview. GitLab Pages:
docs.gitlab.com/user/project/pages/redirects. What a host would ignore or join is an error here.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

HOSTS = ("cloudflare", "netlify", "gitlab")
_PLACEHOLDER = re.compile(r":([A-Za-z]+)")  # Cloudflare and Netlify also take digits and `_`, GitLab does not
_NAME = re.compile(r"[A-Za-z][A-Za-z-]*")
# Netlify does not let a site set them.
_OF_NETLIFY = (
    "accept-ranges|age|allow|alt-svc|connection|content-encoding|content-length|content-range|date|location|server|"
    "set-cookie|trailer|transfer-encoding|upgrade"
)


class HeaderRule(NamedTuple):
    path: str
    headers: dict[str, str]


class RedirectRule(NamedTuple):
    source: str
    target: str
    status: int


def parse_headers(text: str) -> list[HeaderRule]:
    """Read `_headers`. Raises AssertionError for anything that a host would not accept."""
    rules: list[HeaderRule] = []
    for line in _lines(text, longest=2000):
        if line.startswith("/"):
            assert not rules or rules[-1].headers, f"no headers for {rules[-1].path}"
            assert line not in {rule.path for rule in rules}, f"{line} twice"
            _check_path(line)
            rules.append(HeaderRule(line, {}))
            continue
        assert line.startswith("  "), f"not indented: {line!r}"
        name, colon, value = line.strip().partition(": ")
        assert colon and _NAME.fullmatch(name) and value, f"not a header: {line!r}"
        assert not re.fullmatch(_OF_NETLIFY, name.lower()), f"{name} cannot be set"
        assert name.lower() not in rules[-1].headers, f"{name} twice for {rules[-1].path}"
        rules[-1].headers[name.lower()] = value
    assert 0 < len(rules) <= 100
    assert rules[-1].headers
    return rules


def headers_for(rules: Sequence[HeaderRule], path: str, host: str) -> dict[str, str]:
    """Return the headers of an answer. Raises AssertionError where the values of two rules would be joined."""
    found: dict[str, str] = {}
    for rule in rules:
        if _pattern(rule.path, host).fullmatch(path):
            for name, value in rule.headers.items():
                assert found.get(name, value) == value, f"{path}: {name} of several rules"
                found[name] = value
    return found


def parse_redirects(text: str) -> list[RedirectRule]:
    """Read `_redirects`. Raises AssertionError for anything that a host would not accept."""
    assert len(text.encode()) <= 64 * 1024
    rules: list[RedirectRule] = []
    for line in _lines(text, longest=1000):
        source, target, status = line.split(" ")
        assert source not in {rule.source for rule in rules}, f"{source} twice"
        _check_path(source)
        names = _PLACEHOLDER.findall(source)
        assert sorted(set(_PLACEHOLDER.findall(target))) == sorted(names), f"other placeholders: {line!r}"
        # Some hosts replace one placeholder after the other.
        assert not any(a != b and a.startswith(b) for a in names for b in names)
        assert target.startswith("/")
        assert "*" not in target
        rules.append(RedirectRule(source, target, int(status)))
    dynamic = [bool(_PLACEHOLDER.search(rule.source) or "*" in rule.source) for rule in rules]
    assert dynamic == sorted(dynamic), "a static rule after a dynamic one counts as dynamic"
    assert dynamic.count(False) <= 2000
    assert dynamic.count(True) <= 100
    assert len(rules) <= 1000
    assert {rule.status for rule in rules} <= {200, 301, 302}
    return rules


def redirected(
    rules: Sequence[RedirectRule], path: str, host: str, files: Sequence[str]
) -> RedirectRule | None:
    """Return the first rule for a path, with its target filled in. `files` are the paths that have a file.

    Netlify and GitLab do not apply rules to them, Cloudflare does.
    """
    if host != "cloudflare" and path in files:
        return None
    for rule in rules:
        if found := _pattern(rule.source, host).fullmatch(path):
            target = rule.target
            for name, value in found.groupdict().items():
                target = target.replace(f":{name}", value)
            return RedirectRule(path, target, rule.status)
    return None


def _lines(text: str, longest: int) -> Iterator[str]:
    assert text.endswith("\n")
    assert "\r" not in text
    for line in text.split("\n"):
        assert len(line) <= longest
        assert line == line.rstrip()
        if line and not line.startswith("#"):
            yield line


def _check_path(path: str) -> None:
    assert path.startswith("/")
    assert path.count("*") <= 1
    names = _PLACEHOLDER.findall(path)
    assert len(names) == len(set(names)) == path.count(":"), f"placeholders of {path}"


def _pattern(path: str, host: str) -> re.Pattern[str]:
    """Return what a rule matches: Cloudflare takes the slash at the end exactly, the others do not."""
    if host == "cloudflare":
        text = re.escape(path).replace(r"\*", "(?P<splat>.*)")
        return re.compile(re.sub(r":([A-Za-z]+)", r"(?P<\1>[^/]+)", text))
    parts = [_part(one) for one in path.split("/") if one]
    return re.compile(f"/{'/'.join(parts)}/?", re.IGNORECASE)


def _part(part: str) -> str:
    if part.startswith(":"):
        return f"(?P<{part[1:]}>[^/]+)"
    if part == "*":
        return "?(.*)"
    return re.escape(part).replace(r"\*", "(.*)")
