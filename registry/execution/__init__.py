"""Runs a definition on one message, as a process dispatcher does, and compares the output with its examples.

Only commands of this machine use it: no server starts programs.
"""
