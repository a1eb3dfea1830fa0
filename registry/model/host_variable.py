"""References of definitions to variables of the host: the only place that recognizes them."""

import re

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def host_variable(value: object) -> str | None:
    """Return the name of the variable that a value of `environment` is taken from, or None for other values.

    Only `${NAME}` as the whole value is a reference. Everything else is passed on as it is.
    """
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None
