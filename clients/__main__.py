"""Runs each client through a proxy that writes down who came, and keeps in measured.json what it saw.

    python -m clients        (make clients; as root on Debian, with curl, wget, nodejs and golang-go)

All of it runs in a network namespace with names and addresses of its own: a client that doesn't go to the proxy ends at
a listener on the address that it asked for, and nothing leaves the machine. docs/generate.py makes the tables in
docs/egress.md of what was measured.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from clients import programs

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / ".build" / "clients"
MEASURED = Path(__file__).with_name("measured.json")
PROXY_PORT = 3128
PROXY = f"http://127.0.0.9:{PROXY_PORT}"
ADDRESS = "192.0.2.7"
HOSTS = f"127.0.0.1 localhost\n::1 localhost\n{ADDRESS} stripe.com api.stripe.com\n"
STRIPE = "https://api.stripe.com"
BOTH = {"http_proxy": PROXY, "https_proxy": PROXY, "HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}
# What stands in NO_PROXY (in both cases), and the URL that is asked for.
EXEMPT: Sequence[tuple[str, str]] = (
    ("", STRIPE),
    ("stripe.com", STRIPE),
    (".stripe.com", STRIPE),
    (".stripe.com", "https://stripe.com"),
    ("*.stripe.com", STRIPE),
    ("api.stripe.com:443", STRIPE),
    ("*", STRIPE),
    (ADDRESS, f"http://{ADDRESS}"),
    ("192.0.2.0/24", f"http://{ADDRESS}"),
    ("", "http://127.0.0.1"),
    ("localhost,127.0.0.1,::1", "http://127.0.0.1"),
)
# The only variable there is, and the URL that is asked for.
VARIABLES: Sequence[tuple[str, str]] = (
    ("http_proxy", f"http://{ADDRESS}"),
    ("HTTP_PROXY", f"http://{ADDRESS}"),
    ("https_proxy", STRIPE),
    ("HTTPS_PROXY", STRIPE),
    ("ALL_PROXY", STRIPE),
)
# Inside: the namespace's own loopback, with the addresses that are asked for, and its own names.
PREPARE = 'ip link set lo up && ip address add "$1/32" dev lo && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"'


class Listener:
    """Accepts connections on some addresses, counts them, and closes them at once."""

    def __init__(self, *places: tuple[str, int]) -> None:
        self.came = 0
        for place in places:
            threading.Thread(target=self._serve, args=(socket.create_server(place),), daemon=True).start()

    def _serve(self, server: socket.socket) -> None:
        while True:
            connection, _ = server.accept()
            self.came += 1
            connection.close()


def way(argv: Sequence[str], variables: Mapping[str, str], proxy: Listener, target: Listener) -> str:
    """`proxy` or `direct`: where the client came.

    Raises:
        SystemExit: it came nowhere, so nothing is known.
    """
    proxy.came = target.came = 0
    environment = {"PATH": os.environ["PATH"], "HOME": str(BUILD), "LC_ALL": "C.UTF-8", **variables}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if not proxy.came and not target.came:
        raise SystemExit(f"{' '.join(argv)} asked nobody: {done.stdout}{done.stderr}")
    return "proxy" if proxy.came else "direct"


def measure(interpreter: Path, go: Path) -> dict[str, object]:
    """Every client with every spelling and every variable."""
    proxy = Listener(("127.0.0.9", PROXY_PORT))
    target = Listener(*((address, port) for address in (ADDRESS, "127.0.0.1") for port in (80, 443)))
    found = programs.clients(interpreter, go, BUILD / "apt")

    def row(variables: Mapping[str, str], url: str) -> dict[str, str]:
        return {name: way(argv(url), variables, proxy, target) for name, argv in found.items()}

    return {
        "no_proxy": [
            {
                "entry": entry,
                "url": url,
                "ways": row({**BOTH, **({"no_proxy": entry, "NO_PROXY": entry} if entry else {})}, url),
            }
            for entry, url in EXEMPT
        ],
        "variables": [{"variable": name, "url": url, "ways": row({name: PROXY}, url)} for name, url in VARIABLES],
    }


def _first_line(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.split("\n", maxsplit=1)[0]


def versions(interpreter: Path) -> dict[str, str]:
    """What was run, by client."""
    listed = _first_line(interpreter, "-m", "pip", "list", "--format=json")
    pip = {package["name"]: package["version"] for package in json.loads(listed)}
    return {
        "curl": _first_line("curl", "--version").split()[1],
        "wget": _first_line("wget", "--version").split()[2],
        "urllib": f"Python {sys.version.split()[0]}",
        **{name: pip[name] for name in programs.PACKAGES},
        "Go": _first_line("go", "version").split()[2].removeprefix("go"),
        "Node": _first_line("node", "--version").removeprefix("v"),
        "apt": _first_line("apt-get", "--version").split()[1],
    }


def main() -> None:
    """Set up the clients, run all of it in a namespace, and write what was seen."""
    interpreter, go = BUILD / "venv" / "bin" / "python", BUILD / "go-client"
    if sys.argv[1:] == ["inside"]:
        print(json.dumps(measure(interpreter, go)))
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", BUILD / "venv"], check=True)
    subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *programs.PACKAGES], check=True)
    (BUILD / "client.go").write_text(programs.GO, encoding="utf-8")
    subprocess.run(["go", "build", "-o", go, BUILD / "client.go"], check=True, env={**os.environ, "HOME": str(BUILD)})
    (BUILD / "hosts").write_text(HOSTS, encoding="utf-8")
    inside = [sys.executable, "-m", "clients", "inside"]
    argv = ["unshare", "--net", "--mount", "sh", "-c", PREPARE, "sh", ADDRESS, str(BUILD / "hosts"), *inside]
    seen = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    body = {"versions": versions(interpreter), **json.loads(seen)}
    MEASURED.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {MEASURED.relative_to(ROOT)}: now `make docs`")


if __name__ == "__main__":
    main()
