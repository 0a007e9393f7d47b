"""A listener must have a place of its own, and must not sign for whoever comes by."""

from __future__ import annotations

import re
from itertools import combinations

from proxy.config.address import UNIX, ip_address, is_loopback, listen_problem
from proxy.config.model import MAIN, Config, Listener
from proxy.config.problems import Problems, below

_MODE = re.compile(r"0?[0-7]{3}")


def check_listeners(config: Config, problems: Problems) -> None:
    if MAIN in config.listeners:
        problems.add(f"listeners.{MAIN}", f"The name {MAIN} is taken by address and port. Give this another name.")
    named = config.all_listeners()
    places: dict[str, tuple[str, int]] = {}
    for name, listener in {MAIN: named[MAIN], **config.listeners}.items():
        place = "" if name == MAIN else f"{below('listeners', name)}."
        _check_listener(place, named[name], config, problems)
        places[place] = (listener.address, listener.port or 0)
    if config.admin:
        if config.admin_address.startswith(UNIX):
            problems.add("admin_address", "Probes and scrapes need a port. Give an IP address, such as 127.0.0.1.")
        else:
            _check_address("admin_address", config.admin_address, problems)
        places["admin_"] = (config.admin_address, config.admin_port)
    elif config.quitquitquit:
        problems.add("quitquitquit", "There is no admin port to ask for it (admin: false). Remove one of the two.",
                     "admin")
    for (first, one), (second, other) in combinations(places.items(), 2):
        if _collide(one, other):
            problems.add(f"{second}port", f"{first}port has the same port on the same address. Choose another port.",
                         f"{first}port", f"{first}address", f"{second}address")
        elif one[0].startswith(UNIX) and one[0] == other[0]:
            problems.add(f"{second}address", f"{first}address is the same socket. Choose another path.",
                         f"{first}address")


def _check_listener(place: str, listener: Listener, config: Config, problems: Problems) -> None:
    address = listener.address
    _check_address(f"{place}address", address, problems)
    if listener.port is None and not address.startswith(UNIX):
        problems.add(f"{place}port", "This key is missing. Add it.")
    if _MODE.fullmatch(listener.socket_mode) is None:
        problems.add(f"{place}socket_mode", "This is not a mode. Write one such as '0660', in quotes.")
    tls = listener.tls
    if tls is not None and tls.client_names and tls.client_ca_file is None:
        problems.add(f"{place}tls.client_ca_file", "client_names says who may call, but no authority says who is who. "
                                                   "Name the file of the authorities.", f"{place}tls.client_names")
    known = listener.client_token_file or (tls is not None and tls.client_ca_file)
    if not (is_loopback(address) or known or config.unsafe_listen or listen_problem(address)):
        problems.add(f"{place}address", "Whoever reaches this address could have requests signed. Set "
                                        "client_token_file or tls.client_ca_file, or unsafe_listen if something else "
                                        "keeps strangers out.", "client_token_file", "unsafe_listen")


def _check_address(path: str, address: str, problems: Problems) -> None:
    sentence = listen_problem(address)
    if sentence:
        problems.add(path, sentence)


def _collide(one: tuple[str, int], other: tuple[str, int]) -> bool:
    """An unspecified address (0.0.0.0, ::) takes the port on every address; port 0 is never the same twice."""
    (address, port), (address_2, port_2) = one, other
    if port == 0 or port != port_2:
        return False
    first, second = (ip_address("127.0.0.1" if text == "localhost" else text) for text in (address, address_2))
    if first is None or second is None:
        return False
    return first == second or first.is_unspecified or second.is_unspecified
