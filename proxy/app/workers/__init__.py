"""Several processes that serve the same listeners, and the one that looks after them.

    supervisor  starts the workers, passes signals on, has the admin port, ends when they have ended; holds no key
    seat        the place of one worker: its process, its state, its restarts
    patience    how long to wait before a worker is started again, and when to give up
    together    what is asked of all workers at once: readiness, status, reload, rotation
    sums        their metrics, added up
    places      the listening sockets, bound once and inherited by every worker
    worker      the other side: one proxy without an admin port, which does what the channel says
    channel     frames over a socket pair, between the two
    shared      a file without a name that all of them have: one log, and who has how many connections
    rotations   which key signs, the same everywhere
    desk        the admin port's answers for all;  parting  the end of all

A worker is a program of its own, not a fork: threads, PKCS#11 sessions and TLS state do not survive one.  Each loads
the keys itself.  All accept from one queue for each listener, so that the end of a worker loses nobody who waits there.
"""
