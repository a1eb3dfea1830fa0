"""Addresses of files and commits on the forge that hosts a repository; pure.

Sources: the addresses that GitHub, GitLab and Forgejo show in a browser. Gitea has those of Forgejo.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from registry.model.addresses import in_address


class _Forms(NamedTuple):
    """Forms of addresses, relative to the address of the repository."""

    file: str
    edit: str
    blame: str
    commit: str


_FORMS = {
    "github": _Forms(
        "blob/{branch}/{path}", "edit/{branch}/{path}", "blame/{branch}/{path}", "commit/{commit}"
    ),
    "gitlab": _Forms(
        "-/blob/{branch}/{path}", "-/edit/{branch}/{path}", "-/blame/{branch}/{path}", "-/commit/{commit}"
    ),
    "forgejo": _Forms(
        "src/branch/{branch}/{path}",
        "_edit/{branch}/{path}",
        "blame/branch/{branch}/{path}",
        "commit/{commit}",
    ),
}
# Words in the names of hosts, with the forge that runs there.
_HOSTS = {
    "github": "github",
    "gitlab": "gitlab",
    "forgejo": "forgejo",
    "gitea": "forgejo",
    "codeberg": "forgejo",
}


def forge_of(repo_url: str) -> str:
    """Return the forge at an address (github, gitlab or forgejo), or "" if the host does not tell it."""
    host = urlsplit(repo_url).hostname or ""
    return next((forge for word, forge in _HOSTS.items() if word in host), "")


# Forms of a remote's address: with a scheme, and `host:path` for SSH. A host without a dot may be an alias in
# a user's settings.
_WITH_SCHEME = re.compile(
    r"(?P<scheme>https|ssh)://(?:[^/@]*@)?(?P<host>[\w-]+(?:\.[\w-]+)+)(?P<port>:\d+)?/+(?P<path>[^/].*)"
)
_FOR_SSH = re.compile(r"(?:[^/@:]*@)?(?P<host>[\w-]+(?:\.[\w-]+)+):(?P<path>[^/].*)")


def repo_url_of(remote: str) -> str:
    """Return the https address of a repository from the address of a git remote, without credentials.

    The result is "" for a remote that is no repository on a forge, for example a folder.
    """
    found = _WITH_SCHEME.fullmatch(remote)
    if found is None:
        found = _FOR_SSH.fullmatch(remote)
        port = ""
    else:
        port = (found["port"] or "") if found["scheme"] == "https" else ""
    if found is None:
        return ""
    return f"https://{found['host']}{port}/{found['path'].rstrip('/').removesuffix('.git')}"


class FileLinks(NamedTuple):
    """Addresses of one file of the repository."""

    file: str
    edit: str
    blame: str


class RepositoryLinks:
    """The addresses of one repository."""

    def __init__(self, repo_url: str, forge: str, branch: str, folder: str) -> None:
        """Take the https address of the repository, its main branch, and the registry's folder in it.

        The folder is "" for the top. Without an address or a forge, there are no links.
        """
        self._forms = _FORMS.get(forge) if repo_url else None
        self._top = f"{repo_url.rstrip('/').removesuffix('.git')}/"
        self._branch = in_address(branch)
        self._folder = f"{folder.strip('/')}/" if folder.strip("/") else ""

    def of_file(self, path: str) -> FileLinks | None:
        """Return the addresses of a file by its path in the registry, or None without links."""
        if self._forms is None:
            return None
        path = in_address(f"{self._folder}{path}")
        return FileLinks(
            *(self._top + form.format(branch=self._branch, path=path) for form in self._forms[:3])
        )

    def of_commit(self, commit: str | None) -> str:
        """Return the address of a commit, or "" without links or a commit."""
        if self._forms is None or not commit:
            return ""
        return self._top + self._forms.commit.format(commit=commit)
