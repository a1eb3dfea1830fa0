"""Templates to pages, the frame that many pages share made once."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from jinja2 import DictLoader, Environment, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

# The blocks of base.html, in the order in which they stand there. In their places a frame has what no page can hold.
_BLOCKS = ("title", "banner", "main")
_FRAME = '{% extends "base.html" %}' + "".join(f"{{% block {block} %}}\0{block}\0{{% endblock %}}" for block in _BLOCKS)
_BETWEEN = re.compile(f"\0(?:{'|'.join(_BLOCKS)})\0")


class _Frame(NamedTuple):
    """A page around its blocks: what stands before, between and behind them, the variables that every page has, and the
    blocks where a page has none of its own."""

    parts: tuple[str, ...]
    variables: dict[str, Any]
    defaults: Mapping[str, Callable[[Any], Iterator[str]]]


class Pages:
    """Renders pages from a set of templates."""

    def __init__(self, texts: Mapping[str, str], functions: Mapping[str, Callable[..., Any]], *, is_own: bool) -> None:
        """`texts` by name; `is_own`: some are the registry's own, which may do anything that Jinja2 allows in its sandbox."""
        # A registry's own templates come with pull requests: they must not reach out of the page they make.
        environment_class = ImmutableSandboxedEnvironment if is_own else Environment
        self._environment: Environment = environment_class(
            loader=DictLoader(dict(texts)), autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
        )
        self._environment.globals.update(functions)
        self._is_own = is_own
        self._frames: tuple[Mapping[str, Any], dict[str, _Frame]] = ({}, {})

    def render(self, name: str, root: str, everywhere: Mapping[str, Any], context: Mapping[str, Any]) -> bytes:
        """One page: `root` is the way to the top, `everywhere` are the variables of all pages, `context` those of this one."""
        template = self._environment.get_template(name)
        # Of our own templates it is known that base.html says nothing of the single page around its blocks, and that a block
        # needs nothing from outside of it: making the frame takes four fifths of the time of a revision's page.
        if self._is_own or not template.blocks:
            return template.render(root=root, **everywhere, **context).encode()
        frame = self._frame(root, everywhere)
        shown = template.new_context({**frame.variables, **context}, shared=True)
        filled = [frame.parts[0]]
        for block, part in zip(_BLOCKS, frame.parts[1:], strict=True):
            filled.extend((template.blocks.get(block) or frame.defaults[block])(shown))
            filled.append(part)
        return "".join(filled).encode()

    def macros(self, name: str) -> Any:
        """The macros of a template, to be called as functions that give markup."""
        return self._environment.get_template(name).module

    def _frame(self, root: str, everywhere: Mapping[str, Any]) -> _Frame:
        of, frames = self._frames
        if of is not everywhere:
            frames = {}
            self._frames = (everywhere, frames)
        if root not in frames:
            variables = {**self._environment.globals, "root": root, **everywhere}
            page = self._environment.from_string(_FRAME).render(root=root, **everywhere)
            parts = tuple(_BETWEEN.split(page))
            assert len(parts) == len(_BLOCKS) + 1, "base.html has lost a block"
            frames[root] = _Frame(parts, variables, self._environment.get_template("base.html").blocks)
        return frames[root]
