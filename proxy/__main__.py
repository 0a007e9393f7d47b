"""Makes `python -m proxy` the same as `signing-proxy`."""

from proxy.cli import main

if __name__ == "__main__":
    main()
