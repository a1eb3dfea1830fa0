"""Create files: a new registry with its CI files, and new definitions."""

from registry.scaffold.ci import CI_FORGES, PLACEHOLDER, ci_files, install_command
from registry.scaffold.editor_schemas import adapters_index_text, write_generated_schemas
from registry.scaffold.new_definition import Start, create_definition
from registry.scaffold.new_registry import add_ci_files, init_bare_registry, init_registry, is_registry
from registry.scaffold.schema_update import update_schemas

__all__ = [
    "CI_FORGES",
    "PLACEHOLDER",
    "Start",
    "adapters_index_text",
    "add_ci_files",
    "ci_files",
    "create_definition",
    "init_bare_registry",
    "init_registry",
    "install_command",
    "is_registry",
    "update_schemas",
    "write_generated_schemas",
]
