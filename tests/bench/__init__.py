"""What signing costs here, beside peers that do the same work: `make bench`, or `python -m tests.bench`."""
