"""Compose files, as Docker and Podman read them: one service for each process.

Source of the format: the Compose specification, "Services top-level elements" and "Interpolation".
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from registry.errors import UsageError
from registry.exchange.container import (
    IMAGE_LIMIT,
    extensions_of,
    fixed_files,
    image_of,
    keeps_input_open,
    listening_ports,
    memory_of,
    metadata_texts,
    thousandths_of_a_core,
)
from registry.exchange.exporter import Exportable, ExportedText, Exporter, NotExportableError
from registry.exchange.fields import Carried, FieldTable, Lost, is_reference, losses
from registry.exchange.narrow_name import narrow_name
from registry.exchange.quantities import memory_bytes
from registry.exchange.quoted_yaml import quoted_yaml
from registry.exchange.wrapped_command import WRAPPER_FILE, WRAPPER_LIMITS, wrapped_command
from registry.model.pointer import pointer_of
from registry.model.values import list_of, map_of

_FILE = "compose.yaml"
_HEAD = "services:\n"
_LABEL = "process-registry."
_WRAPPER = f"/usr/local/bin/{WRAPPER_FILE}"
_GRACE = "10s"
_SINGLE = "single"
_LONGEST_NAME = 63
_NO_MESSAGES = "Compose passes no messages"
_MOUNT = f"{_NO_MESSAGES}; mount a volume that contains the file"

_TABLE: FieldTable = {
    "title": Carried("label"),
    "description": Carried("label"),
    "owners": Carried("label, as JSON"),
    "tags": Carried("label, as JSON"),
    "lifecycle": Carried("labels"),
    "links": Carried("label, as JSON"),
    "interface": Lost("Compose does not describe messages"),
    "examples": Lost("Compose does not describe messages"),
    "exec": Carried("`entrypoint`"),
    "argv": Carried("`command`"),
    "environment": Carried("`environment`"),
    "references": Carried("`${NAME:?set NAME}`, from the environment of Compose or its file `.env`"),
    "cwd": Carried("`working_dir`"),
    "single": Carried("`restart: no` and the profile `single`, which `docker compose up` does not start"),
    "service": Carried("`restart: on-failure`"),
    "timeout": Carried("option `-t`", by_wrapper=True),
    "application": Carried(
        "`image`, and `deploy.resources` with thousandths of a core, rounded up; the name as a label"
    ),
    "standard_streams": Carried("standard streams of `docker compose run -T`"),
    "files": Carried("from and to standard streams; a fixed path is lost", by_wrapper=True),
    "stream": Carried("standard streams of the container; `stdin_open` keeps the input open"),
    "append": Lost(_MOUNT),
    "pipe": Lost(_MOUNT),
    "network": Lost(f"{_NO_MESSAGES}; a port on which the process listens is in `expose`"),
    "other_adapters": Lost(_NO_MESSAGES),
    "message_details": Lost("Compose does not describe messages"),
    "extensions": Carried("`x-…`"),
}


def _export(one: Exportable) -> ExportedText:
    """Return a Compose file with one service."""
    service, needs_wrapper = _service(one)
    text = quoted_yaml({_service_name(one.name): service})
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    return ExportedText(
        _HEAD + indented, (*losses(_TABLE, one.document), *fixed_files(one)), needs_wrapper=needs_wrapper
    )


def _service(one: Exportable) -> tuple[dict[str, Any], bool]:
    """Return a service, and whether it starts through registry-run."""
    inside = one.inside
    argv = list_of(inside.get("argv"))
    command = wrapped_command(one)
    entrypoint = list(command.words[: len(command.words) - len(argv)])
    if command.is_wrapped:
        entrypoint[0] = _WRAPPER
    is_single = inside.get("process_type", _SINGLE) == _SINGLE
    service: dict[str, Any] = {"image": _literal(image_of(one))}
    if is_single:
        service["profiles"] = [_SINGLE]
    # Without an init process, the kernel ignores signals that the program does not handle.
    service["init"] = True
    if "cwd" in inside:
        service["working_dir"] = _literal(inside["cwd"])
    # An entry point without a command would still get the command of the image in some versions.
    service |= {"entrypoint": _literal(entrypoint), "command": _literal(argv)}
    if environment := _environment(map_of(inside.get("environment"))):
        service["environment"] = environment
    if keeps_input_open(one):
        service["stdin_open"] = True
    if ports := listening_ports(one):
        service["expose"] = [f"{port}/{protocol}" for port, protocol in ports]
    if command.is_wrapped:
        mount = {"type": "bind", "source": f"./{WRAPPER_FILE}", "target": _WRAPPER, "read_only": True}
        service["volumes"] = [mount]
    service |= {"restart": "no" if is_single else "on-failure", "stop_grace_period": _GRACE}
    if limits := _limits(one):
        service["deploy"] = {"resources": {"limits": limits}}
    service["labels"] = {f"{_LABEL}{key}": _literal(text) for key, text in metadata_texts(one).items()}
    return service | _literal(extensions_of(one)), command.is_wrapped


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    for name in environment:
        if name.startswith("x-"):
            raise NotExportableError(
                pointer_of(("definition", "environment", name)),
                "Compose ignores keys that begin with `x-`",
            )
    return {
        name: f"${{{text[2:-1]}:?set {text[2:-1]}}}" if is_reference(text) else _literal(text)
        for name, text in environment.items()
    }


def _limits(one: Exportable) -> dict[str, str]:
    limits = {}
    if (thousandths := thousandths_of_a_core(one)) is not None:
        limits["cpus"] = format((Decimal(thousandths) / 1000).normalize(), "f")
    if memory := memory_of(one):
        limits["memory"] = _byte_value(memory_bytes(memory))
    return limits


def _byte_value(size: int) -> str:
    """Return a size in the notation of Compose, whose units are powers of 1,024."""
    units = (("g", 1024**3), ("m", 1024**2), ("k", 1024), ("b", 1))
    return next(f"{size // factor}{unit}" for unit, factor in units if size % factor == 0)


def _literal(value: Any) -> Any:
    """Return a value whose texts Compose does not interpolate: in all values of services, `$$` means `$`."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _literal(item) for key, item in value.items()}
    return [_literal(item) for item in value] if isinstance(value, list) else value


def _service_name(name: str) -> str:
    return narrow_name(name, signs="._-", longest=_LONGEST_NAME)


def _join(written: Sequence[tuple[Exportable, str]]) -> str:
    """Return one file with all services. Raises UsageError for two services with the same name."""
    owners: dict[str, str] = {}
    for one, _ in written:
        owner = owners.setdefault(_service_name(one.name), one.name)
        if owner != one.name:
            raise UsageError(
                f"{owner} and {one.name} would both be the service {_service_name(one.name)}",
                "export them separately",
            )
    lines = [line for _, text in written for line in text.splitlines(keepends=True) if line != _HEAD]
    return _HEAD + "".join(lines)


EXPORTER = Exporter(
    "compose",
    "Compose",
    _TABLE,
    _export,
    lambda _: _FILE,
    joined_file=_FILE,
    join=_join,
    limits=(IMAGE_LIMIT, "a variable whose name begins with `x-`", *WRAPPER_LIMITS),
)
