"""OpenTelemetry traces: spans of finished calls, sent to a collector by a thread of their own.

    settings   the section `traces` of the configuration
    tracer     on a call's path: ids, the sampler's word, one entry in a bounded queue
    finished   what the thread gets to know of a call
    shipping   the thread: batches, deadline, what is dropped
    spans      a finished call -> spans of the SDK
    collector  the SDK's exporter, as the settings and the OTEL_* variables say

Only the last two import the SDK, and only where traces are configured.
"""
