"""Formats for the results of examples that were run."""
