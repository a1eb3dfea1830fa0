"""What exports to containers share: image, resources, ports, and the metadata of a definition as texts."""

import json
import math
from typing import Any

from registry.exchange.exporter import Exportable, NotExportableError
from registry.exchange.fields import Loss, adapter
from registry.exchange.messages import message_file
from registry.exchange.quantities import core_count
from registry.model.values import map_of, text_of

IMAGE_LIMIT = "a definition without an application, or whose application has no `container_image`"
"""What formats that start containers refuse, in Markdown."""

_METADATA = ("title", "description", "owners", "tags", "lifecycle", "deprecation", "links")


def image_of(one: Exportable) -> str:
    """Return the container image of a definition's application. Raises NotExportableError without one."""
    image = text_of(map_of(one.application).get("container_image"))
    if image:
        return image
    name = text_of(one.inside.get("application"))
    if name:
        raise NotExportableError(
            "/definition/application", f"the application {name} has no container_image to start"
        )
    raise NotExportableError("/definition", "it has no application whose container_image could be started")


def thousandths_of_a_core(one: Exportable) -> int | None:
    """Return how much of a core the container may use, rounded up; None if there is no limit."""
    cpu = map_of(map_of(one.application).get("container_resources")).get("cpu")
    return None if cpu is None else math.ceil(core_count(cpu) * 1000)


def memory_of(one: Exportable) -> str:
    """Return how much memory the container may use, as written; "" if there is no limit."""
    return text_of(map_of(map_of(one.application).get("container_resources")).get("memory"))


def metadata_texts(one: Exportable) -> dict[str, str]:
    """Return identity and metadata of a definition as texts by name. Lists and maps are JSON."""
    found = {"name": one.name}
    if one.id is not None:
        found["id"] = str(one.id)
    if one.commit:
        found |= {"revision": str(one.revision), "commit": one.commit}
    if application := text_of(one.inside.get("application")):
        found["application"] = application
    for key in _METADATA:
        value = one.document.get(key)
        if value not in (None, "", [], {}):
            found[key] = value if isinstance(value, str) else compact_json(value)
    return found


def compact_json(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def extensions_of(one: Exportable) -> dict[str, Any]:
    """Return the keys `x-…` of a definition."""
    return {key: value for key, value in one.inside.items() if key.startswith("x-")}


def fixed_files(one: Exportable) -> list[Loss]:
    """Return the files with fixed paths that a runner would write and read, which a volume must contain."""
    sides = [message_file(one.document, side) for side in ("input", "output")]
    return [
        Loss(f"/definition/{file.side}_adapter", f"mount a volume that contains {file.path}")
        for file in sides
        if file and file.is_fixed
    ]


def keeps_input_open(one: Exportable) -> bool:
    """True for a process that reads messages from its standard input as long as it runs."""
    type_, parameters = adapter(one.document, "input")
    return type_ == "stream" and parameters.get("stream_name") == "STDIN"


def listening_ports(one: Exportable) -> list[tuple[int, str]]:
    """Return number and protocol, `tcp` or `udp`, of the ports that the process listens on."""
    found: list[tuple[int, str]] = []
    for side in ("input", "output"):
        type_, parameters = adapter(one.document, side)
        # Of `http`, the runner connects for the input. For an output without `reply`, the process does.
        listens = (type_ == "port" and parameters.get("role") != "listen") or (type_, side) == (
            "http",
            "input",
        )
        for protocol in ("tcp", "udp"):
            port = parameters.get(f"{protocol}_port")
            if listens and isinstance(port, int) and (port, protocol) not in found:
                found.append((port, protocol))
    return found
