"""Load a registry's files into definitions."""
