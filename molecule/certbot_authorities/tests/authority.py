"""An ACME server of a test's own, on the client: Pebble with the lifetimes, faults and rules that the test needs."""

from __future__ import annotations

import base64
import json
import shlex
from pathlib import Path

NAME = "client.lab.test"
KID, HMAC_KEY = "customer-7", base64.urlsafe_b64encode(b"0123456789abcdef0123456789abcdef").decode().rstrip("=")
# Says that the ACME server has profiles, which Debian's Pebble has not, and notes which one each order asks for.
PROFILES = r"""
import base64, http.server, json, ssl, sys, urllib.request
port, behind, noted = int(sys.argv[1]), sys.argv[2], sys.argv[3]
trust = ssl.create_default_context(cafile="server.pem")
class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("connection",)}
        request = urllib.request.Request(behind + self.path, body, headers, method=self.command)
        try:
            answer = urllib.request.urlopen(request, context=trust)
        except urllib.error.HTTPError as error:
            answer = error
        data = answer.read()
        if self.path == "/dir":
            directory = json.loads(data)
            directory["meta"]["profiles"] = {"default": "x", "shortlived": "x"}
            data = json.dumps(directory).encode()
        elif body and self.path.startswith("/order-plz"):
            payload = json.loads(body)["payload"]
            with open(noted, "ab") as file:
                file.write(json.dumps(json.loads(base64.urlsafe_b64decode(payload + "=="))).encode() + b"\n")
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            if key.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
    do_GET = do_POST = do_HEAD = pass_on
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("", port), Proxy)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem", "server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


class Authority:
    """Pebble on the client.

    Args:
        client: the client, as Testinfra sees it.
        folder: where its CA file goes on the controller.
        port: where it listens.
        days: the lifetime of its certificates.
        customers_only: whether it takes accounts with an external account binding alone (KID, HMAC_KEY).
        profiles: whether it says that it has profiles.
        environment: Pebble's switches.
    """

    def __init__(
        self, client, folder: Path, port: int, *, days=90, customers_only=False, profiles=False, **environment
    ):
        self.client = client
        self.home = f"/root/acme-{port}"
        self.port = port
        self.profiles = profiles
        self.directory = f"https://{NAME}:{port}/dir"
        self.environment = {"PEBBLE_VA_NOSLEEP": "1", **{key: str(value) for key, value in environment.items()}}
        behind = port + 1 if profiles else port
        settings = {
            "listenAddress": f":{behind}",
            "managementListenAddress": f":{port + 2}",
            "certificate": "server.pem",
            "privateKey": "server.key",
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "certificateValidityPeriod": int(days * 86400),
            "externalAccountBindingRequired": customers_only,
            "externalAccountMACKeys": {KID: HMAC_KEY} if customers_only else {},
        }
        self._sh(f"rm -rf {self.home}; mkdir -p {self.home}")
        self._write("config.json", json.dumps({"pebble": settings}))
        self._write("profiles.py", PROFILES)
        self._sh(
            f"cd {self.home} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 400"
            f" -subj /CN={NAME} -addext subjectAltName=DNS:{NAME},DNS:localhost -keyout server.key -out server.pem"
        )
        self.ca_file = folder / f"acme-{port}.pem"
        self.ca_file.write_text(self._sh(f"cat {self.home}/server.pem"), encoding="ascii")
        self.start()

    def _sh(self, command: str) -> str:
        done = self.client.run(command)
        assert done.rc == 0, done.stderr
        return done.stdout

    def _write(self, name: str, text: str) -> None:
        self._sh(f"printf '%s' {shlex.quote(text)} > {self.home}/{name}")

    def start(self) -> None:
        """Start it (again; it forgets everything) and wait until it answers."""
        variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in self.environment.items())
        resolver = "$(awk '/^nameserver/ {print $2; exit}' /etc/resolv.conf):53"
        spawn = f"cd {self.home}; env {variables} setsid pebble -config config.json -dnsserver {resolver}"
        self._sh(f"{spawn} >> log 2>&1 < /dev/null & echo $! > {self.home}/pid")
        if self.profiles:
            proxy = f"setsid python3 profiles.py {self.port} https://localhost:{self.port + 1} orders"
            self._sh(f"cd {self.home}; {proxy} >> log 2>&1 < /dev/null & echo $! > {self.home}/proxy-pid")
        here = f"--cacert {self.home}/server.pem --resolve {NAME}:{self.port}:127.0.0.1"
        ask = f"curl --silent --fail {here} {self.directory}"
        self._sh(
            f"for n in $(seq 50); do {ask} > /dev/null && exit 0; sleep 0.2; done; cat {self.home}/log >&2; exit 1"
        )

    def stop(self) -> None:
        """It is down."""
        self.client.run(f"for file in {self.home}/*pid; do kill $(cat $file); done")

    def issued(self) -> int:
        """How many certificates it has issued."""
        # grep's status is 1 where it counts none; a log that is not there is no number, and an error here.
        return int(self._sh(f"grep -c 'Issued certificate' {self.home}/log || true"))

    def orders(self) -> list[dict]:
        """What the orders asked for, where it has profiles."""
        return [json.loads(line) for line in self._sh(f"cat {self.home}/orders").splitlines()]

    @property
    def settings(self) -> dict[str, str]:
        """The role's variables for it."""
        return {"certbot_directory": self.directory, "certbot_ca_file": str(self.ca_file)}
