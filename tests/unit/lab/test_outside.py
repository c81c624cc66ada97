"""Reading what curl and nmap wrote on the client."""

import pytest

from lab import outside, stripe
from lab.outside import Answer

# Captured from nmap 7.95: `nmap -n -Pn -p- -oG - 198.18.7.11` on a host behind ufw, and on one with nothing but sshd.
FIREWALLED = (
    "# Nmap 7.95 scan initiated Sun Nov 22 04:30:00 2026 as: nmap -n -Pn -p- -oG - 198.18.7.11\n"
    "Host: 198.18.7.11 ()\tStatus: Up\n"
    "Host: 198.18.7.11 ()\tPorts: 22/open/tcp//ssh///, 80/open/tcp//http///, 443/open/tcp//https///"
    "\tIgnored State: filtered (65532)\n"
    "# Nmap done at Sun Nov 22 04:30:22 2026 -- 1 IP address (1 host up) scanned in 22.10 seconds\n"
)
CLOSED = "Host: 198.18.7.11 ()\tPorts: 22/open/tcp//ssh///, 80/closed/tcp//http///\tIgnored State: filtered (65533)\n"


@pytest.mark.parametrize(
    ("output", "ports"), [(FIREWALLED, {22, 80, 443}), (CLOSED, {22}), ("Host: 198.18.7.11 ()\tStatus: Up\n", set())]
)
def test_open_ports_of_a_scan(output: str, ports: set[int]) -> None:
    assert outside.parse_scan(output) == ports


def test_an_ipv6_address_is_scanned_as_one() -> None:
    assert outside.scan("fd00::b").startswith("nmap -6 ")
    assert "-6" not in outside.scan("198.18.7.11").split()


@pytest.mark.parametrize(
    ("exit_status", "output", "error", "answer"),
    [
        (
            0,
            'HTTP/2 400 \r\nserver: nginx\r\nLocation:  /x \r\n\r\n{"a":\n\n1}',
            "",
            Answer(0, 400, {"server": "nginx", "location": "/x"}, '{"a":\n\n1}', ""),
        ),
        (7, "", "curl: (7) refused\n", Answer(7, 0, {}, "", "curl: (7) refused\n")),
    ],
)
def test_answer_of_curl(exit_status: int, output: str, error: str, answer: Answer) -> None:
    assert outside.parse_answer(exit_status, output, error) == answer


def test_signature_is_the_one_that_stripe_computes() -> None:
    # stripe.WebhookSignature._compute_signature("1700000000." + body, "whsec_test") of stripe 16.1
    assert stripe.signature('{"id":"evt_1"}', "whsec_test", 1700000000) == (
        "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
    )
