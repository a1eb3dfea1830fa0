"""IP addresses of clients and proxies; pure."""

from ipaddress import IPv4Address, IPv6Address, ip_address


def parse_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that `host` represents, or None for a name.

    Returns an IPv4-mapped IPv6 address as IPv4.
    """
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
