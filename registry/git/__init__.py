"""The only package that runs git.

`BatchWriter` and `Remote` are imported from their modules: commands that only read start without them.
"""

from registry.git.blobs import Oversize
from registry.git.environment import git_is_installed
from registry.git.error import GitError, GitWriteError, WriteFailure
from registry.git.fast_import import CommitSpec, Signature
from registry.git.index_file import IndexEntry, may_hide_files
from registry.git.location import (
    find_work_tree,
    git_directories_in,
    git_directories_touched,
    looks_like_git_dir,
    refuse_embedded,
)
from registry.git.log import LogCommit, LogRow, PendingLogs, iso_date, shown_message
from registry.git.order import CommitOrder
from registry.git.path_log import PathLog
from registry.git.ref_transaction import Published
from registry.git.refs import HEADS, HIGH_WATER, RefUpdate, branch_ref
from registry.git.repository import (
    Conflict,
    Repository,
    as_pattern,
    init_repository,
    open_repository,
)
from registry.git.status import PendingStatus

__all__ = [
    "HEADS",
    "HIGH_WATER",
    "CommitOrder",
    "CommitSpec",
    "Conflict",
    "GitError",
    "GitWriteError",
    "IndexEntry",
    "LogCommit",
    "LogRow",
    "Oversize",
    "PathLog",
    "PendingLogs",
    "PendingStatus",
    "Published",
    "RefUpdate",
    "Repository",
    "Signature",
    "WriteFailure",
    "as_pattern",
    "branch_ref",
    "find_work_tree",
    "git_directories_in",
    "git_directories_touched",
    "git_is_installed",
    "init_repository",
    "iso_date",
    "looks_like_git_dir",
    "may_hide_files",
    "open_repository",
    "refuse_embedded",
    "shown_message",
]
