"""A second opinion on credentials, by detect-secrets; asked for with `registry check --second-opinion`.

Its own finding of random text is left out: without a file of known findings it takes host names for secrets.
"""

from registry.build import Checked
from registry.credentials import HIDDEN, texts_in
from registry.errors import Problem, Severity, UsageError


def second_opinion(checked: Checked) -> tuple[Problem, ...]:
    """What detect-secrets finds in the fields that kinds mark, and we did not. Raises UsageError when it is not installed."""
    try:
        from detect_secrets.core.scan import scan_line
        from detect_secrets.settings import default_settings
    except ImportError as error:
        raise UsageError("detect-secrets is not installed", "pip install 'process-registry[secrets]'") from error
    known = {(problem.span.path, problem.pointer) for problem in checked.problems if problem.rule == "X001"}
    found = []
    with default_settings():
        for definition in checked.loaded.definitions:
            for path, name, value, *_ in texts_in(definition.data, checked.kinds.by_name[definition.kind].secret_fields):
                if HIDDEN in value or "${" in value or "\n" in value:
                    continue
                kinds = sorted({one.type for one in scan_line(f'{name} = "{value}"') if "Entropy" not in one.type})
                problem = definition.problem("X003", Severity.WARNING, path, f"detect-secrets takes this for: {', '.join(kinds)}",
                                             "look at it; write `${NAME}` if it is a secret")  # fmt: skip
                if kinds and (problem.span.path, problem.pointer) not in known:
                    found.append(problem)
    return tuple(found)
