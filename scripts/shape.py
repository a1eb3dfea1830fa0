"""Prints how `registry/` is shaped: modules, lines, functions, and which are worth a second look."""

import ast
import statistics
from pathlib import Path


def main() -> None:
    """Print the figures."""
    modules, functions, comments, lines_in_all = [], [], 0, 0
    for path in sorted(Path("registry").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        lines_in_all += len(lines)
        comments += sum(line.lstrip().startswith("#") for line in lines)
        if len(lines) > 3:
            modules.append((len(lines), str(path)))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append(((node.end_lineno or 0) - node.lineno + 1, f"{path}:{node.lineno} {node.name}"))
    lengths = sorted(length for length, _ in functions)
    print(f"{len(modules)} modules, {lines_in_all:,} lines, {100 * comments / lines_in_all:.1f} % comment lines")
    print(f"lines a module: median {statistics.median(length for length, _ in modules):.0f}, largest {max(modules)}")
    print(f"lines a function: median {statistics.median(lengths):.0f}, 90th percentile {lengths[len(lengths) * 9 // 10]}")
    print("longest functions:")
    for length, name in sorted(functions, reverse=True)[:8]:
        print(f"  {length:4d} {name}")


if __name__ == "__main__":
    main()
