"""The last calls, in the order in which they ended, within a number and a size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from proxy.serve.inspection.kept import Kept


class Store:
    """most: calls.  most_bytes: of memory, about.  size: what they take up now."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self.most = most
        self.most_bytes = most_bytes
        self.size = 0
        self._calls: OrderedDict[int, tuple[Kept, int]] = OrderedDict()

    def add(self, calls: Iterable[Kept]) -> None:
        for call in calls:
            size = call.size
            self._calls[call.id] = call, size
            self.size += size
        while self._calls and (len(self._calls) > self.most or self.size > self.most_bytes):
            self.size -= self._calls.popitem(last=False)[1][1]

    def get(self, number: int) -> Kept | None:
        found = self._calls.get(number)
        return found[0] if found is not None else None

    def clear(self) -> None:
        self._calls.clear()
        self.size = 0

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Kept]:
        """Oldest first."""
        return (call for call, _ in self._calls.values())
