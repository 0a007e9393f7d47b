"""What signing costs here, beside peers that do the same work: `make bench`, or `python -m tests.bench`.

    __main__       one run, top to bottom; --quick, --json FILE, --profile
    prepare        peers are started and judged: nobody is timed whose signature the bank would refuse
    rounds         the timed part, peers taking turns
    report         samples -> tables against the limits
    peers/         who is measured, one file each; templates/ holds what they run
    capture, verify          the judge: raw bytes of a request, checked by code that no signer shares
    load, rsa_operation      wrk; the RSA operation by itself
    processes, material      programs on chosen CPUs, read from /proc; throw-away keys and certificates

Needs Linux; Debian's nginx, libnginx-mod-http-lua and wrk; mitmproxy is installed by itself under .run/.
"""
