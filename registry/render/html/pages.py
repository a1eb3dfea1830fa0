"""Renders pages from templates.

The frame that many pages share is rendered once. Pages that differ only in their texts are filled in.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import DictLoader, Environment, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from registry.errors import UsageError
from registry.render.html.bytecode_cache import CompiledTemplates
from registry.render.html.filled_template import FilledTemplate, Texts, fill_all, slots_for, values_of
from registry.render.html.marks import mark_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

# The blocks of base.html, in order. The frame has a marker for each block, which no page can contain.
_BLOCKS = ("title", "banner", "main", "built")
_FRAME = '{% extends "base.html" %}' + "".join(
    f"{{% block {block} %}}\0{block}\0{{% endblock %}}" for block in _BLOCKS
)
_NAME_OF_FRAME = "frame.html"
_PARTS = "parts.html"
_BETWEEN = re.compile(f"\0(?:{'|'.join(_BLOCKS)})\0")

# Maximum sizes of the caches: more entries are unlikely to be used again.
_MOST_SKELETONS = 1_000
_MOST_WORDS = 2_000


class _Frame(NamedTuple):
    """A page without its blocks.

    `parts` is the text before, between and after the blocks, `variables` are those of every page, and
    `defaults` are the blocks for pages that do not define them.
    """

    parts: tuple[str, ...]
    variables: dict[str, Any]
    defaults: Mapping[str, Callable[[Any], Iterator[str]]]


class Templates:
    """A set of templates and the output of their macros.

    Depends only on the templates, so threads and snapshots share it.
    """

    def __init__(self, texts: Mapping[str, str], *, is_own: bool) -> None:
        """Take the templates by name; `is_own` means that some of them belong to the registry."""
        # Pull requests can change a registry's own templates: the sandbox limits them to their page.
        environment_class = ImmutableSandboxedEnvironment if is_own else Environment
        self.environment: Environment = environment_class(
            loader=DictLoader(dict(texts) if is_own else {**texts, _NAME_OF_FRAME: _FRAME}),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            keep_trailing_newline=True,
            bytecode_cache=None if is_own else CompiledTemplates(),
        )
        self.is_own = is_own
        # Skeletons by macro, its constant arguments, and which texts are present.
        self._skeletons: dict[tuple[Hashable, ...], FilledTemplate] = {}
        # Output of macros for single words.
        self._words: dict[tuple[str, str], bytes] = {}

    def fill_macro(self, macro: str, texts: Texts, **constant: str) -> bytes:
        """Return the output of a macro of parts.html whose first argument has only texts as attributes.

        A macro `a:b` is the macro b of a.html.
        Raises UsageError when the macro is missing or has different parameters.
        """
        return self.fill_macros(macro, (texts,), **constant)[0]

    def fill_each(self, macro: str, items: Iterable[Texts], **constant: str) -> bytes:
        """Return the joined output of `fill_macro` for each item."""
        return b"".join(self.fill_macros(macro, items, **constant))

    def words(self, macro: str, words: Iterable[str]) -> bytes:
        """Return the joined output of a macro that shows one word (its `name`).

        The output is cached: there are few badges and tags, and they are on many pages.
        """
        known = self._words
        return b"".join([known.get((macro, word)) or self._word(macro, word) for word in words])

    def _word(self, macro: str, word: str) -> bytes:
        if len(self._words) >= _MOST_WORDS:
            self._words.clear()
        found = self._words[macro, word] = self.fill_macro(macro, {"name": word})
        return found

    def fill_macros(self, macro: str, items: Iterable[Texts], **constant: str) -> list[bytes]:
        """Return the output of `fill_macro` for each item."""
        if self.is_own:
            return [self._macro(macro, values_of(item), constant).encode() for item in items]
        skeletons = []
        for item in items:
            key = (macro, *constant.values(), *map(bool, item.values()))
            skeleton = self._skeletons.get(key)
            if skeleton is None:
                if len(self._skeletons) >= _MOST_SKELETONS:
                    self._skeletons.clear()
                skeleton = self._skeletons[key] = FilledTemplate(
                    self._macro(macro, slots_for(item), constant), item
                )
            skeletons.append((skeleton, item))
        return fill_all(skeletons)

    def _macro(self, macro: str, texts: Mapping[str, str], constant: Mapping[str, str]) -> str:
        stem, _, name = macro.rpartition(":")
        file = f"{stem}.html" if stem else _PARTS
        try:
            made: str = getattr(self.environment.get_template(file).module, name)(
                SimpleNamespace(**texts), **constant
            )
        except (AttributeError, TypeError) as error:
            message = f"site_templates/{file}: the macro `{name}` is missing or has different parameters"
            raise UsageError(message, "compare the file with the program's own, or remove it") from error
        return made


class PageTemplates:
    """Renders the pages of one snapshot.

    Frames and filled templates include its title and navigation, so snapshots do not share them.
    """

    def __init__(self, templates: Templates, everywhere: Mapping[str, Any]) -> None:
        """Take the variables of all pages; they must not change afterwards."""
        self.templates = templates
        self._everywhere = everywhere
        self._frames: dict[str, _Frame] = {}
        # Skeletons by everything that a page depends on except its texts: template, path to the root, kind,
        # and which texts are present.
        self._skeletons: dict[tuple[Hashable, ...], FilledTemplate] = {}

    def render(self, name: str, root: str, context: Mapping[str, Any]) -> bytes:
        """Render one page.

        `root` is the relative path to the root of the site, `context` are the variables of this page only.
        """
        template = self.templates.environment.get_template(name)
        # In the built-in templates, base.html does not depend on the page outside of its blocks, and a block
        # does not depend on variables set outside of it. Rendering the frame takes four fifths of the time of
        # a revision's page.
        if self.templates.is_own or not template.blocks:
            return mark_signed(template.render(root=root, **self._everywhere, **context).encode())
        frame = self._frames.get(root) or self._add_frame(root)
        shown = template.new_context({**frame.variables, **context}, shared=True)
        filled = [frame.parts[0]]
        for block, part in zip(_BLOCKS, frame.parts[1:], strict=True):
            filled.extend((template.blocks.get(block) or frame.defaults[block])(shown))
            filled.append(part)
        return mark_signed("".join(filled).encode())

    def fill(self, name: str, root: str, kind: Mapping[str, Any], texts: Texts) -> bytes:
        """Render one page of a template that only shows texts and tests their presence.

        A text `revision.subject` is an attribute in the template. `kind` is what pages of one kind have in
        common.
        """
        if self.templates.is_own:
            return self.render(name, root, {"kind": kind, **_with_attributes(values_of(texts))})
        key = (name, root, kind["name"], *map(bool, texts.values()))
        skeleton = self._skeletons.get(key)
        if skeleton is None:
            if len(self._skeletons) > _MOST_SKELETONS:
                self._skeletons.clear()
            page = self.render(name, root, {"kind": kind, **_with_attributes(slots_for(texts))})
            skeleton = self._skeletons[key] = FilledTemplate(page.decode(), texts)
        return mark_signed(skeleton.filled(texts))

    def _add_frame(self, root: str) -> _Frame:
        environment = self.templates.environment
        variables = {**environment.globals, "root": root, **self._everywhere}
        page = environment.get_template(_NAME_OF_FRAME).render(root=root, **self._everywhere)
        parts = tuple(_BETWEEN.split(page))
        assert len(parts) == len(_BLOCKS) + 1, "base.html lacks a block"
        frame = self._frames[root] = _Frame(parts, variables, environment.get_template("base.html").blocks)
        return frame


def _with_attributes(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the texts with `a.b` as the attribute `b` of `a`."""
    found: dict[str, Any] = {}
    for name, text in texts.items():
        of, _, attribute = name.rpartition(".")
        if of:
            setattr(found.setdefault(of, SimpleNamespace()), attribute, text)
        else:
            found[name] = text
    return found
