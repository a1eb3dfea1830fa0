"""Servers of the kind `mcp_server` in configuration files of MCP clients: how to start or to reach them.

Source: the schema of `server.json` of 2025-12-11. How packages are started is what Visual Studio Code does
for servers of a registry.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from registry.exchange.exporter import Exportable, NotExportableError
from registry.exchange.fields import Loss
from registry.model.pointer import pointer_of
from registry.model.values import list_of, map_of, text_of

MCP_SERVER_KIND = "mcp_server"
MCP_SERVER_LIMIT = (
    "a server of the kind `mcp_server` without remotes whose first package is `cargo` or `mcpb`, or is not "
    "on standard streams"
)
"""What all clients refuse, in Markdown."""
_NO_ESCAPE = "MCP clients replace `{}…` by something else, and there is no escape"
_TEMPLATE_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_RUNTIMES = {"npm": "npx", "pypi": "uvx", "oci": "docker", "nuget": "dnx"}
# Variables by which the programs read another package registry.
_REGISTRY_VARIABLES = {"npm": "NPM_CONFIG_REGISTRY", "pypi": "UV_DEFAULT_INDEX"}
_METADATA = ("title", "description", "version", "websiteUrl", "repository", "icons", "_meta")

Steps = tuple[str | int, ...]


class Question(NamedTuple):
    """A value that a client asks its user for, or reads from its environment."""

    name: str
    description: str
    is_secret: bool
    default: str
    choices: tuple[str, ...]


Ask = Callable[[Question], str]
"""Returns the text that a client replaces by the answer."""


class RegistryServer(NamedTuple):
    """The entry of a server in a configuration file, and what it does not carry."""

    entry: dict[str, Any]
    losses: tuple[Loss, ...]


def registry_server(one: Exportable, replaced: re.Pattern[str], ask: Ask) -> RegistryServer:
    """Return the entry of a server: of its first package if that can be started, or else of its first remote.

    `replaced` matches texts that a client would replace. Raises NotExportableError if there is nothing to
    start or to reach, and for a text that matches `replaced`.
    """
    return _Writer(one, replaced, ask).written()


class _Writer:
    """Writes the entry of one server, and collects what is lost."""

    def __init__(self, one: Exportable, replaced: re.Pattern[str], ask: Ask) -> None:
        self._inside = one.inside
        self._replaced = replaced
        self._ask = ask
        self._losses: list[Loss] = []

    def written(self) -> RegistryServer:
        packages, remotes = (list_of(self._inside.get(key)) for key in ("packages", "remotes"))
        self._losses += [
            Loss(f"/definition/{key}", "the file has names and commands only")
            for key in _METADATA
            if key in self._inside
        ]
        starts = bool(packages) and _why_not_started(map_of(packages[0])) is None
        if starts:
            entry = self._package(map_of(packages[0]))
        elif remotes:
            entry = self._remote(map_of(remotes[0]))
        elif packages:
            steps, why = _why_not_started(map_of(packages[0])) or ((), "")
            raise NotExportableError(pointer_of(("definition", "packages", 0, *steps)), why)
        else:
            raise NotExportableError("/definition", "the server has neither packages nor remotes")
        for key, some, used in (("packages", packages, starts), ("remotes", remotes, not starts)):
            for number in range(1 if used else 0, len(some)):
                pointer = f"/definition/{key}/{number}"
                self._losses.append(Loss(pointer, "a client has one way to a server"))
        return RegistryServer(entry, tuple(self._losses))

    def _package(self, package: Mapping[str, Any]) -> dict[str, Any]:
        steps: Steps = ("definition", "packages", 0)
        kind = text_of(package.get("registryType"))
        program = text_of(package.get("runtimeHint")) or _RUNTIMES[kind]
        environment = self._environment(package, steps)
        runtime = [*self._arguments(package, steps, "runtimeArguments")]
        arguments = [*self._arguments(package, steps, "packageArguments")]
        identifier = self._literal(_identified(package), (*steps, "identifier"))
        if program == "docker":
            # The variables of the client are not those of the container.
            passed = [text for name in environment for text in ("-e", name)]
            before = ["run", "-i", "--rm", *passed, *runtime, identifier]
        elif program == "npx":
            # A question on standard input would be an answer to the client.
            before = [*(runtime or ["-y"]), identifier]
        elif program == "dnx":
            before = [*runtime, identifier, "--yes", *self._source(package), *(["--"] if arguments else [])]
        else:
            before = [*runtime, identifier]
        if "fileSha256" in package:
            self._losses.append(Loss("/definition/packages/0/fileSha256", "MCP clients do not compare it"))
        return {"command": program, "args": [*before, *arguments], "env": environment}

    def _source(self, package: Mapping[str, Any]) -> list[str]:
        address = text_of(package.get("registryBaseUrl"))
        return ["--source", self._literal(address, ("definition", "packages", 0))] if address else []

    def _environment(self, package: Mapping[str, Any], steps: Steps) -> dict[str, str]:
        kind, address = text_of(package.get("registryType")), text_of(package.get("registryBaseUrl"))
        found = {}
        if address and kind in _REGISTRY_VARIABLES:
            found[_REGISTRY_VARIABLES[kind]] = self._literal(address, (*steps, "registryBaseUrl"))
        for number, one in enumerate(list_of(package.get("environmentVariables"))):
            place = (*steps, "environmentVariables", number)
            name = self._literal(text_of(one.get("name")), (*place, "name"))
            value = self._value(one, name, place)
            if value is not None:
                found[name] = value
        return found

    def _arguments(self, package: Mapping[str, Any], steps: Steps, key: str) -> Iterator[str]:
        for number, one in enumerate(list_of(package.get(key))):
            place = (*steps, key, number)
            is_named = one.get("type") == "named"
            name = text_of(one.get("name")) if is_named else text_of(one.get("valueHint")) or f"value{number}"
            has_value = not is_named or any(word in one for word in ("value", "default", "isRequired"))
            value = self._value(one, name, place) if has_value else ""
            if value is None:
                continue
            if is_named:
                yield self._literal(name, (*place, "name"))
            if has_value:
                yield value

    def _remote(self, remote: Mapping[str, Any]) -> dict[str, Any]:
        steps: Steps = ("definition", "remotes", 0)
        headers = {}
        for number, one in enumerate(list_of(remote.get("headers"))):
            place = (*steps, "headers", number)
            name = self._literal(text_of(one.get("name")), (*place, "name"))
            value = self._value(one, name, place)
            if value is not None:
                headers[name] = value
        kind = "sse" if remote.get("type") == "sse" else "http"
        url = self._filled(text_of(remote.get("url")), map_of(remote.get("variables")), (*steps, "url"))
        return {"type": kind, "url": url, **({"headers": headers} if headers else {})}

    def _value(self, one: Mapping[str, Any], name: str, steps: Steps) -> str | None:
        """Return the value of an input, or None for one that may stay empty."""
        if "value" in one:
            return self._filled(text_of(one["value"]), map_of(one.get("variables")), (*steps, "value"))
        if "default" in one and not one.get("isRequired"):
            return self._literal(text_of(one["default"]), (*steps, "default"))
        if one.get("isRequired") or one.get("isSecret") or one.get("type") == "positional":
            return self._asked(one, name, steps)
        self._losses.append(
            Loss(pointer_of(steps), "it is optional and has no value: add it where it is needed")
        )
        return None

    def _filled(self, text: str, variables: Mapping[str, Any], steps: Steps) -> str:
        """Return a text with its variables replaced by their values, or by questions."""
        self._literal(text, steps)

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name not in variables:
                return found[0]
            one = map_of(variables[name])
            for key in ("value", "default"):
                if key in one:
                    return self._literal(text_of(one[key]), steps)
            return self._asked(one, name, steps)

        return _TEMPLATE_VARIABLE.sub(value, text)

    def _asked(self, one: Mapping[str, Any], name: str, steps: Steps) -> str:
        choices = tuple(text_of(choice) for choice in list_of(one.get("choices")))
        description = text_of(one.get("description")) or name
        default = self._literal(text_of(one.get("default")), steps)
        return self._ask(Question(name, description, bool(one.get("isSecret")), default, choices))

    def _literal(self, text: str, steps: Steps) -> str:
        """Return a text that no client replaces. Raises NotExportableError for another one."""
        if found := self._replaced.search(text):
            raise NotExportableError(pointer_of(steps), _NO_ESCAPE.format(found.group()))
        return text


def _why_not_started(package: Mapping[str, Any]) -> tuple[Steps, str] | None:
    """Return why a client cannot start a package, with the steps to the value; None if it can."""
    if text_of(package.get("registryType")) not in _RUNTIMES:
        return ("registryType",), "no program starts such a package"
    if map_of(package.get("transport")).get("type") != "stdio":
        return ("transport",), "MCP clients start servers on standard streams only"
    return None


def _identified(package: Mapping[str, Any]) -> str:
    """Return a package with its version, as the program that starts it reads it."""
    identifier, version = text_of(package.get("identifier")), text_of(package.get("version"))
    if not version:
        return identifier
    if package.get("registryType") == "oci":
        has_tag = "@" in identifier or ":" in identifier.rpartition("/")[2]
        return identifier if has_tag else f"{identifier}:{version}"
    separator = "==" if package.get("registryType") == "pypi" else "@"
    return f"{identifier}{separator}{version}"
