"""Which peer an address belongs to: what limits count by, so that nobody has many shares by having many addresses."""

import ipaddress

_NETWORK_BITS = 64  # an IPv6 host chooses the rest of its address itself (RFC 4291, RFC 8981)


def peer_of(address: str) -> str:
    """The peer behind *address*: an IPv4 address itself, also where it is mapped into IPv6; of an IPv6 address its /64.

    Empty where *address* is: a socket without one. What is no address stands for itself.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])  # the scope says where we heard it, not who it is
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(parsed), _NETWORK_BITS), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)
