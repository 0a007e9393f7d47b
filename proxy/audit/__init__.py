"""A record of everything that was signed in the company's name, in which no line can be removed or changed unseen.

    settings       where it is kept, when files change, what a failure means
    chain          how a line is bound to the one before it; pure
    entries        what a line says
    ends           how a file ends, also after a crash
    place          the files: whose they may be, which is the newest, rotation; one process alone writes
    rotation       when another file is begun
    scribe         lines onto the disk, one batch after the other; blocks
    trail          the event loop's side: a bounded queue and the thread that the scribe lives in
    reading        files, compressed ones too, in the order of the chain
    verification   whether the chain holds, and where it does not

docs/audit.md says what the record is for and what it can prove.
"""
