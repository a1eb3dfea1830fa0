"""Immutable values of the domain."""
