"""What is seen before an order, and how many orders may fail."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import dns, guard, preflight
from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import Problem

HERE, HERE6, ELSEWHERE = "203.0.113.5", "2001:db8::5", "198.51.100.9"


class Internet:
    """Names, and what answers at addresses: a status, a redirect, or an error."""

    def __init__(self, webroot: Path) -> None:
        self.webroot = webroot
        self.addresses: dict[str, list[str] | str] = {}
        self.caa: dict[str, list[str]] = {}
        self.no_caa: dns.DnsError | None = None
        self.answers: dict[str, int | str | OSError] = {}

    def records(self, name: str, kind: int) -> list[dns.Record]:
        if kind == dns.CAA and self.no_caa:
            raise self.no_caa
        if kind == dns.CAA:
            return [dns.Record(kind, value) for value in self.caa.get(name, [])]
        found = self.addresses.get(name, [])
        if isinstance(found, str):
            raise dns.DnsError(found)
        return [dns.Record(kind, address) for address in found if (":" in address) is (kind == dns.AAAA)]

    def get(self, url: str, address: str) -> tuple[int, str, str]:
        answer = self.answers.get(f"{url.partition('/.')[0]}@{address}", self.answers.get(address, 200))
        if isinstance(answer, OSError):
            raise answer
        if isinstance(answer, str):
            return 301, answer, ""
        body = (self.webroot / url.split("/", 3)[3]).read_text() if answer == 200 else ""
        return abs(answer), "", body if answer > 0 else "parked"


@pytest.fixture
def internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Internet:
    it = Internet(tmp_path)
    monkeypatch.setattr(dns.Resolver, "records", lambda _self, name, kind: it.records(name, kind))
    monkeypatch.setattr(preflight, "_get", it.get)
    return it


def look(internet: Internet, *names: str) -> dict[str, preflight.Report]:
    checks = preflight.Preflight(internet.webroot, ("ca.example",), dns.Resolver(()), {HERE, HERE6, "127.0.0.1"})
    return dict(checks.look(names))


def kinds(report: preflight.Report) -> list[str]:
    return [problem.kind for problem in report.problems]


def test_name_that_is_right(internet: Internet) -> None:
    internet.addresses["a.example"] = [HERE, HERE6]
    assert look(internet, "a.example") == {"a.example": preflight.Report()}


def test_token_is_gone_afterwards_and_was_readable(internet: Internet) -> None:
    internet.addresses["a.example"] = [HERE]
    look(internet, "a.example")
    folder = internet.webroot / ".well-known/acme-challenge"
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o755


def test_name_without_addresses(internet: Internet) -> None:
    report = look(internet, "a.example")["a.example"]
    assert report.problems == [Problem("dns", "DNS has neither an A nor an AAAA record for it", "a.example")]


def test_name_that_dns_can_not_answer(internet: Internet) -> None:
    internet.addresses["a.example"] = "DNS answers SERVFAIL"
    assert look(internet, "a.example")["a.example"].problems == [Problem("dns", "DNS answers SERVFAIL", "a.example")]


def test_stale_aaaa_record_is_named(internet: Internet) -> None:
    internet.addresses["a.example"] = [HERE, "2001:db8::dead"]
    internet.answers["2001:db8::dead"] = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    (problem,) = look(internet, "a.example")["a.example"].problems
    assert problem.kind == "connection"
    assert "over IPv6 (AAAA record 2001:db8::dead, which is no address of this host)" in problem.detail
    assert "Connection refused" in problem.detail


def test_another_web_server_answers(internet: Internet) -> None:
    internet.addresses["a.example"] = [ELSEWHERE]
    internet.answers[ELSEWHERE] = 404
    (problem,) = look(internet, "a.example")["a.example"].problems
    assert problem.kind == "unauthorized"
    assert "status 404" in problem.detail


def test_another_web_server_answers_everything_with_200(internet: Internet) -> None:
    internet.addresses["a.example"] = [ELSEWHERE]
    internet.answers[ELSEWHERE] = -200
    (problem,) = look(internet, "a.example")["a.example"].problems
    assert "something else than the file in the webroot" in problem.detail


def test_address_that_differs_while_the_token_arrives_is_a_warning(internet: Internet) -> None:
    internet.addresses["a.example"] = [ELSEWHERE]
    report = look(internet, "a.example")["a.example"]
    assert report.problems == []
    assert "is no address of this host; the webroot is reached through it all the same" in report.warnings[0]


def test_family_that_this_host_has_not_can_not_be_judged(internet: Internet) -> None:
    internet.addresses["a.example"] = [HERE, "2001:db8::c0de"]
    internet.answers["2001:db8::c0de"] = OSError(errno.ENETUNREACH, "Network is unreachable")
    report = look(internet, "a.example")["a.example"]
    assert report.problems == []
    assert "can't be tried from this host" in report.warnings[0]


def test_redirects_are_followed_as_an_acme_server_does(internet: Internet) -> None:
    internet.addresses |= {"a.example": [HERE], "b.example": [ELSEWHERE]}
    token_path = "https://b.example/.well-known/acme-challenge/"

    def get(url: str, address: str) -> tuple[int, str, str]:
        if url.startswith("http://a.example/"):
            return 302, token_path + url.rpartition("/")[2], ""
        assert address == ELSEWHERE
        return internet.get(url, address)

    preflight._get = get  # the fixture's monkeypatch puts it back
    assert kinds(look(internet, "a.example")["a.example"]) == []


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://a.example:8443/x", "where an ACME server does not follow"),
        ("ftp://a.example/x", "where an ACME server does not follow"),
        ("http://nowhere.example/x", "nowhere.example has no address"),
        ("http://a.example/loop", "more than 10 redirects"),
    ],
)
def test_redirects_that_lead_nowhere(internet: Internet, location: str, words: str) -> None:
    internet.addresses["a.example"] = [HERE]
    internet.answers[HERE] = location
    (problem,) = look(internet, "a.example")["a.example"].problems
    assert words in problem.detail


@pytest.mark.parametrize(("code", "problem"), [(2, True), (1, False), (4, False), (5, False)])
def test_caa_that_this_hosts_resolver_does_not_know_is_no_reason_to_refuse(
    internet: Internet, code: int, problem: bool
) -> None:
    internet.addresses["a.example"] = [HERE]
    with pytest.raises(dns.DnsError) as answer:
        dns.answer(bytes([0, 0, 0x80, code, *[0] * 8]), dns.CAA)
    internet.no_caa = answer.value
    report = look(internet, "a.example")["a.example"]
    assert kinds(report) == (["dns"] if problem else [])
    assert any("CAA records can't be read" in warning for warning in report.warnings) is not problem


def test_caa_that_forbids(internet: Internet) -> None:
    internet.addresses["www.a.example"] = [HERE]
    internet.caa["a.example"] = ["issue other.example"]
    (problem,) = look(internet, "www.a.example")["www.a.example"].problems
    assert problem.kind == "caa"
    assert problem.detail == "the CAA record of a.example is `issue other.example`; it would have to name ca.example"


def test_caa_that_forbids_the_way_or_the_account_is_seen_before_the_order(internet: Internet) -> None:
    internet.addresses |= {"way.example": [HERE], "account.example": [HERE], "right.example": [HERE]}
    internet.caa["way.example"] = ["issue ca.example; validationmethods=dns-01"]
    internet.caa["account.example"] = ["issue ca.example; accounturi=https://ca.example/acct/2"]
    internet.caa["right.example"] = ["issue ca.example; accounturi=https://ca.example/acct/1"]
    checks = preflight.Preflight(
        internet.webroot, ("ca.example",), dns.Resolver(()), {HERE}, lambda: ["https://ca.example/acct/1"]
    )
    found = checks.look([*internet.addresses], ())
    assert {name: kinds(report) for name, report in found.items()} == {
        "way.example": ["caa"],
        "account.example": ["caa"],
        "right.example": [],
    }
    # One that a record in DNS proves is not asked for by http.
    assert kinds(checks.look(["way.example"], ["way.example"])["way.example"]) == []


def test_one_bad_name_says_nothing_about_the_others(internet: Internet) -> None:
    internet.addresses |= {"a.example": [HERE], "b.example": [HERE]}
    reports = look(internet, "a.example", "bad.example", "b.example")
    assert [bool(report.problems) for report in reports.values()] == [False, True, False]


@pytest.mark.parametrize(
    ("server", "declared", "found"),
    [
        ("https://acme-v02.api.letsencrypt.org/directory", (), ("letsencrypt.org",)),
        ("https://acme-staging-v02.api.letsencrypt.org/directory", (), ("letsencrypt.org",)),
        ("https://acme.example/dir", (), ()),
        ("https://acme.example/dir", ("ca.example",), ("ca.example",)),
    ],
)
def test_identities(server: str, declared: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert preflight.identities(server, declared) == found


IP = (
    '[{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},'
    '{"ifname":"eth0","addr_info":[{"family":"inet","local":"198.19.72.11"},{"family":"inet6","local":"fd5a::11"}]},{}]'
)


@pytest.mark.parametrize(
    ("text", "found"), [(IP, {"127.0.0.1", "198.19.72.11", "fd5a::11"}), ("", set()), ("{", set())]
)
def test_own_addresses(text: str, found: set[str]) -> None:
    assert preflight.own_addresses(text) == found


NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SERVER = "https://acme.example/dir"


def a_guard(tmp_path: Path, minutes: int = 0, server: str = SERVER, most: int = 3) -> guard.Guard:
    return guard.Guard(tmp_path / "state" / "failed-orders.json", server, most, NOW + timedelta(minutes=minutes))


def test_name_that_failed_too_often_is_refused_until_an_hour_has_passed(tmp_path: Path) -> None:
    for minutes in (0, 10, 20):
        assert a_guard(tmp_path, minutes).refusals(["a.example", "b.example"]) == []
        a_guard(tmp_path, minutes).remember([Problem("connection", "x", "b.example")], ["a.example", "b.example"])
    (refusal,) = a_guard(tmp_path, 30).refusals(["a.example", "b.example"])
    assert refusal.domain == "b.example"
    assert "failed 3 times within the last hour" in refusal.detail
    assert "the next one may go out at 13:00 UTC" in refusal.detail
    assert a_guard(tmp_path, 61).refusals(["b.example"]) == []
    assert a_guard(tmp_path, 30, most=0).refusals(["b.example"]) == []


@pytest.mark.parametrize(
    ("declared", "said"), [("*.a.example", "a.example"), ("*.a.example", ""), ("2001:db8::1", "2001:DB8:0:0:0:0:0:1")]
)
def test_name_is_counted_in_whatever_form_the_server_says_it(tmp_path: Path, declared: str, said: str) -> None:
    a_guard(tmp_path).remember([Problem("dns", "x", said)], [declared])
    (refusal,) = a_guard(tmp_path, most=1).refusals([declared])
    assert refusal.domain == declared


def test_failure_noted_while_the_clock_was_ahead_refuses_nothing(tmp_path: Path) -> None:
    for _ in range(3):
        a_guard(tmp_path, 60 * 24 * 365).remember([Problem("connection", "x", "a.example")], ["a.example"])
    assert a_guard(tmp_path).refusals(["a.example"]) == []
    for _ in range(3):
        a_guard(tmp_path).remember([Problem("connection", "x", "a.example")], ["a.example"])
    assert [refusal.domain for refusal in a_guard(tmp_path, 1).refusals(["a.example"])] == ["a.example"]


def test_failure_without_a_name_counts_against_all(tmp_path: Path) -> None:
    a_guard(tmp_path).remember([Problem("caa", "x")], ["a.example", "b.example"])
    assert len(a_guard(tmp_path, most=1).refusals(["a.example", "b.example"])) == 2


@pytest.mark.parametrize("kind", ["badNonce", "unreachable", "rateLimited", "serverInternal", "other"])
def test_what_no_ca_counts_is_not_counted(tmp_path: Path, kind: str) -> None:
    a_guard(tmp_path).remember([Problem(kind, "x")], ["a.example"])
    assert a_guard(tmp_path, most=1).refusals(["a.example"]) == []


def test_servers_are_counted_apart_and_staging_not_at_all(tmp_path: Path) -> None:
    staging = "https://acme-staging-v02.api.letsencrypt.org/directory"
    failed = [Problem("connection", "x", "a.example")]
    a_guard(tmp_path).remember(failed, ["a.example"])
    a_guard(tmp_path, server=staging).remember(failed, ["a.example"])
    assert a_guard(tmp_path, server="https://other.example/dir", most=1).refusals(["a.example"]) == []
    assert a_guard(tmp_path, server=staging, most=1).refusals(["a.example"]) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 1}', '{"x": {"a": ["soon"]}}'])
def test_damaged_memory_is_no_memory(tmp_path: Path, text: str) -> None:
    file = tmp_path / "state" / "failed-orders.json"
    file.parent.mkdir()
    file.write_text(text)
    assert a_guard(tmp_path).refusals(["a.example"]) == []
    a_guard(tmp_path).remember([Problem("connection", "x", "a.example")], [])
    assert a_guard(tmp_path, most=1).refusals(["a.example"])
