"""GitLab: the note of a merge request pipeline.

Source: "Notes API" and "Predefined CI/CD variables" in GitLab's documentation. A job token cannot write
notes, so a project access token with the scope `api` is required.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from registry.review.forges.forge import Comment, Forge, Rest, needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Notes:
    """The notes of one merge request."""

    def __init__(self, rest: Rest, project: str, number: str, address: str) -> None:
        """`project` and `number` as in GitLab's variables; `address` is that of the merge request."""
        self._rest, self._address = rest, address
        self._notes = f"/projects/{quote(project, safe='')}/merge_requests/{quote(number, safe='')}/notes"
        self._ours = rest.ask("GET", "/user").get("id")

    def comments(self) -> Iterator[Comment]:
        """Yield its notes, oldest first."""
        for one in self._rest.pages(f"{self._notes}?sort=asc&order_by=created_at"):
            author = (one.get("author") or {}).get("id")
            yield Comment(
                int(one["id"]),
                str(one.get("body") or ""),
                f"{self._address}#note_{one['id']}",
                author == self._ours,
            )

    def create(self, body: str) -> str:
        """Create a note. Returns its address."""
        return f"{self._address}#note_{self._rest.ask('POST', self._notes, {'body': body})['id']}"

    def update(self, comment: int, body: str) -> str:
        """Replace the text of a note. Returns its address."""
        return (
            f"{self._address}#note_{self._rest.ask('PUT', f'{self._notes}/{comment}', {'body': body})['id']}"
        )


def forge_from(environment: Mapping[str, str]) -> Forge:
    """Return the merge request of the job. Raises UsageError if a variable is missing."""
    rest = Rest(
        needed(environment, "CI_API_V4_URL"), {"PRIVATE-TOKEN": needed(environment, "REGISTRY_TOKEN")}
    )
    number = needed(environment, "CI_MERGE_REQUEST_IID")
    address = (
        f"{environment.get('CI_MERGE_REQUEST_PROJECT_URL') or environment.get('CI_PROJECT_URL', '')}"
        f"/-/merge_requests/{number}"
    )
    return Notes(rest, needed(environment, "CI_MERGE_REQUEST_PROJECT_ID"), number, address)
