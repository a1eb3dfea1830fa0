"""Create a registry, or add CI files to one."""

import os
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.errors import RefusedError, UsageError
from registry.files.atomic_write import create_files
from registry.git import HEADS, RefUpdate, Repository, git_is_installed, init_repository, open_repository
from registry.git.branch_commit import advance, make_commit
from registry.load.defaults import SCHEMA_FOLDER, program_schemas
from registry.load.ledger_files import LEDGER_ATTRIBUTES
from registry.load.settings import SETTINGS_PATH, Settings, repo_url_problem
from registry.load.source import WorkTree
from registry.load.yaml.writer import flow
from registry.model.definition import LEDGER_PATH
from registry.model.repository_links import forge_of, repo_url_of
from registry.scaffold.ci import ci_files, install_command

# The files of a new registry. The names of hidden files start with "dot-", so that no tool obeys them here.
_TEMPLATES = Path(__file__).parent / "templates"
_NO_REPOSITORY = "# repo_url: https://github.com/…/…          # pages link to the files and commits there"
_FIELD = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Written:
    """Paths relative to the registry's folder: files that were written, and existing files left unchanged."""

    new: tuple[str, ...]
    kept: tuple[str, ...] = ()


def is_registry(folder: Path) -> bool:
    """Return True if `folder` already contains a registry."""
    return any((folder / name).exists() for name in ("definitions", SETTINGS_PATH))


def init_registry(
    folder: Path, title: str, forges: Sequence[str] = ("github",), install_from: str = ""
) -> Written:
    """Create a registry in `folder`, and its CI files at the top of the containing repository.

    Existing files stay unchanged. Raises RefusedError if a registry exists already.
    """
    if is_registry(folder):
        raise RefusedError(
            f"{folder} is already a registry",
            "use `registry new` to add a definition, `registry init --ci github` to add CI files",
        )
    repository = _repository_around(folder)
    files = {
        name: data
        for name, data in _registry_files(
            title, install_from, _repository_settings(folder, repository, forges)
        ).items()
        if not (folder / name).exists()
    }
    top, ci = _ci_files(folder, repository, forges, install_from)
    kept = tuple(_seen_from(folder, top, name) for name in ci if (top / name).exists())
    new = {name: data for name, data in ci.items() if not (top / name).exists()}
    # All in one call, so that a failure leaves no files behind.
    inside = "" if top == folder else f"{folder.resolve().relative_to(top.resolve()).as_posix()}/"
    create_files(top, {f"{inside}{name}": data for name, data in files.items()} | new)
    if repository is None:
        init_repository(folder)
    return Written(tuple(sorted([*files, *(_seen_from(folder, top, name) for name in new)])), kept)


def init_bare_registry(folder: Path, title: str) -> None:
    """Create a bare repository in `folder` with one commit: an empty registry, for a server that writes.

    Raises RefusedError if the folder exists and is not empty, UsageError if it is not a folder.
    """
    _ = _repository_around(folder)  # raises if git is missing
    if folder.exists() and any(folder.iterdir()):
        raise RefusedError(f"{folder} is not empty; nothing was written", "name a new folder")
    author = Settings().bot_name, Settings().bot_email
    files = {
        name: data
        for name, data in _registry_files(title, "", _NO_REPOSITORY).items()
        if name.startswith((f"{SCHEMA_FOLDER}/", SETTINGS_PATH, ".git"))
    }
    repository = init_repository(folder, bare=True)
    commit = make_commit(repository, None, {**files, LEDGER_PATH: b""}, "Start the registry\n", author)
    advance(repository, [RefUpdate(f"{HEADS}main", commit, None)], author)


def add_ci_files(folder: Path, forges: Sequence[str], install_from: str = "") -> Written:
    """Add CI files for the registry in `folder`, at the top of its repository.

    Raises RefusedError if one exists with different content.
    """
    address = install_from or WorkTree(folder).settings.install_from
    top, files = _ci_files(folder, _repository_around(folder), forges, address)
    existing = [name for name in files if os.path.lexists(top / name)]
    for name in existing:
        if not (top / name).is_file() or (top / name).read_bytes() != files[name]:
            raise RefusedError(
                f"{top / name} exists with other content; nothing was written",
                "move it away, run the command again, and merge the two by hand",
            )
    create_files(top, {name: data for name, data in files.items() if name not in existing})
    new = tuple(sorted(_seen_from(folder, top, name) for name in files if name not in existing))
    return Written(new, tuple(_seen_from(folder, top, name) for name in existing))


def _repository_around(folder: Path) -> Repository | None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    if not git_is_installed():
        raise UsageError("git is not installed", "install it, for example with `apt install git`")
    return open_repository(
        next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    )


def _ci_files(
    folder: Path, repository: Repository | None, forges: Sequence[str], install_from: str
) -> tuple[Path, dict[str, bytes]]:
    """Return the folder for CI files, and the files.

    The folder is the top of the work tree, where forges look for them, or `folder` itself without a
    repository.
    """
    inside = (
        repository.prefix_of(folder.absolute()).rstrip("/")
        if repository is not None and repository.top is not None
        else ""
    )
    top = repository.top if inside and repository is not None and repository.top is not None else folder
    texts = {path: text for forge in forges for path, text in ci_files(forge, inside, install_from).items()}
    return top, {path: text.encode() for path, text in texts.items()}


def _seen_from(folder: Path, top: Path, name: str) -> str:
    return name if top == folder else os.path.relpath(top / name, folder.resolve())


def _repository_settings(folder: Path, repository: Repository | None, forges: Sequence[str]) -> str:
    """Return the lines of registry.yaml about the repository on a forge: that of the remote `origin`."""
    if repository is None:
        return _NO_REPOSITORY
    address = repo_url_of(repository.remote_address("origin"))
    kind = "" if forge_of(address) else next((one for one in forges if len(forges) == 1), "")
    if not address or repo_url_problem(address) or not (kind or forge_of(address)):
        return _NO_REPOSITORY
    inside = repository.prefix_of(folder.absolute()).rstrip("/") if repository.top is not None else ""
    lines = [f"repo_url: {address}   # pages link to the files and commits there"]
    lines += [f"repo_type: {kind}"] * bool(kind)
    lines += [f"repo_folder: {flow(inside)}"] * bool(inside)
    return "\n".join(lines)


def _registry_files(title: str, install_from: str, repository: str) -> dict[str, bytes]:
    """Return the files of a new registry by path: the templates, filled, and copies of all schemas.

    `repository` are the settings about its repository.
    """
    values = {
        "title": title,
        "title_as_yaml": flow(title),
        "registry_id": str(uuid.uuid4()),
        "repository": repository,
        "install": install_command(install_from, "serve"),
        "install_from": f"install_from: {install_from}"
        if install_from
        else "# install_from: https://…/process-registry.git@v1.0.0   # address from which CI installs it",
    }
    texts = {_path_of(file): _filled(file, values) for file in _files_below(_TEMPLATES, "*")}
    texts[".gitattributes"] = "".join(LEDGER_ATTRIBUTES)
    files = {name: text.encode() for name, text in texts.items()}
    for path, file in program_schemas(()).items():
        files[f"{SCHEMA_FOLDER}/{path}"] = file.read_bytes()
    return files


def _files_below(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for file in folder.rglob(pattern) if file.is_file())


def _path_of(template: Path) -> str:
    return re.sub(r"\bdot-", ".", template.relative_to(_TEMPLATES).as_posix())


def _filled(template: Path, values: dict[str, str]) -> str:
    """Return the text with the values for `{name}`; all other braces are part of the text."""
    text = template.read_text(encoding="utf-8")
    return _FIELD.sub(lambda found: values.get(found[1], found[0]), text)
