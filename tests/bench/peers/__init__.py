"""Who is measured.  A new peer is a module with a `Peer` and one name in this table."""

from __future__ import annotations

from . import mitm, nginx, ours
from .base import Peer

FLOOR, RIVAL, OURS = nginx.PLAIN, nginx.LUA, ours.PEER
ALL: tuple[Peer, ...] = (FLOOR, RIVAL, mitm.PEER, OURS)
