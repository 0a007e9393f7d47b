"""Whether a payment was made twice is the question this whole project answers, so payments keep their state here."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from typing import Any

_KEEP = 10_000


class Payments:
    """Payments by id.  The oldest are forgotten after ten thousand, `made` counts them all."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.made = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, identity: str) -> dict[str, Any] | None:
        return self._by_id.get(identity)

    def all(self) -> list[dict[str, Any]]:
        return list(self._by_id.values())

    def create(self, instruction: dict[str, Any], path: str) -> dict[str, Any]:
        """Every accepted POST is a new payment: the bank does not know that it is the same one again."""
        identity = str(uuid.uuid4())
        links = [{"rel": "confirm", "href": f"{path}/{identity}"}, {"rel": "self", "href": f"{path}/{identity}"}]
        payment = {**instruction, "_id": identity, "payment_status": "PendingConfirmation", "_links": links}
        self._by_id[identity] = payment
        self.made += 1
        if len(self._by_id) > _KEEP:
            self._by_id.popitem(last=False)
        return payment

    def move(self, identity: str, status: str) -> dict[str, Any] | None:
        """Sets the state and counts how often this was asked for; None when there is no such payment."""
        payment = self._by_id.get(identity)
        if payment is None:
            return None
        payment["payment_status"] = status
        payment["times_changed"] = payment.get("times_changed", 0) + 1
        return payment

    def delete(self, identity: str) -> bool:
        return self._by_id.pop(identity, None) is not None

    def clear(self) -> None:
        self._by_id.clear()
        self.made = 0
