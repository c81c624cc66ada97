"""DNS packets as challtestsrv sent them."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import dns

QUESTION = "1234810000010002000100000374776f03646e73076578616d706c650000010001"
TWO = (
    f"{QUESTION}0374776f03646e73076578616d706c650000010001000000000004c00002010374776f03646e73076578616d706c65000001000100"
    "0000000004c00002020c6368616c6c7465737473727607696e76616c6964000006000100000000004a026e730c6368616c6c74657374737276"
    "07696e76616c696400066d61737465720c6368616c6c7465737473727607696e76616c69640000000001000000010000000100000001000000"
    "01"
)
SIX = (
    "1234810000010001000000000374776f03646e73076578616d706c6500001c00010374776f03646e73076578616d706c6500001c0001000000"
    "00001020010db8000000000000000000000007"
)
RECORDS_OF_CA = (
    "1234810000010002000000000363616103646e73076578616d706c6500010100010363616103646e73076578616d706c650001010001000000"
    "000022000569737375656f746865722d63612e6578616d706c653b206163636f756e743d310363616103646e73076578616d706c6500010100"
    "0100000000001b0005696f6465666d61696c746f3a7840646e732e6578616d706c65"
)
ALIAS = (
    "12348100000100030000000005616c69617303646e73076578616d706c65000001000105616c69617303646e73076578616d706c6500000500"
    "010000000000110374776f03646e73076578616d706c65000374776f03646e73076578616d706c650000010001000000000004c00002010374"
    "776f03646e73076578616d706c650000010001000000000004c0000202"
)
# RFC 1035, section 4.1.4: the answer's name as a pointer to the question's.
COMPRESSED = f"{QUESTION[:8]}0001000100000000{QUESTION[24:]}c00c00010001000000000004c0000201"
SERVFAIL = "1234810200010000000000000662726f6b656e03646e73076578616d706c650000010001"
NXDOMAIN = "1234810300010000000000000662726f6b656e03646e73076578616d706c650000010001"


@pytest.mark.parametrize(
    ("packet", "kind", "values"),
    [
        (TWO, dns.A, ["192.0.2.1", "192.0.2.2"]),
        (TWO, dns.AAAA, []),
        (SIX, dns.AAAA, ["2001:db8::7"]),
        (RECORDS_OF_CA, dns.CAA, ["issue other-ca.example; account=1", "iodef mailto:x@dns.example"]),
        (ALIAS, dns.A, ["192.0.2.1", "192.0.2.2"]),
        (COMPRESSED, dns.A, ["192.0.2.1"]),
        (NXDOMAIN, dns.A, []),
    ],
)
def test_answer(packet: str, kind: int, values: list[str]) -> None:
    assert [record.value for record in dns.answer(bytes.fromhex(packet), kind)] == values


@pytest.mark.parametrize(
    ("packet", "words"),
    [(SERVFAIL, "DNS answers SERVFAIL"), ("", "is no DNS"), ("1234", "is no DNS"), (TWO[:90], "is no DNS")],
)
def test_answer_that_is_none(packet: str, words: str) -> None:
    with pytest.raises(dns.DnsError, match=words):
        dns.answer(bytes.fromhex(packet), dns.A)


def test_question() -> None:
    asked = dns.question("two.dns.example", dns.A, 0x1234).hex()
    # The same question that stands in the answer; the flags ask for recursion, the counts for nothing else.
    assert asked == f"1234010000010000000000000{QUESTION[25:]}"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("nameserver 10.0.0.1\noptions ndots:0\nnameserver fd00::1\n", ["10.0.0.1", "fd00::1"]),
        ("search example.com\n", ["127.0.0.1"]),
        ("", ["127.0.0.1"]),
    ],
)
def test_resolvers(text: str, addresses: list[str]) -> None:
    assert dns.resolvers(text) == addresses


def test_without_a_resolver_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_resolver: str, _packet: bytes) -> bytes:
        raise TimeoutError("timed out")

    monkeypatch.setattr(dns, "_over_udp", silent)
    with pytest.raises(dns.DnsError, match=r"the resolver 10\.0\.0\.2 does not answer \(timed out\)"):
        dns.Resolver(("10.0.0.1", "10.0.0.2")).records("a.example", dns.A)


def test_second_resolver_is_asked_when_the_first_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"10.0.0.1": SERVFAIL, "10.0.0.2": TWO}
    monkeypatch.setattr(dns, "_over_udp", lambda resolver, _packet: bytes.fromhex(answers[resolver]))
    found = dns.Resolver(("10.0.0.1", "10.0.0.2")).records("two.dns.example", dns.A)
    assert len(found) == 2


def test_caa_is_looked_for_up_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def records(_self: dns.Resolver, name: str, _kind: int) -> list[dns.Record]:
        asked.append(name)
        return [dns.Record(dns.CAA, "issue x.example")] if name == "example.com" else []

    monkeypatch.setattr(dns.Resolver, "records", records)
    assert dns.Resolver(()).caa("a.b.example.com") == ("example.com", ["issue x.example"])
    assert asked == ["a.b.example.com", "b.example.com", "example.com"]
