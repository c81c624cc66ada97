"""Disposable servers to try Portside on: hosts that boot systemd, and an ACME server, DNS, registry and client."""
