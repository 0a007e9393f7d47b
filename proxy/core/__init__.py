"""Pure rules of signing: frozen values in, new values out; no clock, random, log, socket or file.

    message    Field, Request, Response, Upstream: what the grammar found and the rules work on
    target     which request targets can be signed; base path joining
    routing    which route a target takes, and whether its allow list lets it pass
    headers    hop-by-hop, reserved and protected names; redaction
    digest     Digest, and the form rule
    profiles   what a bank demands, as data
    schemes    covered components -> signature base -> Signature header
    signing    prepare() -> Draft -> Plan -> Sealed: the exact bytes
    exchange   the record of one call
"""
