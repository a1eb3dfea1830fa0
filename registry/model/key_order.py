"""The usual order of the keys at the top of a definition file."""

_KEY_ORDER = (
    "id",
    "title",
    "description",
    "owners",
    "tags",
    "lifecycle",
    "deprecation",
    "links",
    "container_image",
    "container_resources",
    "interface",
    "examples",
    "ignore",
    "",
    "definition",
)


def key_rank(key: str) -> int:
    """Return the position of a key in the usual order: identity first, then owners, then the definition."""
    return _KEY_ORDER.index(key) if key in _KEY_ORDER else _KEY_ORDER.index("definition") - 1
