"""Forgejo and Gitea: the comment of a `pull_request` job.

Source: the API reference (Swagger) of Forgejo, section "issue". The addresses are those of GitHub, except for
the parameter of the page length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.errors import UsageError
from registry.review.forges.forge import Forge, Rest, event, needed
from registry.review.forges.github import IssueComments

if TYPE_CHECKING:
    from collections.abc import Mapping


def forge_from(environment: Mapping[str, str]) -> Forge:
    """Return the pull request of the job. Raises UsageError if a variable is missing."""
    token, repository = needed(environment, "REGISTRY_TOKEN"), needed(environment, "GITHUB_REPOSITORY")
    server = needed(environment, "GITHUB_SERVER_URL")
    rest = Rest(
        environment.get("GITHUB_API_URL") or f"{server.rstrip('/')}/api/v1",
        {"Authorization": f"token {token}"},
    )
    number = (event(environment).get("pull_request") or {}).get("number")
    if not isinstance(number, int):
        raise UsageError("the job does not belong to a pull request", "run it on the event pull_request")
    return IssueComments(rest, repository, number, str(rest.ask("GET", "/user").get("login", "")), "limit")
