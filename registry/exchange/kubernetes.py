"""Manifests of Kubernetes: a Job for a single process, a Deployment for a service.

Sources: the reference of the Kubernetes API (batch/v1 and apps/v1), "Object Names and IDs", "Labels and
Selectors", and "Define Dependent Environment Variables" for `$(NAME)`.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from registry.exchange.container import (
    IMAGE_LIMIT,
    compact_json,
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
from registry.exchange.fields import Carried, FieldTable, Loss, Lost, is_reference, losses
from registry.exchange.messages import MessageFile, message_file
from registry.exchange.narrow_name import narrow_name
from registry.exchange.quoted_yaml import quoted_yaml
from registry.exchange.wrapped_command import (
    WRAPPER_FILE,
    WRAPPER_LIMITS,
    WrappedCommand,
    wrapped_command,
)
from registry.model.pointer import pointer_of
from registry.model.values import list_of, map_of

_SINGLE = "single"
_GRACE_S = 10
_ANNOTATION = "process-registry/"
_NAME_LABEL = "app.kubernetes.io/name"
# A label of DNS (RFC 1123). The names of Pods are longer.
_LONGEST_NAME = 63
# Of all annotations of an object.
_MOST_ANNOTATIONS = 256 * 1024
# All versions of Kubernetes accept these names of variables; "." and ".." in front are reserved.
_VARIABLE_NAME = re.compile(r"(?!\.$|\.\.)[-._a-zA-Z][-._a-zA-Z0-9]*\Z")
_MESSAGES = "/messages"
_WRAPPER_FOLDER = f"/{WRAPPER_FILE}"
_EXECUTABLE = 0o555
_WITHOUT_ADAPTERS = {
    "input": "without an input adapter, its message is standard input, which is empty in a Job",
    "output": "without an output adapter, its answer is standard output, which is the log of a Job",
}
_NO_MESSAGES = "Kubernetes passes no messages"
_MOUNT = f"{_NO_MESSAGES}; mount a volume that contains the file"

_TABLE: FieldTable = {
    "title": Carried("annotation"),
    "description": Carried("annotation"),
    "owners": Carried("annotation, as JSON"),
    "tags": Carried("annotation, as JSON"),
    "lifecycle": Carried("annotations"),
    "links": Carried("annotation, as JSON"),
    "interface": Lost("Kubernetes does not describe messages"),
    "examples": Lost("Kubernetes does not describe messages"),
    "exec": Carried("`command`"),
    "argv": Carried("`args`"),
    "environment": Carried("`env`"),
    "references": Carried("`secretKeyRef`: a key of the Secret with the name of the object"),
    "cwd": Carried("`workingDir`"),
    "single": Carried("a Job without retries"),
    "service": Carried("a Deployment of one Pod, which is started again whenever it ends"),
    "timeout": Carried("`activeDeadlineSeconds`, rounded up; pulling the image counts, too"),
    "application": Carried(
        "`image`, and limits in `resources` with thousandths of a core, rounded up; the name as an annotation"
    ),
    "standard_streams": Carried(
        "from and to files of a PersistentVolumeClaim; standard error is lost",
        by_wrapper=True,
    ),
    "files": Carried("from and to files of a PersistentVolumeClaim; a fixed path is lost", by_wrapper=True),
    "stream": Carried("standard streams of the container; `stdin` keeps the input open"),
    "append": Lost(_MOUNT),
    "pipe": Lost(_MOUNT),
    "network": Lost(f"{_NO_MESSAGES}; a port on which the process listens is in `ports`"),
    "other_adapters": Lost(_NO_MESSAGES),
    "message_details": Lost("Kubernetes does not describe messages"),
    "extensions": Carried("annotation, as JSON"),
}


def _export(one: Exportable) -> ExportedText:
    """Return the manifest of one object."""
    name = _object_name(one.name)
    command = wrapped_command(one, limits_time=False, passes_streams=True)
    is_single = one.inside.get("process_type", _SINGLE) == _SINGLE
    labels = {_NAME_LABEL: name}
    pod: dict[str, Any] = {
        "restartPolicy": "Never" if is_single else "Always",
        "terminationGracePeriodSeconds": _GRACE_S,
        "containers": [_container(one, name, command)],
    }
    if command.is_wrapped:
        script = {"name": WRAPPER_FILE, "defaultMode": _EXECUTABLE}
        pod["volumes"] = [
            {"name": WRAPPER_FILE, "configMap": script},
            {"name": "messages", "persistentVolumeClaim": {"claimName": name}},
        ]
    template = {"metadata": {"labels": labels}, "spec": pod}
    manifest = {
        "apiVersion": "batch/v1" if is_single else "apps/v1",
        "kind": "Job" if is_single else "Deployment",
        "metadata": {"name": name, "labels": labels, "annotations": _annotations(one)},
        "spec": (_job(one) if is_single else _deployment(labels)) | {"template": template},
    }
    text = _requirements(one, name, command) + quoted_yaml(manifest)
    lost = (*losses(_TABLE, one.document), *fixed_files(one), *_own_losses(one, command))
    return ExportedText(text, lost, needs_wrapper=command.is_wrapped)


def _job(one: Exportable) -> dict[str, Any]:
    deadline = {"activeDeadlineSeconds": math.ceil(one.inside["timeout"])} if "timeout" in one.inside else {}
    return {"backoffLimit": 0, **deadline}


def _deployment(labels: Mapping[str, str]) -> dict[str, Any]:
    # With the default strategy, the old and the new process run at the same time for a while.
    return {"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels}}


def _container(one: Exportable, name: str, command: WrappedCommand) -> dict[str, Any]:
    inside = one.inside
    argv = list_of(inside.get("argv"))
    words = list(command.words[: len(command.words) - len(argv)])
    environment = _environment(map_of(inside.get("environment")), name)
    if command.is_wrapped:
        words[0] = f"{_WRAPPER_FOLDER}/{WRAPPER_FILE}"
        environment += [
            {"name": f"REGISTRY_{side.upper()}", "value": f"{_MESSAGES}/{side}"}
            for side in ("input", "output")
            if _is_passed(message_file(one.document, side))
        ]
    container: dict[str, Any] = {"name": name, "image": image_of(one)}
    if "cwd" in inside:
        container["workingDir"] = inside["cwd"]
    container |= {"command": [*map(_literal, words)], "args": [*map(_literal, argv)]}
    if environment:
        container["env"] = environment
    if keeps_input_open(one):
        container["stdin"] = True
    if ports := listening_ports(one):
        container["ports"] = [
            {"containerPort": port, "protocol": protocol.upper()} for port, protocol in ports
        ]
    if limits := _limits(one):
        container["resources"] = {"limits": limits}
    if command.is_wrapped:
        container["volumeMounts"] = [
            {"name": WRAPPER_FILE, "mountPath": _WRAPPER_FOLDER, "readOnly": True},
            {"name": "messages", "mountPath": _MESSAGES},
        ]
    return container


def _is_passed(file: MessageFile | None) -> bool:
    return file is not None and (file.is_placeholder or file.stream in ("STDIN", "STDOUT"))


def _environment(environment: Mapping[str, str], secret: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, text in environment.items():
        if not _VARIABLE_NAME.match(name):
            raise NotExportableError(
                pointer_of(("definition", "environment", name)),
                "not every version of Kubernetes accepts this name of a variable",
            )
        if is_reference(text):
            found.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": text[2:-1]}}})
        else:
            found.append({"name": name, "value": _literal(text)})
    return found


def _literal(text: str) -> str:
    """Return a text that Kubernetes passes on unchanged: `$$` means `$`.

    A single `$` is also safe in front of most characters, but breaks those outside of ASCII.
    """
    return text.replace("$", "$$")


def _limits(one: Exportable) -> dict[str, str]:
    limits = {}
    if (thousandths := thousandths_of_a_core(one)) is not None:
        limits["cpu"] = f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)
    if memory := memory_of(one):
        limits["memory"] = memory
    return limits


def _annotations(one: Exportable) -> dict[str, str]:
    texts = metadata_texts(one)
    if extensions := extensions_of(one):
        texts["extensions"] = compact_json(extensions)
    annotations = {f"{_ANNOTATION}{key}": text for key, text in texts.items()}
    size = sum(len(key.encode()) + len(text.encode()) for key, text in annotations.items())
    if size > _MOST_ANNOTATIONS:
        largest = max(texts, key=lambda key: len(texts[key]))
        field = "/definition" if largest == "extensions" else f"/{largest}"
        raise NotExportableError(
            field, f"Kubernetes accepts {_MOST_ANNOTATIONS:,} bytes of annotations, not {size:,}"
        )
    return annotations


def _requirements(one: Exportable, name: str, command: WrappedCommand) -> str:
    """Return comments that list the objects which must exist before this one."""
    keys = sorted(
        {text[2:-1] for text in map_of(one.inside.get("environment")).values() if is_reference(text)}
    )
    lines = [f"# Requires a Secret {name} with the keys {', '.join(keys)}.\n"] if keys else []
    if command.is_wrapped:
        lines += [
            f"# Requires a ConfigMap: kubectl create configmap {WRAPPER_FILE} --from-file={WRAPPER_FILE}\n",
            f"# Requires a PersistentVolumeClaim {name}: the message is its file input, the answer output.\n",
        ]
    return "".join(lines)


def _own_losses(one: Exportable, command: WrappedCommand) -> list[Loss]:
    """Return what is lost of parts that are mostly carried."""
    found: list[Loss] = []
    if one.inside.get("process_type", _SINGLE) != _SINGLE:
        return found
    if (timeout := one.inside.get("timeout", 0)) != math.ceil(timeout):
        found.append(Loss("/definition/timeout", f"rounded up to {math.ceil(timeout)} s"))
    for side, why in _WITHOUT_ADAPTERS.items():
        if f"{side}_adapter" not in one.inside and not command.is_wrapped:
            found.append(Loss("/definition", why))
    output = message_file(one.document, "output")
    if output and output.stream == "STDERR":
        found.append(Loss("/definition/output_adapter", "standard error is the log"))
    return found


def _object_name(name: str) -> str:
    return narrow_name(name, signs="-", is_lower=True, longest=_LONGEST_NAME)


EXPORTER = Exporter(
    "kubernetes",
    "Kubernetes",
    _TABLE,
    _export,
    lambda name: f"{_object_name(name)}.yaml",
    limits=(
        IMAGE_LIMIT,
        "a variable with other characters in its name than ASCII letters, digits, `-`, `_`, `.`, or that "
        "begins with a digit or `..`",
        "metadata of more than 256 KiB",
        *WRAPPER_LIMITS,
    ),
)
