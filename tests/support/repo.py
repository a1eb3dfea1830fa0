"""Builds real git repositories with a fixed clock and author, so that commits have the same ids every time."""

import os
import shutil
import subprocess
from pathlib import Path

PROCESS = "title: {title}\nowners: [team]\ndefinition:\n  exec: /bin/{name}\n"
APPLICATION = "title: App\nowners: [team]\ndefinition:\n  mappings: {hotel: {iaas_image: image, iaas_allocation: small}}\n"


class RepoBuilder:
    """A git repository that is a registry."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = 1_700_000_000
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    @classmethod
    def at(cls, root: Path, clock: int) -> "RepoBuilder":
        """A repository that is there already."""
        found = cls.__new__(cls)
        found.root, found.clock = root, clock
        return found

    def copied_to(self, root: Path) -> "RepoBuilder":
        """A copy of all files, which a test may change."""
        shutil.copytree(self.root, root, symlinks=True)
        return RepoBuilder.at(root, self.clock)

    def git(self, *arguments: str, ok: bool = True) -> str:
        """Run git here; gives what it printed."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root.parent),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Ana Autor",
            "GIT_AUTHOR_EMAIL": "ana@example.org",
            "GIT_COMMITTER_NAME": "Ana Autor",
            "GIT_COMMITTER_EMAIL": "ana@example.org",
            "GIT_AUTHOR_DATE": f"@{self.clock} +0200",
            "GIT_COMMITTER_DATE": f"@{self.clock} +0200",
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        if ok and done.returncode:
            raise AssertionError(f"git {arguments} failed: {done.stderr}")
        return done.stdout.strip()

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def define(self, name: str, text: str | None = None, kind: str = "process_definition") -> Path:
        """Write a definition; without a text a small good one."""
        stem = name.rsplit("/", 1)[-1]
        default = (
            PROCESS.format(title=stem.capitalize(), name=stem)
            if kind == "process_definition"
            else APPLICATION
        )
        return self.write(f"definitions/{kind}/{name}.yaml", text if text is not None else default)

    def commit(self, message: str = "change") -> str:
        """Commit everything; gives the commit's id."""
        self.clock += 3600
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")
