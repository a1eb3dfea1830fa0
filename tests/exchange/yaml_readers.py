"""Reads YAML as programs of different versions of YAML do."""

from typing import Any

from ruamel.yaml import YAML


def read_yaml(text: str) -> Any:
    """Return a document that YAML 1.1, YAML 1.2 and libyaml read alike."""
    found = []
    for version in ((1, 1), (1, 2), None):
        reader = YAML(typ="safe", pure=version is not None)
        if version is not None:
            reader.version = version
        found.append(reader.load(text))
    assert found[0] == found[1] == found[2]
    return found[0]
