"""Which answers wait for their hint."""

from __future__ import annotations

from proxy.core.message import Response
from proxy.serve.rulings import LIMIT


def hintable(response: Response) -> bool:
    """A refusal of the bank's whose body is short, or may be; only a whole body tells why."""
    return 400 <= response.status < 500 and response.length <= LIMIT
