"""The only package that runs git."""

from registry.git.blobs import Oversize
from registry.git.environment import git_is_installed
from registry.git.error import GitError
from registry.git.log import LogCommit, PendingLogs, Row
from registry.git.remote import Remote
from registry.git.repository import HIGH_WATER, Conflict, Repository, TreeRow, as_pattern, init_repository, open_repository

__all__ = [
    "HIGH_WATER",
    "Conflict",
    "GitError",
    "LogCommit",
    "Oversize",
    "PendingLogs",
    "Remote",
    "Repository",
    "Row",
    "TreeRow",
    "as_pattern",
    "git_is_installed",
    "init_repository",
    "open_repository",
]
