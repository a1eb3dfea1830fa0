"""Bundle a JSON Schema: one self-contained document from a schema file and the files that it refers to."""

import posixpath
from collections.abc import Mapping
from typing import Any


def bundle(path: str, documents: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema at `path` with every schema file it refers to embedded under its `$defs`.

    `documents` are all schema files by path below `schema/`. References are plain `#/$defs/…` rather than
    embedded `$id`s, because editors do not follow those. Raises ValueError for a reference to anything but a
    file below `schema/`: nothing is ever fetched.
    """
    return _Bundler(path, documents).bundled()


class _Bundler:
    """Rewrites references, and remembers the files that they lead to."""

    def __init__(self, path: str, documents: Mapping[str, Any]) -> None:
        self._path = path
        self._documents = documents
        # In the order of the first reference; each file is embedded once, so circular references end.
        self._files = {path: None}

    def bundled(self) -> dict[str, Any]:
        """Return the schema with its parts. Raises ValueError as `bundle` does."""
        main = self._rewritten_file(self._path)
        embedded: dict[str, Any] = {}
        done = 1
        while done < len(self._files):  # rewriting a file may add more files
            file = list(self._files)[done]
            document = self._rewritten_file(file)
            document.pop("$schema", None)
            embedded[_embedded_name(file)] = document
            done += 1
        return main | {"$defs": main.get("$defs", {}) | dict(sorted(embedded.items()))}

    def _rewritten_file(self, file: str) -> dict[str, Any]:
        # An `$id` would become the base of the rewritten references.
        document = {key: value for key, value in self._documents[file].items() if key != "$id"}
        rewritten: dict[str, Any] = self._rewritten(document, file)
        return rewritten

    def _rewritten(self, node: Any, file: str) -> Any:
        """Return a part of `file` with its references rewritten."""
        if isinstance(node, list):
            return [self._rewritten(item, file) for item in node]
        if not isinstance(node, dict):
            return node
        return {
            key: self._reference(value, file)
            if key == "$ref" and isinstance(value, str)
            else self._rewritten(value, file)
            for key, value in node.items()
        }

    def _reference(self, reference: str, file: str) -> str:
        """Return a reference in `file` as a reference in the bundle."""
        name, _, pointer = reference.partition("#")
        if ":" in name or name.startswith("/"):
            raise ValueError(
                f"`$ref: {reference}` is not a file below schema/; remote schemas are never fetched"
            )
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), name)) if name else file
        if target not in self._documents:
            raise ValueError(f"`$ref: {reference}` refers to a missing file below schema/")
        self._files.setdefault(target)
        if pointer and not pointer.startswith("/"):
            return f"#{pointer}"  # an anchor, which moves with its schema
        prefix = "" if target == self._path else f"/$defs/{_embedded_name(target)}"
        return f"#{prefix}{pointer}"


def _embedded_name(path: str) -> str:
    return path.removesuffix(".schema.json").replace("/", "-")
