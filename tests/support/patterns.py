"""Whether a regular expression takes linear time: a lint over what Python's own parser makes of it, and its worst texts.

The lint is stricter than the truth. It refuses three shapes, each with a repeat that has no limit:

- a repeat in a repeat (or two in a row) that may share one text in more than one way: exponential or quadratic;
- alternatives within a repeat that may start with the same character;
- for a search: a repeat that may start at many places of the text that it runs over and that something behind it can fail:
  quadratic. A lookbehind that keeps matches from starting inside the run, or a character before it that the run cannot
  contain, makes it linear.
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from re import _constants as c  # type: ignore[attr-defined]  # isort: skip
from re import _parser as parser  # type: ignore[attr-defined]  # isort: skip

SIZE = 256 * 1024
_MOST_PARTS = 6
_BOUNDED = 4096  # up to so many, a repeat is a constant
_SEARCHES = frozenset(("search", "finditer", "findall", "sub", "subn", "split"))
_METHODS = _SEARCHES | {"match", "fullmatch"}
_ALPHABET = frozenset((*range(0x180), 0x3B1, 0x660, 0x2002, 0x2028, 0x2066, 0x3042, 0xD800, 0xFEFF, 0x1F600))
_WORD = re.compile(r"\w")
_CATEGORIES = {
    c.CATEGORY_DIGIT: r"\d",
    c.CATEGORY_NOT_DIGIT: r"\D",
    c.CATEGORY_SPACE: r"\s",
    c.CATEGORY_NOT_SPACE: r"\S",
    c.CATEGORY_WORD: r"\w",
    c.CATEGORY_NOT_WORD: r"\W",
}
Set = frozenset[int]
Nodes = tuple[Any, ...]


@dataclass(frozen=True)
class Used:
    """A pattern of the package: where it is, and whether anything searches with it (rather than match at one place)."""

    where: str
    pattern: str | bytes
    flags: int
    searches: bool


@dataclass
class _Lint:
    flags: int
    searches: bool
    found: list[str]

    def chars(self, nodes: Iterable[Any]) -> Set:
        """Every character that these can consume."""
        return frozenset().union(*(self._chars(node) for node in nodes))

    def _chars(self, node: Any) -> Set:
        op, _value = node
        if op in (c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN, c.CATEGORY, c.RANGE):
            return self._single(node)
        return (
            frozenset().union(*(self.chars(part) for part in _parts(node)))
            if op not in (c.ASSERT, c.ASSERT_NOT, c.AT)
            else frozenset()
        )

    def _single(self, node: Any) -> Set:
        op, value = node
        if op is c.LITERAL:
            found = {value}
        elif op is c.RANGE:
            found = {one for one in _ALPHABET if value[0] <= one <= value[1]} | {value[0], value[1]}
        elif op is c.NOT_LITERAL:
            return _ALPHABET - self._cased({value})
        elif op is c.ANY:
            return _ALPHABET if self.flags & re.DOTALL else _ALPHABET - {10}
        elif op is c.CATEGORY:
            return frozenset(one for one in _ALPHABET if re.match(_CATEGORIES[value], chr(one)))
        else:
            negated = value[0][0] is c.NEGATE
            inside = frozenset().union(*(self._single(one) for one in value[negated:]))
            return _ALPHABET - inside if negated else inside
        return self._cased(found)

    def _cased(self, found: set[int]) -> Set:
        if not self.flags & re.IGNORECASE:
            return frozenset(found)
        return frozenset(
            ord(one)
            for each in found
            for one in (chr(each), chr(each).lower(), chr(each).upper())
            if len(one) == 1
        )

    def must_leave(self, nodes: Iterable[Any], inside: Set) -> bool:
        """True when whatever these match holds a character that is not in `inside`."""
        return any(self._must_leave(node, inside) for node in nodes)

    def _must_leave(self, node: Any, inside: Set) -> bool:
        op, value = node
        if op in (c.ASSERT, c.ASSERT_NOT, c.AT):
            return False
        if op is c.BRANCH:
            return all(self.must_leave(branch, inside) for branch in value[1])
        if op in _REPEATS:
            return bool(value[0]) and self.must_leave(value[2], inside)
        parts = _parts(node)
        return self.must_leave(parts[0], inside) if parts else not self._single(node) & inside

    def first(self, nodes: Sequence[Any]) -> Set:
        """Characters that what these match may start with."""
        found: Set = frozenset()
        for node in nodes:
            op, value = node
            if op is c.BRANCH:
                found |= frozenset().union(*(self.first([*branch]) for branch in value[1]))
            elif parts := _parts(node):
                found |= self.first([*parts[0]]) if op not in (c.ASSERT, c.ASSERT_NOT) else frozenset()
            elif op is not c.AT:
                found |= self._single(node)
            if not _is_nullable(node):
                break
        return found

    def check(self, nodes: Nodes, before: Nodes, after: Nodes, *, in_loop: bool) -> None:
        """Look at a sequence; `before` and `after` is what else is matched in front of it and behind it."""
        for place, node in enumerate(nodes):
            op, value = node
            head, tail = (*before, *nodes[:place]), (*nodes[place + 1 :], *after)
            if op is c.BRANCH:
                branches = [tuple(one) for one in value[1]]
                if in_loop:
                    firsts = [self.first((*one, *tail)) for one in branches]
                    if any(a & b for number, a in enumerate(firsts) for b in firsts[number + 1 :]):
                        self.found.append("alternatives in a repeat start alike")
                for one in branches:
                    self.check(one, head, tail, in_loop=in_loop)
            elif op in _REPEATS:
                self._check_repeat(node, head, tail, in_loop=in_loop)
            elif op in (c.ASSERT, c.ASSERT_NOT):
                inside = tuple(value[1])
                if value[0] > 0:
                    self.check(inside, head, ((c.NOT_LITERAL, -1),), in_loop=in_loop)
            else:
                for part in _parts(node):
                    atomic = op is c.ATOMIC_GROUP
                    self.check(tuple(part), head, () if atomic else tail, in_loop=in_loop and not atomic)

    def _check_repeat(self, node: Any, before: Nodes, after: Nodes, *, in_loop: bool) -> None:
        op, (least, most, body) = node
        body = tuple(body)
        unlimited = most > _BOUNDED
        own = self.chars(body)
        if (unlimited or (in_loop and least != most)) and op is not c.POSSESSIVE_REPEAT:
            self._check_end(body, after, in_loop=in_loop)
        if unlimited and self.searches:
            self._check_start(own, before, after)
        loops = most > 1 and (unlimited or in_loop)
        if loops and all(_is_nullable(one) for one in body):
            self.found.append("a repeat of what may be empty")
        if op is c.POSSESSIVE_REPEAT:
            after = ()
        self.check(
            body, (*before, *body) if loops else before, (*body, *after) if loops else after, in_loop=loops
        )

    def _check_end(self, body: Nodes, after: Nodes, *, in_loop: bool) -> None:
        """Where the repeat ends must be certain, or nothing behind it may take up the same characters without limit."""
        own = self.chars(body)
        if not self.first(after) & self.first(body) or (_cannot_fail(after) and not in_loop):
            return
        for node in after:
            if self._must_leave(node, own):
                return
            if _is_variable(node, unlimited=not in_loop) and self._chars(node) & own:
                self.found.append("two repeats may share one text in several ways")
                return

    def _check_start(self, own: Set, before: Nodes, after: Nodes) -> None:
        if not _cannot_fail(after) and not any(self._guards(node, own) for node in before):
            self.found.append("a search may start it at many places of one run")

    def _guards(self, node: Any, own: Set) -> bool:
        """True when no match can start within a run of `own` characters that a match from further left runs over."""
        op, value = node
        if op is c.AT:
            is_line = value is c.AT_BEGINNING and self.flags & re.MULTILINE
            return value in (c.AT_BEGINNING, c.AT_BEGINNING_STRING) and not (is_line and 10 in own)
        if op is c.ASSERT_NOT:
            return value[0] < 0 and own <= self.chars(value[1])
        if op is c.ASSERT:
            return value[0] < 0 and not own & self.chars(value[1])
        if op is c.BRANCH:
            return all(any(self._guards(one, own) for one in branch) for branch in value[1])
        if op in (c.SUBPATTERN, c.ATOMIC_GROUP):
            return any(self._guards(one, own) for one in _parts(node)[0])
        return self._must_leave(node, own)


def _cannot_fail(nodes: Nodes) -> bool:
    return all(_is_nullable(node) and node[0] not in (c.AT, c.ASSERT, c.ASSERT_NOT) for node in nodes)


_REPEATS = (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT)


def _parts(node: Any) -> list[Any]:
    op, value = node
    if op is c.SUBPATTERN:
        return [value[3]]
    if op in _REPEATS:
        return [value[2]]
    if op is c.BRANCH:
        return list(value[1])
    if op is c.ATOMIC_GROUP:
        return [value]
    if op in (c.ASSERT, c.ASSERT_NOT):
        return [value[1]]
    if op in (c.GROUPREF, c.GROUPREF_EXISTS, c.GROUPREF_IGNORE):
        raise NotImplementedError("back references are not linear")
    return []


def _is_nullable(node: Any) -> bool:
    op, value = node
    if op in (c.ASSERT, c.ASSERT_NOT, c.AT):
        return True
    if op in _REPEATS:
        return value[0] == 0 or all(map(_is_nullable, value[2]))
    if op is c.BRANCH:
        return any(all(map(_is_nullable, one)) for one in value[1])
    parts = _parts(node)
    return bool(parts) and all(map(_is_nullable, parts[0]))


def _is_variable(node: Any, *, unlimited: bool) -> bool:
    op, value = node
    if op in (c.ASSERT, c.ASSERT_NOT):
        return False
    if op in _REPEATS and (value[1] > _BOUNDED if unlimited else value[0] != value[1]):
        return True
    return any(_is_variable(one, unlimited=unlimited) for part in _parts(node) for one in part)


def lint(pattern: str | bytes, flags: int = 0, *, searches: bool = True) -> list[str]:
    """What is not linear in a pattern, in words; empty when nothing is."""
    parsed = parser.parse(pattern, flags)
    found = _Lint(parsed.state.flags, searches, [])
    found.check(tuple(parsed), (), (), in_loop=False)
    return sorted(set(found.found))


# Worst texts


def worst_texts(pattern: str | bytes, flags: int = 0, size: int = SIZE) -> list[str]:
    """Texts that make each repeat of a pattern run as far and as often as it can, and then fail."""
    parsed = parser.parse(pattern, flags)
    helper = _Lint(parsed.state.flags, True, [])
    parts: set[tuple[str, str]] = {("", "a"), ("", " "), ("", "=")}
    _pumps(tuple(parsed), "", helper, parts)
    texts: dict[str, None] = {}
    ordered = sorted(parts, key=lambda part: (len(part[0] + part[1]), part))
    for head, pump in ordered[:: max(1, len(ordered) // _MOST_PARTS)]:
        for unit, start in ((pump, head), (head + pump, ""), (pump + head, "")):
            body = start + unit * ((size - len(start)) // len(unit))
            texts |= dict.fromkeys((body, body + "\x01"))
    return list(texts)


def _pumps(nodes: Nodes, head: str, helper: _Lint, parts: set[tuple[str, str]]) -> None:
    for place, node in enumerate(nodes):
        op, value = node
        if op in _REPEATS and value[1] > 1:
            body = tuple(value[2])
            own, rest = helper.chars(body), helper.chars(nodes[place + 1 :])
            before = helper.chars(nodes[:place])
            if len(body) == 1 and not _parts(body[0]):
                for choice in (own & rest, own & before, own - rest - before, own):
                    parts |= {(head, chr(min(choice, key=_plainness)))} if choice else set()
            for sample in {_sample(body, helper, least=0), _sample(body, helper, least=1)} - {""}:
                parts.add((head, sample))
        for part in _parts(node):
            if op not in (c.ASSERT, c.ASSERT_NOT):
                _pumps(tuple(part), head, helper, parts)
        head += _sample((node,), helper, least=1)
        parts |= {("", head)} if head else set()


def _plainness(one: int) -> tuple[bool, int]:
    return (not (32 < one < 127), one)


def _sample(nodes: Iterable[Any], helper: _Lint, least: int) -> str:
    text = ""
    for op, value in nodes:
        if op in (c.AT, c.ASSERT, c.ASSERT_NOT):
            continue
        if op in _REPEATS:
            text += _sample(value[2], helper, least) * min(max(value[0], least), value[1])
        elif op is c.BRANCH:
            text += _sample(value[1][0], helper, least)
        elif parts := _parts((op, value)):
            text += _sample(parts[0], helper, least)
        else:
            text += chr(min(helper._single((op, value)), key=_plainness))
    return text


# All patterns of the package


def modules(package: ModuleType) -> Iterator[ModuleType]:
    yield package
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def patterns_of(package: ModuleType) -> list[Used]:
    """Every regular expression of a package: compiled ones in modules, tables of them, and those written in a call.

    Raises for one that cannot be seen: a pattern that is put together while the program runs.
    """
    trees = {
        module: ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        for module in modules(package)
    }
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    searched = {
        node.value.id
        for node in nodes
        if isinstance(node, ast.Attribute) and node.attr in _SEARCHES and isinstance(node.value, ast.Name)
    }
    found: dict[tuple[str | bytes, int], Used] = {}
    for module, tree in trees.items():
        for one in (*_in_values(module, searched), *_in_calls(module, tree)):
            known = found.get((one.pattern, one.flags))
            found[one.pattern, one.flags] = (
                replace(one, searches=True) if known is not None and known.searches else one
            )
    return list(found.values())


def _in_values(module: ModuleType, searched: set[str]) -> Iterator[Used]:
    for name, value in vars(module).items():
        if isinstance(value, re.Pattern):
            yield Used(
                f"{module.__name__}.{name}", value.pattern, value.flags & ~re.UNICODE, name in searched
            )
        elif type(value).__name__ == "Pattern" and hasattr(value, "given"):
            pattern, flags = (*value.given, 0)[:2]
            yield Used(f"{module.__name__}.{name}", pattern, int(flags), name in searched)
        elif name in ("TOKENS", "SMALL_TOKENS"):
            for what, *_, pattern in value:
                yield Used(f"{module.__name__}.{name}: {what}", pattern, 0, True)


def _in_calls(module: ModuleType, tree: ast.AST) -> Iterator[Used]:
    matched = {
        id(node.func.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("match", "fullmatch")
    }
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            continue
        method = node.func.attr
        if node.func.value.id == "re" and method in (*_METHODS, "compile"):
            used = _in_call(
                module,
                node,
                searches=method in _SEARCHES or (method == "compile" and id(node) not in matched),
            )
            if used is not None:
                yield used


def _in_call(module: ModuleType, call: ast.Call, *, searches: bool) -> Used | None:
    where, given = f"{module.__name__}:{call.lineno}", call.args[0]
    if isinstance(given, ast.Starred) or (isinstance(given, ast.Name) and given.id == "pattern"):
        return None  # from a table, which is looked at by itself
    pattern = eval(compile(ast.Expression(given), where, "eval"), dict(vars(module)))
    arguments = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
    flags = [
        eval(compile(ast.Expression(one), where, "eval"), {"re": re})
        for one in arguments
        if ast.unparse(one).startswith("re.")
    ]
    values = vars(module).values()
    if any(isinstance(value, re.Pattern) and value.pattern == pattern for value in values):
        return None  # a value of the module, where it is known how it is used
    return Used(where, pattern, int(sum(flags)), searches)
