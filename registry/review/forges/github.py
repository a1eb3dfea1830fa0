"""GitHub: the comment of a `workflow_run` job, or of a `pull_request` job with write permission.

Source: "REST API endpoints for issue comments" and "for pull requests", and "Events that trigger workflows"
in GitHub's documentation. A pull request is an issue there, so its comments are those of the issue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from registry.errors import UsageError
from registry.review.forges.forge import Comment, Forge, Rest, event, needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BOT = "github-actions[bot]"


class IssueComments:
    """The comments of one pull request. Forgejo has the same addresses."""

    def __init__(self, rest: Rest, repository: str, number: int, login: str, size: str = "per_page") -> None:
        """`login` is our account; `size` is the parameter for the page length."""
        self._rest, self._login, self._size = rest, login, size
        self._issues = f"/repos/{quote(repository)}/issues"
        self._number = number

    def comments(self) -> Iterator[Comment]:
        """Yield its comments, oldest first."""
        for one in self._rest.pages(f"{self._issues}/{self._number}/comments", self._size):
            login = (one.get("user") or {}).get("login")
            yield Comment(
                int(one["id"]), str(one.get("body") or ""), str(one.get("html_url", "")), login == self._login
            )

    def create(self, body: str) -> str:
        """Create a comment. Returns its address."""
        return str(
            self._rest.ask("POST", f"{self._issues}/{self._number}/comments", {"body": body}).get(
                "html_url", ""
            )
        )

    def update(self, comment: int, body: str) -> str:
        """Replace the text of a comment. Returns its address."""
        return str(
            self._rest.ask("PATCH", f"{self._issues}/comments/{comment}", {"body": body}).get("html_url", "")
        )


def forge_from(environment: Mapping[str, str]) -> Forge:
    """Return the pull request of the job.

    Raises UsageError if a variable is missing, or if the job does not belong to an open pull request.
    """
    token, repository = needed(environment, "GITHUB_TOKEN"), needed(environment, "GITHUB_REPOSITORY")
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    rest = Rest(environment.get("GITHUB_API_URL") or "https://api.github.com", headers)
    happened = event(environment)
    number = (happened.get("pull_request") or {}).get("number")
    run = happened.get("workflow_run")
    if number is None and isinstance(run, dict):
        number = _number_of(rest, repository, run)
    if not isinstance(number, int):
        raise UsageError(
            "the job does not belong to a pull request", "run it on the event workflow_run or pull_request"
        )
    return IssueComments(rest, repository, number, environment.get("REGISTRY_BOT") or _BOT)


def _number_of(rest: Rest, repository: str, run: Mapping[str, Any]) -> int:
    """Return the number of the open pull request that started a run of another workflow.

    The event does not contain the number if the request comes from a fork.
    """
    owner = ((run.get("head_repository") or {}).get("owner") or {}).get("login", "")
    branch, commit = run.get("head_branch", ""), run.get("head_sha", "")
    query = f"/repos/{quote(repository)}/pulls?state=open&head={quote(f'{owner}:{branch}', safe='')}"
    for one in rest.pages(query):
        if (one.get("head") or {}).get("sha") == commit:
            return int(one["number"])
    raise UsageError(
        f"no open pull request has the head {str(commit)[:12]}",
        "the run for its newest commit posts the review",
    )
