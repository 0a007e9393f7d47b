"""Keys and credentials out of HashiCorp Vault or OpenBao.

    settings   what can be configured         place      address, namespace and roots, with VAULT_* variables honoured
    reading    the bytes of an answer         verdicts   what an answer's status means
    exchange   one at a time on a connection, from any thread, which waits
    links      the same on the event loop     dialling   how a connection comes about there
    first      a signature's first attempt there; the rest in a thread
    client     retries, tokens, tallies       tokens     the token's life: login, renewal, replacement
    kv         values and keys from KV        transit    a key that never leaves Vault

The client is our own: hvac brings requests and urllib3, has no deadline for a whole exchange, retries without jitter
and costs a Transit signature more than the signature itself; the tests drive their stand-in with hvac instead, so that
a client nobody here wrote agrees with it.
"""
