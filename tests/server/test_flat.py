"""A server that has seen many edits holds no more than after the first ones."""

from pathlib import Path

from tests.server.edits import edit_many


def test_many_edits_leave_handles_threads_children_and_memory_flat(tmp_path: Path) -> None:
    found = edit_many(tmp_path, 600)
    early, late = found[1], found[3]
    assert late.handles <= early.handles + 5
    assert late.threads <= early.threads + 2
    assert late.children == early.children == 0
    # 300 edits of pages and histories of some 60 KB each would be 18 MB. What the allocator holds jumps by up to 11 on a busy machine.
    assert late.megabytes < early.megabytes + 13
