"""The error answer of a write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from registry.model.problem import Problem


class RejectedError(Exception):
    """A write that is not carried out, with its answer: HTTP status, one sentence, and details."""

    def __init__(
        self,
        status: int,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`details` are further keys of the answer beside `error`, `headers` further headers."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The answer as plain data."""
        return {"error": self.message, **self.details}


def rejected_by_rules(problems: Iterable[Problem]) -> RejectedError:
    """Return the answer for a document that the checker rejects: status 422 with all findings."""
    found = [
        {"rule": one.rule, "pointer": one.pointer, "message": one.message, "hint": one.hint}
        for one in problems
    ]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    where = f" at {found[0]['pointer']}" if found[0]["pointer"] else ""
    return RejectedError(422, f"{found[0]['message']}{where}{more}", {"problems": found})
