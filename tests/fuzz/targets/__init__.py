"""One module for each reader.

check(data)     raises, whatever it likes, when the invariant does not hold for these bytes
TOKENS          what mutants are made with besides the corpus
seeds()         optional: inputs that cannot be kept, such as keys, made when they are needed
FULL            optional: how many mutants `make torture` tries
LARGEST         optional: bytes of the longest mutant
"""
