"""Checks of requests that depend on their origin: proxies that log users in, and pages of other sites."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from registry.errors import UsageError
from registry.model.ip_addresses import parse_address

# A larger network is taken for a mistake: 10.0.0.0/8 and fc00::/7 are the largest private ones.
_SHORTEST_PREFIX = {4: 8, 6: 7}
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class TrustedProxies:
    """The proxies whose `Remote-User` header is believed (`--trust-proxy`). Without addresses, none is.

    Pass the address of the connection as `peer_address`, never one from a header: uvicorn replaces it by
    `X-Forwarded-For` unless `proxy_headers` is off.
    """

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        """Take IP addresses and networks, as in 10.0.0.7 or 10.0.0.0/24.

        Raises UsageError for other texts and for networks so large that they trust everyone.
        """
        self._networks = [_network(one) for one in addresses]

    def user_of(self, peer_address: str, remote_users: Sequence[str]) -> str | None:
        """Return the user that a trusted proxy names, or None.

        `remote_users` are all values of the header `Remote-User`. Several values, of which the client may
        have sent one, count as none.
        """
        if not self._trusts(peer_address) or len(remote_users) != 1:
            return None
        return remote_users[0].strip() or None

    def client_of(self, peer_address: str, forwarded_for: Sequence[str]) -> str:
        """Return the address of the client: the peer, or the one that trusted proxies forward for.

        `forwarded_for` are all values of the header `X-Forwarded-For`, whose last address comes from the
        nearest proxy.
        """
        client = peer_address
        # From the right: each trusted proxy appends one address, and everything further left may come from
        # the client.
        for address in reversed(",".join(forwarded_for).split(",")):
            if not self._trusts(client) or parse_address(address.strip()) is None:
                break
            client = address.strip()
        return client

    def _trusts(self, address: str) -> bool:
        found = parse_address(address)
        return found is not None and any(found in network for network in self._networks)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        found = ip_network(text.strip())
    except ValueError as error:
        hint = (
            "the part of the address after the prefix must be 0"
            if "host bits" in str(error)
            else "write an IP address or a network, as in --trust-proxy 10.0.0.7 or 10.0.0.0/24"
        )
        raise UsageError(f"--trust-proxy {text!r} is not an address", hint) from error
    if found.prefixlen < _SHORTEST_PREFIX[found.version]:
        raise UsageError(
            f"--trust-proxy {text} would believe every client that claims to be a user",
            "name the addresses of the proxy only, as in --trust-proxy 10.0.0.7",
        )
    return found


def cross_site_refusal(method: str, headers: Mapping[str, str], own_origins: Collection[str] = ()) -> str:
    """Return why a request from a page of another origin is refused (status 403), or "" if it is allowed.

    Browsers send stored passwords along with requests of any page, and name its origin (Fetch Metadata;
    RFC 6454). Programs send neither header. `headers` has names in lower case. `own_origins` are origins of
    this server besides the one in its `Host` header, as in https://registry.example.org.
    """
    if method.upper() in _SAFE_METHODS:
        return ""
    site = headers.get("sec-fetch-site", "").strip().lower()
    # `same-site` is refused, too: another host of the same domain may be less trustworthy. "none" is a
    # person's own action.
    if site not in ("", "same-origin", "none"):
        return "a page of another site cannot write here"
    origin = headers.get("origin")
    if origin is None or _is_own(origin.strip(), headers.get("host", ""), own_origins):
        return ""
    return "a page of another origin cannot write here; behind a proxy, set `base_url` in registry.yaml"


def _is_own(origin: str, host: str, own_origins: Collection[str]) -> bool:
    found = _host_of_origin(origin)
    if not found:
        return False  # "null" is the origin of sandboxed pages and local files
    own = {_normalized(one) for one in own_origins}
    # The scheme that a proxy in front received is unknown here, so only host and port are compared.
    scheme = urlsplit(origin).scheme.lower()
    return _normalized(origin) in own or found == _without_default_port(scheme, host.strip().lower())


def _host_of_origin(origin: str) -> str:
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return ""
    return _without_default_port(parts.scheme, parts.netloc) if parts.scheme in _DEFAULT_PORTS else ""


def _normalized(origin: str) -> str:
    return f"{urlsplit(origin.lower()).scheme}://{_host_of_origin(origin)}"


def _without_default_port(scheme: str, host: str) -> str:
    return host.removesuffix(f":{_DEFAULT_PORTS[scheme]}")
