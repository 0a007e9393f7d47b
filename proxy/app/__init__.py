"""The composition root: a Config becomes a running proxy, and a signal ends it in order.

    compose     keys, TLS, pools, routes and gates out of a Config
    lifecycle   start, signals, the running state; key_start awaits the keys, announce says what has started
    listeners   a listener of the configuration becomes a gate, a door and a socket; systemd may have passed it
    admin_port  the admin port's listener and tokens (token_files); actions is what can be asked of it
    reloads     what is read again; log_level how much is said; expiry warns before certificates end
    audit_trail the record of what is signed; tracing what OpenTelemetry is told
    ending      drain and exit code
    status      what /status and the probes tell
    process     what the process itself gives up: core dumps, being traced
"""

from __future__ import annotations

from proxy.app.lifecycle import Running, run

__all__ = ["Running", "run"]
