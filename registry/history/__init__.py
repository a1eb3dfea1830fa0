"""Revisions of definitions and their contents."""
