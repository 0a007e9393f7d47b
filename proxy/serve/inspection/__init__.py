"""The inspector: the last calls, each with what came in beside what went out, for a developer on this machine.

    tape        observes finished calls, keeps them raw for a moment, then only what `developing` makes of them
    developing  one raw call -> one Kept, with every secret masked
    kept        what is remembered of a call
    store       the last of them, within bounds
    spool       the same in a file, where the operator wants one
    views       Kept -> the saved exchange (docs/inspector.md), and a line of the list
    curl, har, bundle      the same call as others want it
    viewers     live updates to pages that are open
    replays     a kept request, sent again through the gateway
    desk        the paths of the admin port
"""
