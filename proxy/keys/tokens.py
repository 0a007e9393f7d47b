"""The tokens by which a listener or the admin port knows its clients."""

from __future__ import annotations

from proxy.core.secret import Secret
from proxy.errors import KeyUnusable
from proxy.keys.credentials import header_value
from proxy.keys.guarded import read_secret_file, shown


def read_tokens(file: str, what: str = "client token", *, allow_group_read: bool) -> tuple[Secret, ...]:
    """One token a line; empty lines and those that begin with '#' count for nothing.  what: its name in sentences.

    Raises KeyUnusable: key_unreadable, key_permissions, secret_missing (none, or one that no header can carry).
    """
    what = f"{what} in {shown(file)}"
    content = read_secret_file(file, allow_group_read=allow_group_read)
    lines = [line for line in content.splitlines() if line.strip() and not line.strip().startswith(b"#")]
    if not lines:
        raise KeyUnusable("secret_missing", f"the {what} is empty")
    return tuple(header_value(line, what).secret for line in lines)
