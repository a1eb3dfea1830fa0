"""Formats for comparisons: what changed, what it can break, and who must act first."""
