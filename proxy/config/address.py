"""Which addresses and host names may be written, judged without asking the network."""

from __future__ import annotations

import ipaddress
import re

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@/\[\]]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
UNIX = "unix:"
_SOCKET_PATH = 107


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches the address: 127.0.0.0/8, ::1, the mapped forms, "localhost", Unix sockets."""
    if address.startswith(UNIX):
        return True
    ip = ip_address(address)
    if ip is None:
        return address.lower() == "localhost"
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, IPv6 in brackets or not, or None when text is none."""
    try:
        if text[:1] == "[" and text[-1:] == "]":
            return ipaddress.IPv6Address(text[1:-1])
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_host(text: str) -> bool:
    """Whether text is an IP address or a host name.  A name that ends in a number would be read as an address."""
    if ip_address(text) is not None:
        return True
    return _HOST_NAME.fullmatch(text) is not None and not text.rpartition(".")[2].isdigit()


def split_host_port(text: str) -> tuple[str, int | None] | None:
    """("host", port or None), IPv6 without its brackets; None when text is not host[:port]."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or not is_host(match["host"]):
        return None
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        return None
    return match["host"].strip("[]"), port


def bracketed(host: str) -> str:
    """As it stands in a URI or a Host header (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def listen_problem(address: str) -> str:
    """Why a listener cannot have this address, or ""."""
    if address.startswith(UNIX):
        path = address[len(UNIX):]
        if not path.startswith("/"):
            return "A Unix socket is named by its whole path. Write unix:/path/to/socket."
        if len(path.encode("utf-8", "surrogateescape")) > _SOCKET_PATH:
            return f"The path of a Unix socket has at most {_SOCKET_PATH} bytes. Choose a shorter one."
        return ""
    if address != "localhost" and (ip_address(address) is None or address[:1] == "["):
        return "This is not an IP address. Give one, such as 127.0.0.1, or localhost, or unix:/path."
    return ""


def where(address: str, port: int) -> str:
    """As a person reads it; a Unix socket has no port."""
    return address if address.startswith(UNIX) else f"{bracketed(address)}:{port}"


def split_egress(url: str) -> tuple[str, int]:
    """(host, port) of an egress proxy.  Raises ValueError with a sentence that does not repeat the value."""
    if "@" in url:
        raise ValueError("A user name or password does not belong here. Write username and password_file.")
    if not url.startswith("http://"):
        raise ValueError("An egress proxy is spoken to by plain HTTP. Write http://host:port.")
    found = split_host_port(url[len("http://"):].removesuffix("/"))
    if found is None or found[1] is None:
        raise ValueError("This is not the address of a proxy. Write http://host:port.")
    return found[0].lower(), found[1]
