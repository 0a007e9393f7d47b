"""psd2-signing-proxy: unsigned calls in, sealed calls to the bank out.

    cli        the command `signing-proxy`
    app        composition root: Config -> a running proxy; signals, drain
    config     YAML, environment and flags -> one frozen Config, or every problem at once
    serve      the story of one request; admin port; log and metrics
    wire       HTTP/1.1 and TLS on bytes, at both ends
    keys       where signing keys and credentials come from; reload
    core       pure: targets, headers, digests, signature schemes, profiles
    errors     every failure: code, status, hint
    emulator   a strict stand-in for the bank; shares no code with the rest

Imports point downwards only (`make check` holds it).  docs/architecture.md tells how a request flows.
"""

__version__ = "0.1.0"
