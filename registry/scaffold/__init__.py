"""Files for a start: a new registry with its CI, and a new definition."""

from registry.scaffold.ci import CI_FILES
from registry.scaffold.proposed import propose_definition
from registry.scaffold.start import (
    Start,
    adapters_index_text,
    definition_text,
    init_registry,
    write_adapters_index,
)

__all__ = [
    "CI_FILES",
    "Start",
    "adapters_index_text",
    "definition_text",
    "init_registry",
    "propose_definition",
    "write_adapters_index",
]
