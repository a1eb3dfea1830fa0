"""A second scan for credentials with detect-secrets, on request: `registry check --second-opinion`.

Its entropy detectors are ignored: without a baseline of known findings they report host names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.credentials import HIDDEN, texts_in
from registry.errors import UsageError
from registry.model.problem import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.load.kinds import Kinds
    from registry.load.loader import Loaded


def detect_more_secrets(loaded: Loaded, kinds: Kinds, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return X003 warnings for what detect-secrets finds in secret fields and `problems` does not report yet.

    Raises UsageError when detect-secrets is not installed.
    """
    try:
        from detect_secrets.core.scan import scan_line
        from detect_secrets.settings import default_settings
    except ImportError as error:
        raise UsageError("detect-secrets is not installed", "pip install detect-secrets") from error
    known = {(problem.span.path, problem.pointer) for problem in problems if problem.rule == "X001"}
    found = []
    with default_settings():
        for definition in loaded.definitions:
            for path, name, value, *_ in texts_in(
                definition.data, kinds.by_name[definition.kind].secret_fields
            ):
                if HIDDEN in value or "${" in value or "\n" in value:
                    continue
                types = sorted(
                    {one.type for one in scan_line(f'{name} = "{value}"') if "Entropy" not in one.type}
                )
                problem = definition.problem(
                    "X003",
                    Severity.WARNING,
                    path,
                    f"detect-secrets reports: {', '.join(types)}",
                    "if it is a secret, write `${NAME}` instead",
                )
                if types and (problem.span.path, problem.pointer) not in known:
                    found.append(problem)
    return tuple(found)
