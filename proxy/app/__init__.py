"""The composition root: a Config becomes a running proxy, and a signal ends it in order.

    compose     keys, TLS, pools, routes and gates out of a Config
    lifecycle   start, signals, drain, exit code
    status      what /status and the probes tell
    process     what the process itself gives up: core dumps, being traced
"""

from __future__ import annotations

from proxy.app.lifecycle import Running, run

__all__ = ["Running", "run"]
