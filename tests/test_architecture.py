"""The shape of the project holds: every module is on the map, every file of a sort is in its tuple, documents are up to date."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from registry.check.families import FAMILIES
from registry.cli import COMMANDS
from registry.reports import FORMATS
from registry.review.forges import FORGES
from tests.conftest import LONG, SLOW

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "registry"


def test_every_module_is_on_the_map() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    names = [
        path.name + ("/" if path.is_dir() else "")
        for path in PACKAGE.iterdir()
        if not path.name.startswith("_")
    ]
    missing = [
        name for name in sorted(names) if not re.search(rf"^  {re.escape(name)}\s", page, re.MULTILINE)
    ]
    assert missing == [], "add them to the folder map in docs/architecture.md"


def test_every_file_of_a_sort_is_in_its_tuple() -> None:
    not_commands = {
        "terminal",
        "lookup",
        "status",
        "streams",
        "interrupts",
        "failures",
        "options",
        "completers",
        "extras",
        "accounts",
        "rights",
        "writing",
        "sql_export",
    }
    commands = {path.stem.removesuffix("_") for path in (PACKAGE / "cli").glob("[a-z]*.py")} - not_commands
    assert commands == set(COMMANDS), "add the command to COMMANDS in registry/cli/__init__.py"
    families = {path.stem for path in (PACKAGE / "check").glob("*.py")} - {
        "rule",
        "registry_rules",
        "severity_policy",
        "detect_secrets",
        "plugins",
        "families",
        "__init__",
    }
    text = (PACKAGE / "check/families.py").read_text()
    assert families == set(re.findall(r"(\w+)\.RULES", text)), (
        "add the file's RULES to FAMILIES in registry/check/families.py"
    )
    assert len(families) == len(FAMILIES)
    reports = {path.stem for path in (PACKAGE / "reports").glob("[a-z]*.py")} - {
        "line",
        "ansi",
        "envelope",
        "review",
        "changelog",
    }
    assert reports == set(FORMATS), "add the format to FORMATS in registry/reports/__init__.py"
    forges = {path.stem for path in (PACKAGE / "review/forges").glob("[a-z]*.py")} - {"forge"}
    assert forges == set(FORGES), "add the forge to FORGES in registry/review/forges/__init__.py"


# Names that each module of a folder defines, because the modules implement the same interface.
INTERFACES = {
    "RULES": "check",
    "command": "cli",
    "forge_from": "review/forges",
    "render": "render",
    "render_one": "render",
    "target_at": "render",
    "report": "reports",
    "server_config": "scaffold/webserver",
    "EXPORTER": "exchange",
    "IMPORTER": "exchange",
}


def test_the_lists_of_long_and_slow_tests_name_what_is_there() -> None:
    missing = [name for name in (*LONG, *SLOW) if not (ROOT / "tests" / name).exists()]
    assert missing == [], "name them as they are called now in tests/conftest.py"


def is_type_variable(value: ast.expr) -> bool:
    """Such a name has a meaning only in the signatures of its module."""
    return isinstance(value, ast.Call) and ast.unparse(value.func) in ("TypeVar", "ParamSpec")


def public_names(module: ast.Module) -> set[str]:
    """The public classes, functions, constants and types that a module defines at its top."""
    found = set()
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign) and not is_type_variable(node.value):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return {name for name in found if not name.startswith("_")}


def test_no_public_name_stands_for_two_things() -> None:
    modules: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        for name in public_names(ast.parse(path.read_text(encoding="utf-8"))):
            if not file.startswith(f"{INTERFACES.get(name, '-')}/"):
                modules.setdefault(name, []).append(file)
    twice = {name: files for name, files in modules.items() if len(files) > 1}
    assert twice == {}, "rename one of them, or make it private to its module"


@pytest.mark.parametrize("name", ["rules.md", "changes.md", "commands.md", "sql.md", "exchange.md"])
def test_generated_documents_are_up_to_date(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import generate_docs  # type: ignore[import-not-found, unused-ignore]

    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert (
        written
        == {
            "rules.md": generate_docs.rules,
            "changes.md": generate_docs.changes,
            "commands.md": generate_docs.commands,
            "sql.md": generate_docs.sql,
            "exchange.md": generate_docs.exchange,
        }[name]()
    ), "run `make accept`"


def test_links_between_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not link.startswith(("http", "mailto:")):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_checking_starts_without_the_libraries_it_does_not_need() -> None:
    program = (
        "import sys; from registry.cli import main; code = main(['check', '-C', sys.argv[1]]);"
        "print(sorted({'git', 'jsonschema', 'starlette', 'uvicorn', 'jinja2', 'json5', 'watchdog'} & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
