"""What can be broken from the internet to nginx."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import hops
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.causes.cause import SITE, WARNING, Cause

CAUSES: tuple[Cause, ...] = (
    # The internet.
    Cause(
        "dns-missing",
        hops.DNS,
        "{name} has neither an A nor an AAAA record",
        "Nobody can find the server under that name, and no certificate can be had for it.",
        "At your DNS provider: an A record for {name} with {expected}. Done when `dig +short {name}` shows it.",
    ),
    Cause(
        "dns-failed",
        hops.DNS,
        "{name} could not be looked up: {error}",
        "The name servers of the domain don't answer, or the machine that looked has no working resolver.",
        "Ask from elsewhere: `dig +trace {name}`. If that fails too, the domain's name servers are at fault; if "
        "not, look from "
        "another machine: `-e portside_diagnose_from=<host of the inventory>`.",
    ),
    Cause(
        "dns-wrong-a",
        hops.DNS,
        "{name} has the A record {found}; this server is {expected}",
        "Browsers, senders of webhooks and the certificate authority go to another machine.",
        "At your DNS provider set the A record of {name} to {expected}. Done when `dig +short A {name}` shows it. "
        "If a CDN or NAT stands in front "
        "on purpose, say so: `portside_addresses: [{found}]`.",
    ),
    Cause(
        "dns-wrong-aaaa",
        hops.DNS,
        "{name} has the AAAA record {found}; this server is {expected}",
        "Whoever has IPv6 goes to another machine, and the certificate authority prefers IPv6: it works for some "
        "and fails for others.",
        "At your DNS provider remove the AAAA record of {name}, or set it to {expected}. Done when `dig +short "
        "AAAA {name}` shows it.",
    ),
    Cause(
        "dns-extra-a",
        hops.DNS,
        "{name} has the A record {found}; this server has no IPv4 address",
        "Whoever has IPv4 alone goes to another machine: it works for some and fails for others.",
        "At your DNS provider remove the A record of {name}. If the server is reached there all the same, through NAT "
        "or a CDN, say so: add {found} to `portside_addresses`, beside the server's other addresses.",
    ),
    Cause(
        "dns-extra-aaaa",
        hops.DNS,
        "{name} has the AAAA record {found}; this server has no IPv6 address",
        "Whoever has IPv6 goes to another machine, and the certificate authority prefers IPv6: it works for some "
        "and fails for others.",
        "At your DNS provider remove the AAAA record of {name}. If the server is reached there all the same, through a "
        "CDN, say so: add {found} to `portside_addresses`, beside the server's other addresses.",
    ),
    Cause(
        "dns-behind-nat",
        hops.DNS,
        "{name} leads to {found}; the server itself knows only {expected}, which is private, so that the two can't be "
        "compared",
        "Behind NAT that is as it should be. If {found} is another machine, nothing else here tells so.",
        "Say how the server is reached from the internet, all its addresses: `portside_addresses: [{found}]`.",
        WARNING,
    ),
    # The firewall.
    Cause(
        "firewall-closed",
        hops.FIREWALL,
        "port {port} of {address} can't be reached from outside, and ufw doesn't open it ({rules})",
        "80 is needed for certificates and for the redirect to https, 443 for everything else.",
        f"{SITE} opens both. By hand: `ufw allow {{port}}/tcp`. See what is open: `ufw status numbered`.",
    ),
    Cause(
        "firewall-provider",
        hops.FIREWALL,
        "port {port} of {address} can't be reached from outside ({answer}), although nginx listens there and ufw "
        "lets everybody in",
        "Something in front of the server drops it: the provider's firewall or security group, or a rule beside ufw.",
        "In your provider's console allow incoming TCP {port} from anywhere, IPv4 and IPv6. If there is no such "
        "firewall, look for other rules on "
        "the server: `iptables-save`, `ip6tables-save`, `nft list ruleset`.",
    ),
    Cause(
        "firewall-or-down",
        hops.FIREWALL,
        "port {port} of {address} can't be reached from outside ({answer}), and the server couldn't be asked why",
        "The server is off, or a firewall is closed, or Ansible can't log in.",
        "Try `ssh` to the server; look at its console at your provider; then run the diagnosis again.",
    ),
    # nginx.
    Cause(
        "nginx-missing",
        hops.NGINX,
        "nginx is not installed",
        "Nothing answers on 80 and 443.",
        f"{SITE}",
    ),
    Cause(
        "nginx-stopped",
        hops.NGINX,
        "nginx doesn't run ({state})",
        "Nothing answers on 80 and 443.",
        "`journalctl -u nginx -n 30` says why; `systemctl start nginx` starts it.",
    ),
    Cause(
        "nginx-invalid",
        hops.NGINX,
        "nginx refuses its configuration: {said}",
        "It goes on with what it read last, or doesn't start at all; no change and no renewed certificate is taken.",
        f"Mend or remove what the message names, until `nginx -t` is content. What Portside wrote is put right by "
        f"{SITE}.",
    ),
    Cause(
        "nginx-not-listening",
        hops.NGINX,
        "nginx runs, but port {port} belongs to {who}",
        "Requests go elsewhere or nowhere.",
        "`ss -ltnp` shows who has the port. Stop that program, then `systemctl restart nginx`.",
    ),
    Cause(
        "site-missing",
        hops.NGINX,
        "nginx has no site with the name {name}",
        "Requests for a name that no site has are refused.",
        f"Is {{name}} in `domains` of app {{app}}? Then {SITE} writes the site.",
    ),
    Cause(
        "site-default",
        hops.NGINX,
        "nginx has no site with the name {name}; a default server answers for it ({file})",
        "Visitors get another site's pages and certificate.",
        f"Is {{name}} in `domains` of app {{app}}? Then {SITE} writes the site. Take `default_server` out of {{file}}.",
    ),
    Cause(
        "webhook-redirected",
        hops.NGINX,
        "POST {url} is answered with a redirect ({status}) to {location}",
        "Stripe and most senders count every redirect as a failure.",
        "Register exactly the URL that answers, with https and the first of `domains`; and declare the path: "
        "`webhooks: [{{path: {path}}}]`. A redirect "
        "of `site.redirects` or `site.extra_config` must not touch it.",
    ),
    Cause(
        "webhook-forbidden",
        hops.NGINX,
        "POST {url} is answered with 403 by nginx; the app itself answers {direct}",
        "A list of allowed or denied addresses keeps the sender out. Senders' addresses change.",
        "Declare the path, so that `site.allow` and `site.deny` leave it alone: `webhooks: [{{path: {path}}}]`. If "
        "it has `allow` of its own, take that out or "
        "complete it. Look for `allow`, `deny` and `return 403`: `nginx -T`.",
    ),
    Cause(
        "webhook-guarded",
        hops.NGINX,
        "POST {url} is answered with 403 by nginx, whose list of senders ({allowed}) has not the machine that looked",
        "That is what `webhooks[].allow` of app {app} is for; but a sender whose addresses have changed is kept out.",
        "Compare `webhooks[].allow` with the addresses that the sender publishes. To see more of this webhook, look "
        "from a machine on that list: `-e portside_diagnose_from=<host of the inventory>`.",
        WARNING,
    ),
    Cause(
        "webhook-certificate",
        hops.NGINX,
        "POST {url} is answered with 403 by nginx, which wants a client certificate (`site.client_ca`); the app itself "
        "answers {direct}",
        "The machine that looked has none, nor have most senders of webhooks.",
        "If the sender shows none: `webhooks: [{{path: {path}, client_cert: optional}}]`, then "
        f"{SITE}. If it does: `client_cert: required` there says that this is meant.",
    ),
    Cause(
        "webhook-password",
        hops.NGINX,
        "POST {url} asks for a password (401) in nginx; the app itself answers {direct}",
        "Senders of webhooks have none.",
        "Declare the path, so that `site.basic_auth` leaves it alone: `webhooks: [{{path: {path}}}]`. Look for "
        "`auth_basic`: `nginx -T`.",
    ),
    Cause(
        "webhook-too-large",
        hops.NGINX,
        "POST {url} with a body of {bytes} bytes is answered with 413 by nginx; the app itself answers {direct}",
        "Larger events never arrive.",
        "`webhooks: [{{path: {path}, max_body_size: 1m}}]`, or `site.max_body_size`. Look for "
        "`client_max_body_size`: `nginx -T`.",
    ),
    Cause(
        "webhook-stopped",
        hops.NGINX,
        "POST {url} is answered with {status} by nginx; the app itself answers {direct}",
        "The event doesn't reach the app.",
        "`tail /var/log/nginx/error.log` says why; is the path in `webhooks` of app {app}, and is the site in "
        "maintenance (`site.maintenance`)?",
    ),
    Cause(
        "webhook-slow",
        hops.NGINX,
        "POST {url} takes {seconds} s through nginx; the app itself {itself}",
        "Senders give up after about 10 s, count a failure and send again: the same event is then handled twice.",
        "Look for `limit_rate`, `limit_req`, `mirror` and `auth_request` in that site (`nginx -T`), and at the load of "
        "the server (`uptime`). If it is fast on the server "
        "(`curl --resolve`), the way from where you look is slow: `-e portside_diagnose_from=<host of the inventory>`.",
    ),
    Cause(
        "webhook-altered",
        hops.NGINX,
        "a signed test event is accepted by the app itself and refused ({status}) through nginx",
        "The body or the header Stripe-Signature doesn't arrive as it was sent.",
        "Look in `nginx -T` for `proxy_set_header Stripe-Signature`, `proxy_pass_request_headers off`, `sub_filter` "
        "and Lua or njs filters in that site, and "
        "take them out.",
    ),
    Cause(
        "nginx-unavailable",
        hops.NGINX,
        "https://{name}{path} is answered with {status} by nginx, while the app itself answers {direct}",
        "Visitors get an error although the app works.",
        "`tail /var/log/nginx/error.log` says why; is the site in maintenance (`site.maintenance.enabled`)?",
    ),
    Cause(
        "redirect-loop",
        hops.NGINX,
        "{url} is answered with a redirect ({status}) to itself",
        "Browsers give up after some twenty rounds. A proxy in front ends TLS and asks by http, where nginx or the app "
        "sends it to https again.",
        "Let the proxy ask by https (Cloudflare: `Full (strict)`). Where it can't: `nginx_real_ip_from` with its "
        f"addresses, and `site: {{{{forwarded_proto: true}}}}` for app {{app}}, then {SITE}.",
    ),
    Cause(
        "header-too-large",
        hops.NGINX,
        "an answer to {what} of {name} had a header that is larger than `header_buffer`",
        "The visitor got 503 in its place. Logins that set several cookies are like that.",
        f"`site: {{{{header_buffer: 32k}}}}` for app {{app}}, or more, then {SITE}.",
        WARNING,
    ),
    Cause(
        "header-underscore",
        hops.NGINX,
        "nginx drops the request header {what} of clients of {name}",
        "Names with an underscore don't reach the app, unless the site says so.",
        f"`site: {{{{underscores: true}}}}` for app {{app}}, then {SITE}; or have the client write `-` for `_`.",
        WARNING,
    ),
    Cause(
        "upgrade-dropped",
        hops.NGINX,
        "clients of app {app} ask for an upgrade that nginx doesn't pass on: {tokens}",
        "The app answers as if they hadn't asked.",
        f"If the app speaks it: `site: {{{{upgrade: [websocket, {{tokens}}]}}}}`, then {SITE}.",
        WARNING,
    ),
    Cause(
        "proxy-protocol-missing",
        hops.NGINX,
        "{count} connections came without the PROXY protocol, which nginx expects (`nginx_proxy_protocol`)",
        "They were refused. If they came from the load balancer, nobody gets through.",
        "Switch it on at the load balancer, for its checks too (HAProxy: `send-proxy`, `check-send-proxy`). Who calls "
        "the server past it is refused rightly.",
        WARNING,
    ),
    Cause(
        "balancer-unanswered",
        hops.NGINX,
        "{agent} asks for {path} under the server's address, and gets no answer",
        "A load balancer takes the server for dead: nginx answers the names of its sites alone.",
        f"`nginx_health_path: {{path}}`, then {SITE}; or have it ask with the Host of a site.",
        WARNING,
    ),
)
