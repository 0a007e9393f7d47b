"""Readers of what strangers send, each attacked with hostile bytes and held to one invariant.

    targets/    one file for each reader; the first sentence of its docstring is the invariant
    corpus/     inputs that are kept: valid ones to begin with, and every one that ever broke something
    target      what a target is, and where its inputs come from
    damage      mutants of those inputs; the same seed gives the same ones
    trial       runs them, and tells what broke
    growth      whether an input four times as long takes four times the CPU, or sixteen
    patterns    the same for every regular expression of the proxy
    __main__    `make fuzz`: guided by coverage, for as long as one likes; needs atheris (requirements-fuzz.lock)

`make test` replays the corpus, `make torture` tries many mutants of it (tests/torture/nothing_hostile_breaks_a_reader).
"""
