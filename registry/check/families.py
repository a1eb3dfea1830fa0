"""The rules of the program, by family: one module each. Pure."""

from registry.check import (
    adapters,
    change,
    compat,
    credentials,
    fields,
    metadata,
    names,
    placeholders,
    references,
    schema,
    values,
)
from registry.check.rule import Rule

FAMILIES: tuple[tuple[Rule, ...], ...] = (
    schema.RULES,
    names.RULES,
    change.RULES,
    references.RULES,
    adapters.RULES,
    placeholders.RULES,
    fields.RULES,
    values.RULES,
    credentials.RULES,
    metadata.RULES,
    compat.RULES,
)
"""The rules of each module, in the order of their checks."""
RULES: tuple[Rule, ...] = tuple(rule for family in FAMILIES for rule in family)
"""All rules of the program, without those of plug-ins."""
