"""What can be wrong with a certificate."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import hops
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.causes.cause import SITE, WARNING, Cause

CAUSES: tuple[Cause, ...] = (
    # The certificate.
    Cause(
        "certificate-placeholder",
        hops.CERTIFICATE,
        "{name} has a self-signed certificate ({issuer})",
        "Nobody trusts it: it is what stands there until a certificate authority has signed one.",
        f"{SITE} asks for one, and says why it couldn't be had. Its log: `/var/log/letsencrypt/letsencrypt.log`.",
    ),
    Cause(
        "certificate-expired",
        hops.CERTIFICATE,
        "the certificate of {name} expired on {not_after}",
        "Every client refuses it.",
        f"{SITE} renews it. Then find out why it wasn't: `systemctl list-timers certbot.timer`, `journalctl -u "
        f"certbot`. `portside-certbot-check` says whether a newer one is on disk: then `systemctl reload nginx`.",
    ),
    Cause(
        "certificate-future",
        hops.CERTIFICATE,
        "the certificate of {name} is not valid yet",
        "Every client refuses it. Most often a clock is wrong.",
        "`timedatectl` on the server, and the clock of the machine that looked.",
    ),
    Cause(
        "certificate-name",
        hops.CERTIFICATE,
        "the certificate for {name} is one for {names}",
        "Every client refuses it.",
        f"Is {{name}} in `domains` of app {{app}}? Then {SITE} gets a certificate for all its names. `certbot "
        f"certificates` lists them.",
    ),
    Cause(
        "certificate-chain",
        hops.CERTIFICATE,
        "the certificate of {name} comes without the intermediate ({issuer})",
        "Browsers may find the missing one by themselves; Stripe, curl and most programs don't.",
        "nginx must name `fullchain.pem`, not `cert.pem`, in `ssl_certificate`: `nginx -T | grep ssl_certificate`. "
        "What Portside wrote is put right by "
        f"{SITE}.",
    ),
    Cause(
        "certificate-staging",
        hops.CERTIFICATE,
        "the certificate of {name} is from a staging authority ({issuer})",
        "It is for trying things out; nobody trusts it.",
        f"Take `portside_acme_directory: staging` out of the inventory, then {SITE}.",
    ),
    Cause(
        "certificate-untrusted",
        hops.CERTIFICATE,
        "the certificate of {name} is not trusted: {error} (issuer: {issuer})",
        "Clients refuse it.",
        f"With a private authority name its root: `portside_diagnose_ca_file`. Else {SITE} gets one from Let's "
        f"Encrypt.",
    ),
    Cause(
        "certificate-handshake",
        hops.CERTIFICATE,
        "no TLS handshake for {name} at {address}: {error}",
        "No client gets as far as the app.",
        "`nginx -t`, `tail /var/log/nginx/error.log`; from outside: `openssl s_client -connect {address}:443 "
        "-servername {name}`.",
    ),
    Cause(
        "certificate-stale",
        hops.CERTIFICATE,
        "nginx shows another certificate for {name} (serial {serial}) than the one on disk ({on_disk})",
        "A renewed certificate does not reach visitors: when the one that is shown expires, every client refuses it.",
        "`nginx -t && systemctl reload nginx`; why nginx wasn't told is in `journalctl -t portside-certbot`. "
        "`portside-certbot-check` looks at all certificates.",
    ),
    Cause(
        "certificate-soon",
        hops.CERTIFICATE,
        "the certificate of {name} has {days} days left and has not been renewed",
        "It should have been by now.",
        "`systemctl list-timers certbot.timer`, `journalctl -u certbot`, `certbot renew --dry-run`.",
        WARNING,
    ),
)
