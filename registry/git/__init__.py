"""The only package that runs git."""

from registry.git.blobs import Oversize
from registry.git.environment import git_is_installed
from registry.git.error import GitError
from registry.git.index_file import IndexEntry, suspects
from registry.git.location import (
    find_work_tree,
    git_directories_in,
    git_directories_touched,
    looks_like_git_dir,
    refuse_embedded,
)
from registry.git.log import LogCommit, LogRow, PendingLogs
from registry.git.mailmap import Mailmap
from registry.git.order import CommitOrder
from registry.git.refs import HEADS, HIGH_WATER, branch_ref
from registry.git.remote import Remote
from registry.git.repository import (
    Conflict,
    Repository,
    TreeRow,
    as_pattern,
    init_repository,
    open_repository,
)
from registry.git.status import PendingStatus

__all__ = [
    "HEADS",
    "HIGH_WATER",
    "CommitOrder",
    "Conflict",
    "GitError",
    "IndexEntry",
    "LogCommit",
    "LogRow",
    "Mailmap",
    "Oversize",
    "PendingLogs",
    "PendingStatus",
    "Remote",
    "Repository",
    "TreeRow",
    "as_pattern",
    "branch_ref",
    "find_work_tree",
    "git_directories_in",
    "git_directories_touched",
    "git_is_installed",
    "init_repository",
    "looks_like_git_dir",
    "open_repository",
    "refuse_embedded",
    "suspects",
]
