"""Random histories with branches, merges, renames and ids, as one stream for `git fast-import`; and what git has of them.

Each file holds a mark of the definition that it is (`WHO`), which no edit changes: so git's trees alone tell, for each commit,
which definition changed.
"""

import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

KIND = "definitions/process_definition/"
_WHO = re.compile(rb"WHO: d([0-9]+)")


class File(NamedTuple):
    """One definition in one commit; `values` are its title, timeout and level."""

    who: int
    id: int | None
    values: tuple[int, int, int]

    def text(self) -> str:
        head = f"id: {self.id}\n" if self.id is not None else ""
        title, timeout, level = self.values
        return (
            f"{head}title: Title {title}\nowners: [team]\ndescription: >\n  What the definition number {self.who} of this history does,\n"
            f"  in some lines that stay as they are.\ndefinition:\n  exec: /opt/programs/bin/d{self.who}\n  cwd: /srv/some/where/d{self.who}\n"
            f"  timeout: {60 + timeout}\n  environment:\n    WHO: d{self.who}\n    LEVEL: l{level}\n    HOME: /home/of/d{self.who}\n"
        )


Tree = dict[str, File]


class Commit(NamedTuple):
    """One commit of the model; `parents` are numbers of commits."""

    parents: tuple[int, ...]
    tree: Tree


class MergedHistory:
    """Makes a history. With `reuses_names` new files take names that others had before, and all have an id from the start."""

    def __init__(self, seed: int, *, reuses_names: bool, steps: int = 40) -> None:
        self.rng = random.Random(seed)
        self.reuses_names = reuses_names
        self.commits: list[Commit] = []
        self.ancestors: list[set[int]] = []
        self.next_who, self.next_id = 1, 1
        tree: Tree = {}
        for _ in range(3):
            self._add(tree)
        self.main = self._commit((), tree)
        self.main_line = [self.main]
        self.sides: list[int] = []
        for _ in range(steps):
            self._step()
        for side in self.sides:
            self._advance(self._merge(self.main, side))

    def _advance(self, commit: int) -> None:
        self.main = commit
        self.main_line.append(commit)

    def _commit(self, parents: tuple[int, ...], tree: Tree) -> int:
        number = len(self.commits)
        self.commits.append(Commit(parents, tree))
        self.ancestors.append({number}.union(*(self.ancestors[parent] for parent in parents)))
        return number

    def _step(self) -> None:
        rng = self.rng
        what = rng.random()
        if what < 0.35:
            self._advance(self._change(self.main))
        elif what < 0.42 and not self.reuses_names:
            self._advance(self._index(self.main))
        elif what < 0.55 and len(self.sides) < 3:
            self.sides.append(
                self._change(rng.choice((self.main, self.main, rng.randrange(len(self.commits)))))
            )
        elif what < 0.75 and self.sides:
            place = rng.randrange(len(self.sides))
            self.sides[place] = self._change(self.sides[place])
        elif what < 0.85 and self.sides:
            place = rng.randrange(len(self.sides))
            self.sides[place] = self._merge(
                self.sides[place], rng.choice((self.main, self.main, rng.choice(self.sides)))
            )
        elif self.sides:
            self._advance(self._merge(self.main, self.sides.pop(rng.randrange(len(self.sides)))))

    def _free_name(self, tree: Tree) -> str:
        names = [f"{KIND}n{number}.yaml" for number in range(6)] if self.reuses_names else []
        free = [name for name in names if name not in tree]
        return self.rng.choice(free) if free else f"{KIND}m{self.rng.randrange(10**6)}.yaml"

    def _add(self, tree: Tree) -> None:
        number = None
        if self.reuses_names:
            number, self.next_id = self.next_id, self.next_id + 1
        tree[self._free_name(tree)] = File(self.next_who, number, self._values())
        self.next_who += 1

    def _values(self) -> tuple[int, int, int]:
        return (self.rng.randrange(3), self.rng.randrange(3), self.rng.randrange(3))

    def _edited(self, file: File) -> File:
        values = list(file.values)
        values[self.rng.randrange(3)] = self.rng.randrange(3)
        return file._replace(values=(values[0], values[1], values[2]))

    def _change(self, parent: int) -> int:
        tree, rng = dict(self.commits[parent].tree), self.rng
        for _ in range(rng.choice((1, 1, 2))):
            what = rng.random()
            path = rng.choice(sorted(tree)) if tree else ""
            if not tree or (what < 0.15 and len(tree) < 5):
                self._add(tree)
            elif what < 0.25 and len(tree) > 1:
                del tree[path]
            elif what < 0.45:
                # Git has no better way to see a rename together with another file at the old name than the id.
                file = tree.pop(path)
                tree[self._free_name({**self.commits[parent].tree, **tree})] = (
                    self._edited(file) if rng.random() < 0.3 else file
                )
            else:
                tree[path] = self._edited(tree[path])
        return self._commit((parent,), tree)

    def _index(self, parent: int) -> int:
        """Ids for all that have none, as `registry index` gives them."""
        tree = dict(self.commits[parent].tree)
        known = {
            file.who: file.id
            for commit in self.commits
            for file in commit.tree.values()
            if file.id is not None
        }
        for path, file in tree.items():
            if file.id is None:
                number = known.get(file.who)
                if number is None:
                    number, self.next_id = self.next_id, self.next_id + 1
                tree[path] = file._replace(id=number)
        return self._commit((parent,), tree)

    def _merge(self, ours: int, theirs: int) -> int:
        if theirs in self.ancestors[ours]:
            return ours
        rng = self.rng
        common = self.ancestors[ours] & self.ancestors[theirs]
        base = self.commits[max(common)].tree if common else {}
        one, other = self.commits[ours].tree, self.commits[theirs].tree
        if rng.random() < 0.1:
            return self._commit((ours, theirs), dict(one))
        tree: Tree = {}
        by_who = [{file.who: (path, file) for path, file in side.items()} for side in (base, one, other)]
        for who in sorted({who for side in by_who[1:] for who in side}):
            before, mine, yours = (side.get(who) for side in by_who)
            merged = self._merged(before, mine, yours)
            if merged is not None:
                path, file = merged
                tree[path if path not in tree else self._free_name({**base, **one, **other, **tree})] = file
        return self._commit((ours, theirs), tree)

    def _merged(
        self, before: tuple[str, File] | None, mine: tuple[str, File] | None, yours: tuple[str, File] | None
    ) -> tuple[str, File] | None:
        """One definition: each side's changes, and where both changed the same, either of them."""
        rng = self.rng
        if mine is None or yours is None:
            there = mine or yours
            if there is None:
                return None
            # Without its id it would be another definition: the id of a deleted one is not given again.
            lost_its_id = there[1].id is None and any(
                file.who == there[1].who and file.id
                for commit in self.commits
                for file in commit.tree.values()
            )
            return (
                None
                if lost_its_id or (before is not None and (there == before or rng.random() < 0.5))
                else there
            )
        if before is None:
            before = mine
        whole = rng.random()
        if whole < 0.15:
            return mine
        if whole < 0.3:
            return yours
        path = yours[0] if mine[0] == before[0] else mine[0]
        number = mine[1].id if mine[1].id is not None else yours[1].id
        values = [
            theirs if own == base else own if theirs == base else rng.choice((own, theirs))
            for base, own, theirs in zip(before[1].values, mine[1].values, yours[1].values, strict=True)
        ]
        file = File(mine[1].who, number, (values[0], values[1], values[2]))
        return path, self._edited(file) if whole > 0.95 else file

    def write(self, root: Path) -> list[str]:
        """Make the repository's branch main; the names of the commits by number."""
        lines: list[str] = []
        for number, commit in enumerate(self.commits):
            lines.append(
                f"commit refs/heads/c{number}\nmark :{number + 1}\nauthor A{number} <a@example.org> {1_700_000_000 + number} +0000\n"
                f"committer C <c@example.org> {1_700_000_000 + number} +0000\ndata <<E\ncommit {number}\nE\n"
            )
            lines += [f"from :{commit.parents[0] + 1}\n"] if commit.parents else []
            lines += [f"merge :{parent + 1}\n" for parent in commit.parents[1:]]
            lines.append("deleteall\n")
            lines += [
                f"M 100644 inline {path}\ndata <<E\n{file.text()}E\n" for path, file in commit.tree.items()
            ]
            lines.append("\n")
        marks = root / ".git/marks"
        subprocess.run(
            ["git", "fast-import", "--quiet", f"--export-marks={marks}"],
            cwd=root,
            input="".join(lines).encode(),
            check=True,
        )
        by_mark = dict(line.split() for line in marks.read_text().splitlines())
        return [by_mark[f":{number + 1}"] for number in range(len(self.commits))]


class GitView:
    """What git has of a history: who is in each file, and which commits changed whom."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.who: dict[str, int] = {}
        self._trees: dict[str, dict[str, str]] = {}
        listing = self._git("cat-file", "--batch-all-objects", "--batch")
        for name, data in re.findall(
            rb"^([0-9a-f]{40}) blob [0-9]+\n(.*?)(?=^[0-9a-f]{40} [a-z]+ [0-9]+\n|\Z)",
            listing,
            re.MULTILINE | re.DOTALL,
        ):
            found = _WHO.search(data)
            assert found
            self.who[name.decode()] = int(found[1])

    def _git(self, *arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, check=True).stdout

    def tree(self, commit: str) -> dict[str, str]:
        """The blob of each file."""
        if commit not in self._trees:
            rows = self._git("ls-tree", "-r", commit, "definitions").decode().splitlines()
            self._trees[commit] = {row.split("\t")[1]: row.split()[2] for row in rows}
        return self._trees[commit]

    def changed(self, head: str) -> Iterator[tuple[str, int]]:
        """Each commit up to `head`, merges excepted, with each definition to which it gave another content."""
        log = self._git(
            "log", "--no-merges", "--raw", "--no-renames", "--no-abbrev", "--root", "--format=commit %H", head
        ).decode()
        for part in log.split("commit ")[1:]:
            commit, *rows = part.split("\n")
            facts = [row.split() for row in rows if row.startswith(":")]
            before = {self.who[one[2]]: one[2] for one in facts if one[2].strip("0")}
            after = {self.who[one[3]]: one[3] for one in facts if one[3].strip("0")}
            yield from ((commit, who) for who, blob in after.items() if before.get(who) != blob)

    def merges(self, head: str) -> set[str]:
        """The commits with several parents."""
        return set(self._git("rev-list", "--merges", head).decode().split())
