"""Writes through HTTP: each accepted request becomes one commit on the main branch."""
