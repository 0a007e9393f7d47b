"""What signing costs here, beside peers that do the same work: `make bench`, or `python -m tests.bench`.

    __main__       one run, top to bottom; --quick, --json FILE, --profile
    prepare        peers are started and judged: nobody is timed whose signature the bank would refuse
    rounds         the timed part, peers taking turns
    forwarding     the same for HTTP_PROXY and HTTPS_PROXY: intercepted calls, handshakes, plain tunnels
    keys, report_keys                    reloads (pacer, holding), Transit (slow_vault), PKCS#11 (token_operation)
    report, report_forwarding, table     samples -> tables against the limits
    peers/         who is measured, one file each; templates/ holds what they run
    capture, verify          the judge: raw bytes of a request, checked by code that no signer shares
    load, rsa_operation      wrk; the RSA operation by itself
    programs, dialling       load generators of our own, which know CONNECT: caller, knocker, source and sink
    processes, material      programs on chosen CPUs, read from /proc; throw-away keys and certificates

Needs Linux; Debian's nginx, libnginx-mod-http-lua, wrk and haproxy; mitmproxy is installed by itself under .run/.
"""
