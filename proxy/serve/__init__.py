"""The story of one request: who may call, what is signed, who is told.

    gate        which callers may speak to a listener at all
    gateway     a caller's request -> route, policy, a Call; the application of the proxy's listeners
    route       a configured route with its keys and connections
    call        one request from admission to its record; desk is what all of them share
    resigning   whether a refused request is signed again, and which answer its caller gets
    sealing     keys off the event loop where they are slow, or asked on it where they are elsewhere
    problems    our own error answers
    rulings     what a bank's refusal says
    telemetry   Exchange -> metrics
    counts      counters and histograms as plain numbers
    logline     Exchange -> one log line
    clock       dates
    bank_clock  the bank's beside ours
    admin       the application of the admin port: its table of pages and actions, and who may ask for them
    health      the pages that only tell: probes, metrics, status
"""
