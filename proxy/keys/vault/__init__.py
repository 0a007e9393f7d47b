"""Keys and credentials out of HashiCorp Vault or OpenBao.

    settings   what can be configured         place      address, namespace and roots, with VAULT_* variables honoured
    exchange   one HTTP exchange              verdicts   what an answer's status means
    client     retries, tokens, tallies       tokens     the token's life: login, renewal, replacement
    kv         values and keys from KV        transit    a key that never leaves Vault

The client is our own, over `http.client`'s parser: hvac brings requests and urllib3 (three times the memory and start
of the proxy's command), has no deadline for a whole exchange, and retries without jitter; the tests drive their
stand-in with hvac instead, so that a client nobody here wrote agrees with it.
"""
