"""What the client outside can find out about a server."""

import shlex
from dataclasses import dataclass

# Where the client has the root that a browser would have built in.
ROOT_CERTIFICATE = "/etc/ssl/acme-root.pem"


@dataclass(frozen=True)
class Answer:
    """What curl got. `exit_status` is curl's own (curl(1)); `status` is 0 when there was no HTTP answer."""

    exit_status: int
    status: int
    headers: dict[str, str]
    body: str
    error: str


def curl(url: str, *options: str) -> str:
    """Shell command that asks a URL, with the certificate checked against the lab's ACME root; nothing is followed."""
    words = ["curl", "--silent", "--show-error", "--include", "--max-time", "20", "--cacert", ROOT_CERTIFICATE]
    # Asked to expect 100-continue, a server would put a second head before the answer's.
    return shlex.join([*words, "--header", "Expect:", *options, url])


def parse_answer(exit_status: int, output: str, error: str) -> Answer:
    """Read what `curl --include` wrote."""
    head, _, body = output.replace("\r\n", "\n").partition("\n\n")
    lines = head.splitlines()
    status = int(lines[0].split()[1]) if lines and lines[0].startswith("HTTP/") else 0
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Answer(exit_status, status, headers, body, error)


def scan(address: str) -> str:
    """Shell command that tries every TCP port of an address, IPv4 or IPv6."""
    family = ["-6"] if ":" in address else []
    # A firewall that drops would otherwise be waited for at each port; on one link nothing gets lost.
    speed = ["--min-rate", "15000", "--max-retries", "1"]
    return shlex.join(["nmap", *family, "-n", "-Pn", "-p-", *speed, "-oG", "-", address])


def parse_scan(output: str) -> set[int]:
    """Open ports in nmap's grepable output (nmap(1), -oG)."""
    fields = [line.partition("Ports: ")[2] for line in output.splitlines() if "Ports: " in line]
    return {int(port.split("/")[0]) for field in fields for port in field.split(", ") if "/open/" in port}
