"""A child must not outlive a proxy that was killed, so it watches a pipe that ends with its parent."""

from __future__ import annotations

import os
import signal
import threading

from proxy.cli import main


def watch_standard_input() -> None:
    """Ends this process in order when nobody holds the other end any more."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=watch_standard_input, daemon=True).start()
    main()
