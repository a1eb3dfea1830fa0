"""Create files: a new registry with its CI files, and new definitions."""

from registry.scaffold.ci import CI_FORGES, PLACEHOLDER, ci_files, install_command
from registry.scaffold.proposed import create_definition
from registry.scaffold.schema_update import update_schemas
from registry.scaffold.start import (
    Start,
    adapters_index_text,
    add_ci_files,
    definition_text,
    init_bare_registry,
    init_registry,
    is_registry,
    write_generated_schemas,
)

__all__ = [
    "CI_FORGES",
    "PLACEHOLDER",
    "Start",
    "adapters_index_text",
    "add_ci_files",
    "ci_files",
    "create_definition",
    "definition_text",
    "init_bare_registry",
    "init_registry",
    "install_command",
    "is_registry",
    "update_schemas",
    "write_generated_schemas",
]
