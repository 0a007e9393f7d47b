"""HTTP/1.1 and TLS on bytes, at both ends: what is signed is written by us, and we know what has left.

    limits       bounds and deadlines
    head         strict message heads, pure
    chunked      strict chunked framing, pure
    reader       bytes -> whole requests, pure
    answer       bytes -> an answer's events, pure
    reply        an answer's bytes towards the caller, pure
    flow         pausing once, ending with a reset
    tls          TLS over MemoryBIO on any byte transport
    application  what answers requests
    connection   one accepted connection
    parting      how it ends: refused, too late, to make room for others
    room         who leaves when there is no room for somebody who comes
    server       listeners, live connections, deadlines, drain
    dial         resolution, egress proxy, connect, handshake
    channel      one connection to a bank
    pool         which connection a call takes; retries; what has been sent
"""
