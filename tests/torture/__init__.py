"""The two laws, attacked: each module is one promise, measured at a size that its caller chooses.

`make torture` runs all of them at full size and prints one table, each figure beside its limit; `make test` runs the
same code at a size that takes seconds (test_short.py).  A part is `async def run(ground, size) -> list[Figure]`, where
size 1.0 is what docs/reliability.md promises.
"""
