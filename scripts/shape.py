#!/usr/bin/env python3
"""Measure the shape of the package: sizes, import depth and cycles, complexity, line lengths.

    scripts/shape.py [PACKAGE_FOLDER]

Prints each figure with those of two similar projects, counted the same way, and the three worst places. The
figures are for information only and are not enforced: splitting code only to change a number makes it worse.
Uses only the standard library; nothing of the package is imported.
"""

import ast
import io
import statistics
import sys
import tokenize
from pathlib import Path

# pre-commit, check-jsonschema: counted on their main branches. None: not counted.
MODELS = {
    "names at the top": (29, 18),
    "import depth": (14, 10),
    "modules in import cycles": (0, 0),
    "tokens per function, median": (51, 54),
    "tokens per function, p90": (172, 126),
    "lines over 100 characters, %": (0.1, 0.1),
    "functions of complexity over 10, %": (1.9, 0),
}
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.comprehension,
    ast.Assert,
    ast.match_case,
)
NOT_CODE = {
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.COMMENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def complexity(function):
    """Cyclomatic complexity: one, plus one per branch, comprehension and further operand of `and` or `or`."""
    found = 1
    for node in ast.walk(function):
        if isinstance(node, BRANCHES):
            found += 1
        elif isinstance(node, ast.BoolOp):
            found += len(node.values) - 1
    return found


def functions(tree):
    """All functions except `typing.overload` declarations."""
    return [
        n
        for n in ast.walk(tree)
        if isinstance(n, FUNCTION) and not any("overload" in ast.unparse(d) for d in n.decorator_list)
    ]


def tokens_of(text):
    """The tokens of code as (line, type, text); comments and layout are omitted."""
    return [
        (t.start[0], t.type, t.string)
        for t in tokenize.generate_tokens(io.StringIO(text).readline)
        if t.type not in NOT_CODE
    ]


def imports_of(tree, modules):
    """Return the modules of the package that this one imports at load time.

    Imports for type checking or inside functions do not count.
    """
    found = set()

    def visit(body):
        for node in body:
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            if isinstance(node, ast.Import):
                for name in node.names:
                    module = name.name
                    while module and module not in modules:
                        module = module.rpartition(".")[0]
                    found.update({module} if module else ())
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for name in node.names:
                    whole = f"{node.module}.{name.name}"
                    found.update({whole} if whole in modules else {node.module} & modules.keys())
            elif isinstance(node, ast.If | ast.Try):
                visit(node.body)

    visit(tree.body)
    return found


def strongly_connected(graph):
    """Strongly connected components (Tarjan), each a list of modules; imported ones come first."""
    index, low, stack, parts = {}, {}, [], []

    def walk(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                walk(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = []
            while not part or part[-1] != node:
                part.append(stack.pop())
            parts.append(part)

    sys.setrecursionlimit(10_000)
    for node in graph:
        if node not in index:
            walk(node)
    return parts


def depth_of(graph, parts):
    """The longest chain of imports, in modules; a cycle counts as one."""
    place = {module: number for number, part in enumerate(parts) for module in part}
    depth = []
    for number, part in enumerate(parts):
        below = [depth[place[other]] for module in part for other in graph[module] if place[other] != number]
        depth.append(1 + max(below, default=0))
    return max(depth, default=0)


def is_table(line):
    """Return True for a `fmt: skip` that closes a data table.

    Such a line has a bracket alone, or literals in brackets.
    """
    code = line.split("#")[0].strip()
    return code[:1] in ")]}" or all(
        part.strip()[:1] in "\"'([{0123456789" for part in code.strip("()[]{},").split(",") if part.strip()
    )


def share(part, whole, digits=1):
    """A percentage."""
    return round(100 * part / max(1, whole), digits)


def measure(folder):
    """The figures by name, and the worst places behind some of them."""
    folder = Path(folder).resolve()
    modules, trees, texts = {}, {}, {}
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(path.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__")
        modules[name] = path
        texts[name] = path.read_text(encoding="utf-8")
        trees[name] = ast.parse(texts[name])
    graph = {name: imports_of(tree, modules) - {name} for name, tree in trees.items()}
    parts = strongly_connected(graph)
    counts, complex_ones, lengths, comments, skips = [], [], [], 0, []
    long_lines, over_100 = [], 0
    for name, text in texts.items():
        lines = text.splitlines()
        lengths.append(len(lines))
        comments += sum(line.lstrip().startswith("#") for line in lines)
        over_100 += sum(len(line) > 100 for line in lines)
        long_lines += [f"{name}:{n}" for n, line in enumerate(lines, 1) if len(line) > 110]
        skips += [
            f"{name}:{n}" for n, line in enumerate(lines, 1) if "fmt: skip" in line and not is_table(line)
        ]
        code = tokens_of(text)
        for function in functions(trees[name]):
            first = min([function.lineno] + [d.lineno for d in function.decorator_list])
            counts.append(sum(first <= line <= function.end_lineno for line, _, _ in code))
            complex_ones += [(complexity(function), f"{name}:{function.lineno} {function.name}")]
    total, counts = sum(lengths), sorted(counts)
    tops = {
        p.stem if p.suffix == ".py" else p.name
        for p in folder.iterdir()
        if (p.suffix == ".py" and p.stem not in ("__init__", "__main__", "py"))
        or (p.is_dir() and p.name != "__pycache__" and any(p.rglob("*.py")))
    }
    figures = {
        "modules": len(modules),
        "lines": total,
        "functions": len(counts),
        "names at the top": len(tops),
        "import depth": depth_of(graph, parts),
        "modules in import cycles": sum(len(part) for part in parts if len(part) > 1),
        "tokens per function, median": statistics.median(counts),
        "tokens per function, p90": counts[len(counts) * 9 // 10],
        "lines over 110 characters": len(long_lines),
        "lines over 100 characters, %": share(over_100, total),
        "fmt: skip outside data tables": len(skips),
        "functions of complexity over 10, %": share(sum(c > 10 for c, _ in complex_ones), len(complex_ones)),
        "comment lines, %": share(comments, total),
    }
    worst = {
        "modules in import cycles": [", ".join(part) for part in parts if len(part) > 1],
        "lines over 110 characters": long_lines,
        "fmt: skip outside data tables": skips,
        "functions of complexity over 10, %": [
            f"{c} {where}" for c, where in sorted(complex_ones, reverse=True)
        ],
    }
    return figures, worst


def main():
    """Print the figures."""
    figures, worst = measure(sys.argv[1] if len(sys.argv) > 1 else "registry")
    for name, figure in figures.items():
        models = MODELS.get(name)
        beside = f"   (pre-commit {models[0]}, check-jsonschema {models[1]})" if models else ""
        print(f"{name}: {figure}{beside}")
        for example in worst.get(name, [])[:3]:
            print(f"    {example}")


if __name__ == "__main__":
    main()
