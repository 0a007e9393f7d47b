"""Where traces go must be a collector's address, and a key for it must not travel in clear."""

from __future__ import annotations

from typing import Final

from proxy.config.address import is_loopback, split_host_port
from proxy.config.problems import Problems
from proxy.serve.traces.settings import TraceSettings

_SCHEMES: Final = ("http", "https")
_PLACE: Final = "traces.endpoint"


def check_traces(settings: TraceSettings, problems: Problems) -> None:
    if settings.endpoint is None:
        return
    scheme, _, rest = settings.endpoint.partition("://")
    authority, slash, path = rest.partition("/")
    if "@" in settings.endpoint:
        problems.add(_PLACE, "A user name or password does not belong here. Put an Authorization header into "
                             "headers_file.")
        return
    found = split_host_port(authority)
    if scheme not in _SCHEMES or found is None or any(byte in path for byte in "?# "):
        problems.add(_PLACE, "This is not the address of a collector. Write http://host:port or https://host:port.")
        return
    if slash and path and settings.protocol == "grpc":
        problems.add(_PLACE, "A collector has no path where grpc is spoken. Write http://host:port or "
                             "https://host:port.")
    if settings.headers_file is not None and scheme == "http" and not is_loopback(found[0]):
        problems.add(_PLACE, "The headers in headers_file would travel in clear. Write https:// instead of http://.",
                     "traces.headers_file")
