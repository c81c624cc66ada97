"""Inbound faults, made by hand one at a time: each is named as the first cause, and a healthy server gives no alarm."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from lab.playbook import run

SERVER = """
import http.server, time
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"])); time.sleep(11)
        self.send_response(400); self.end_headers()
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), H).serve_forever()
"""
LOCAL = ["uvicorn", "--factory", "app:create_app", "--host", "127.0.0.1", "--port", "8000"]
EC = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
AUTHORITY = (
    "[ca]\\ndefault_ca=x\\n[x]\\ndatabase=index.txt\\nserial=serial\\nnew_certs_dir=.\\ndefault_md=sha256\\npolicy=p\\n"
)
LEAF = (
    f"openssl req -x509 {EC} -keyout ca.key -out ca.pem -days 9 -subj /CN=Fault-CA 2>&1"
    f" && openssl req {EC} -keyout fault.key -out leaf.csr -subj /CN=leaf 2>&1"
    " && echo 'subjectAltName=DNS:{name}' > ext && touch index.txt && echo 01 > serial"
    f" && printf '{AUTHORITY}[p]\\ncommonName=supplied\\n' > ca.cnf"
    " && openssl ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -in leaf.csr -extfile ext"
    " -startdate 20250101000000Z -enddate {end}Z -notext -out leaf.pem 2>&1 && cat leaf.pem ca.pem > fault.pem"
)
DEFAULT = (
    "sed -i 's/ default_server//' /etc/nginx/conf.d/portside.conf"
    " && rm /etc/nginx/sites-enabled/portside-shop-api.conf && mkdir /etc/nginx/fault && cd /etc/nginx/fault"
    f" && openssl req -x509 {EC} -keyout k -out c -days 9 -subj /CN=other 2>&1"
    " && echo 'server { listen 443 ssl default_server; listen [::]:443 ssl default_server; return 200 other;"
    " ssl_certificate /etc/nginx/fault/c; ssl_certificate_key /etc/nginx/fault/k; }' > /etc/nginx/conf.d/aaa.conf"
)
UFW = "ufw delete allow {0}/tcp && ufw allow {1}/tcp"
LIVE = "/etc/letsencrypt/live/shop-api"
CHAIN = f"cp -L {LIVE}/privkey.pem fault.key && openssl x509 -in {LIVE}/cert.pem -out fault.pem"


@contextmanager
def restart_loop(breaker):
    # Its log holds the app's secret, and what would clear the terminal: neither is in the report (conftest.py).
    says = 'import sys; sys.exit("no database\\x1b[2J for whsec_for_the_lab_only")'
    with breaker.container("python", "-c", says, restart="always"):
        ids = "docker ps -aq --filter label=portside.release=1 --filter name=shop-api"
        count = f"docker inspect --format '{{{{.RestartCount}}}}' $({ids})"
        breaker.wait(lambda: int(breaker.vps.check_output(count).split()[0]) >= 2, "it was started again twice")
        yield


@contextmanager
def dead(breaker):
    name = breaker.vps.check_output("docker ps --filter label=portside.app=shop-api --format '{{.Names}}'")
    with breaker.shell(breaks=f"docker kill {name}", mends=f"docker start {name}"):
        yield
    breaker.wait(breaker.healthy, "the app answers again")


Fault = Callable[..., AbstractContextManager[None]]
FAULTS: dict[str, tuple[str, Fault]] = {
    "wrong A": ("dns-wrong-a", lambda b: b.record("198.18.254.254")),
    "stale AAAA": ("dns-wrong-aaaa", lambda b: b.record("fd00:dead::1")),
    "port 443 closed": ("firewall-provider", lambda b: b.dropped(443)),
    "ufw off by one": (
        "firewall-closed",
        lambda b: b.shell(breaks=UFW.format(443, 444), mends=UFW.format(444, 443)),
    ),
    "nginx stopped": ("nginx-stopped", lambda b: b.shell(breaks="systemctl stop nginx", mends="systemctl start nginx")),
    "invalid nginx file": (
        "nginx-invalid",
        lambda b: b.nginx("echo 'server { bogus on; }' > /etc/nginx/conf.d/own.conf", reload=False),
    ),
    "site missing": ("site-missing", lambda b: b.nginx("rm /etc/nginx/sites-enabled/portside-shop-api.conf")),
    "default server answering": ("site-default", lambda b: b.nginx(DEFAULT)),
    "expired certificate": (
        "certificate-expired",
        lambda b: b.certificate(LEAF.format(name=b.name, end="20250601000000")),
    ),
    "wrong name on it": (
        "certificate-name",
        lambda b: b.certificate(LEAF.format(name="other.example.org", end="20350601000000")),
    ),
    "chain incomplete": ("certificate-chain", lambda b: b.certificate(CHAIN)),
    "redirect on the webhook": ("webhook-redirected", lambda b: b.in_webhook("return 301 https://www.example.org/;")),
    "container published elsewhere": (
        "upstream-elsewhere",
        lambda b: b.container("python", "-c", SERVER, publish="127.0.0.1:18999"),
    ),
    "container dead": ("container-dead", dead),
    "restart loop": ("container-restarting", restart_loop),
    "app bound to 127.0.0.1 inside its container": (
        "app-on-loopback",
        lambda b: b.container("sh", "-c", f"STRIPE_WEBHOOK_SECRET=x exec {' '.join(LOCAL)}"),
    ),
    "upstream slow": ("app-slow", lambda b: b.container("python", "-c", SERVER)),
    "413": ("webhook-too-large", lambda b: b.in_webhook("client_max_body_size 1k;")),
    "403 by allow-list": ("webhook-forbidden", lambda b: b.in_webhook("allow 192.0.2.1; deny all;")),
    "webhook behind basic auth": (
        "webhook-password",
        lambda b: b.in_webhook('auth_basic "closed"; auth_basic_user_file /etc/nginx/nginx.conf;'),
    ),
}


def test_a_healthy_server_gives_no_alarm_in_two_calls(diagnose, vps_name):
    seen = diagnose()
    assert seen.status == 0, seen.output
    assert [one["findings"] for one in seen.apps.values()] == [[], []], seen.apps
    assert {hop["mark"] for hop in seen.apps["shop-api"]["path"]} == {"ok"}, seen.output
    assert "shop-api: nothing is broken" in seen.output
    # One on the server, one from outside, for however many apps; the report is a file of the controller.
    assert sum(count for task, count in seen.calls[vps_name].items() if "report" not in task) == 2, seen.calls


def test_a_signed_test_event_shows_that_body_and_signature_arrive_as_they_were_sent(diagnose):
    seen = diagnose(portside_diagnose_secrets={"shop-api": "whsec_for_the_lab_only"})
    assert seen.status == 0, seen.output
    assert "400 unsigned, 200 signed" in seen.apps["shop-api"]["path"][-1]["seen"]
    wrong = diagnose(portside_diagnose_secrets={"shop-api": "whsec_of_somebody_else"})
    assert wrong.causes() == ["webhook-secret"]
    assert "whsec_of_somebody_else" not in wrong.output


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_as_the_first_cause_and_alone(diagnose, breaker, fault):
    cause, broken = FAULTS[fault]
    with broken(breaker):
        seen = diagnose("-e", "app=shop-api")
    assert seen.causes() == [cause], seen.output
    assert seen.status == 1, seen.output
    (first,) = seen.apps["shop-api"]["findings"]
    words = " ".join(seen.output.split())
    assert " ".join(first["cure"].split()) in words, "what mends it stands in the report"


@pytest.mark.parametrize(
    ("near", "far"),
    [("wrong A", "container dead"), ("413", "expired certificate"), ("nginx stopped", "container dead")],
)
def test_of_two_faults_the_one_nearer_to_the_internet_comes_first_and_the_other_after(diagnose, breaker, near, far):
    with ExitStack() as both:
        # The far one first: while the near one lasts, nothing may be reached that has to be waited for.
        both.enter_context(FAULTS[far][1](breaker))
        both.enter_context(FAULTS[near][1](breaker))
        seen = diagnose("-e", "app=shop-api")
    assert seen.causes() == [FAULTS[near][0], FAULTS[far][0]], seen.output


def test_the_last_webhook_attempts_are_shown(diagnose, client, breaker, vps):
    client.run_expect([0], "curl --silent --insecure --data '{}' https://%s/webhooks/stripe?from=test", breaker.name)
    # nginx writes its log every five seconds, or when it is asked to open it again.
    vps.run_expect([0], "nginx -s reopen && sleep 1")
    (last, *_) = diagnose().apps["shop-api"]["attempts"]
    assert (last["status"], last["uri"], last["signed"]) == (400, "/webhooks/stripe", False)


def test_an_app_that_does_not_exist_is_refused_by_name(inventories):
    done = run("playbooks/diagnose.yml", inventories, "-e", "app=shop-apo")
    assert done.status != 0
    assert "no app is called shop-apo; there are shop-api, worker" in " ".join(done.output.split())


def test_the_html_report_is_one_file_that_needs_no_other(inventories, tmp_path: Path):
    done = run("playbooks/diagnose.yml", inventories, "-e", f"report={tmp_path / 'report.html'}")
    assert done.status == 0, done.output
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "shop-api: nothing is broken" in text
    assert "src=" not in text
    assert "http-equiv" not in text


def test_a_server_that_cannot_be_logged_in_to_is_looked_at_from_outside(inventories, lab_vars, tmp_path: Path):
    address = lab_vars["lab_client_ipv4"].rpartition(".")[0] + ".249"
    gone = {"ansible_host": address, "ansible_timeout": 3, "lab_domain": "gone.test"}
    file, report = tmp_path / "gone.yml", tmp_path / "report.json"
    file.write_text(json.dumps({"all": {"children": {"vps": {"hosts": {"gone": gone}}}}}), encoding="utf-8")
    done = run("playbooks/diagnose.yml", [*inventories, file], "--limit", "gone", "-e", f"report={report}")
    assert done.status == 1, done.output
    shop, _ = json.loads(report.read_text(encoding="utf-8"))["hosts"]["gone"]
    assert [one["cause"] for one in shop["findings"]] == ["dns-missing", "firewall-or-down", "firewall-or-down"]
