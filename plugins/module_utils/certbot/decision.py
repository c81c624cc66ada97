"""What has to be done so that a lineage is as declared."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot.lineage import Lineage, RenewalConf
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Certificate, Dns, Wanted

# certbot 4.1.0 renews when a third of the lifetime is left (half, if shorter than ten days); before, always 30 days.
# 4.0.0 has that rule too, but goes on setting renew_before_expiry to 30 days by default, which comes first
# (certbot/certbot#10306): every run renews a certificate of 6 days.
_OWN_WINDOW_SINCE = (4, 1, 0)
_FIXED_WINDOW = timedelta(days=30)
_SHORT_LIVED = timedelta(days=10)


@dataclass(frozen=True)
class Edit:
    """Options of the renewal configuration that are to change, without a new certificate.

    Attributes:
        values: options before the first section.
        params: options of [renewalparams].
        webroot: the webroot for every name; None to leave it.
    """

    values: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    webroot: str | None = None

    def __bool__(self) -> bool:
        return bool(self.values or self.params or self.webroot)


def reasons_to_issue(certificate: Certificate, lineage: Lineage, wanted: Wanted, now: datetime) -> tuple[str, ...]:
    """Why a new certificate has to be ordered; empty when the present one will do.

    A certificate that merely comes near its end is the timer's business, not Ansible's.
    """
    if lineage.damage:
        return (f"the lineage is damaged: {lineage.damage}",)
    if lineage.conf is None or lineage.leaf is None:
        return ("there is none yet",)
    found: list[str] = []
    added = sorted(set(certificate.domains) - lineage.leaf.names)
    removed = sorted(lineage.leaf.names - set(certificate.domains))
    if added:
        found.append(f"it lacks {', '.join(added)}")
    if removed:
        found.append(f"it still has {', '.join(removed)}")
    params = lineage.conf.params
    if params.get("server") != wanted.server:
        found.append(f"it is from {params.get('server', 'an unknown server')}")
    # certbot before 2.0 made RSA keys and did not write so.
    if params.get("key_type", "rsa") != certificate.key_type:
        found.append(f"its key is {params.get('key_type', 'rsa').upper()}")
    if params.get("authenticator") != certificate.authenticator:
        wants = f"plugin {certificate.authenticator}" if certificate.dns else "the webroot"
        found.append(f"it is renewed by certbot's {params.get('authenticator', 'unknown')} plugin, not through {wants}")
    profile = params.get("required_profile") or params.get("preferred_profile") or ""
    if profile != certificate.profile:
        found.append(f"its profile is {profile or 'the default'}")
    if lineage.leaf.not_after <= now:
        found.append(f"it expired at {lineage.leaf.not_after:%Y-%m-%d %H:%M} UTC")
    return tuple(found)


def renewal_window(lifetime: timedelta) -> timedelta:
    """How long before its end a certificate is to be renewed, as certbot 4.1 does it.

    Source: certbot/_internal/renewal.py, _default_renewal_time, in 4.1.0; Let's Encrypt's advice is the same.
    """
    return lifetime / 2 if lifetime < _SHORT_LIVED else lifetime / 3


def _window_option(lineage: Lineage) -> str | None:
    """The renew_before_expiry that the lineage has to have from now on; None to leave it as it is.

    certbot before 4.1 needs one for a certificate to which 30 days do not fit. certbot keeps the option when the
    lineage gets a certificate of another lifetime: what was written for six days would be too late for 90.
    """
    if lineage.conf is None or lineage.leaf is None:
        return None
    window = renewal_window(lineage.leaf.not_after - lineage.leaf.not_before)
    wanted = f"{window // timedelta(hours=1)} hours"
    present = lineage.conf.values.get("renew_before_expiry", "")
    if present:
        # In hours it is from here; in other units the user's own.
        return wanted if present.endswith(" hours") and present != wanted else None
    fits = lineage.conf.version >= _OWN_WINDOW_SINCE or window >= _FIXED_WINDOW - timedelta(hours=1)
    return None if fits else wanted


def _webroot(lineage: RenewalConf, wanted: Wanted) -> str | None:
    """The webroot that the renewal configuration should have; None if it has."""
    present = {path.rstrip("/") for path in lineage.webroots.values()}
    present |= {path.strip().rstrip("/") for path in lineage.params.get("webroot_path", "").split(",") if path.strip()}
    return wanted.webroot if present != {wanted.webroot.rstrip("/")} else None


def plugin_options(dns: Dns, credentials: Path | None) -> dict[str, str]:
    """A DNS plugin's options as certbot's command line names them, without the two hyphens.

    Args:
        dns: the way to prove names.
        credentials: its credentials file; None without one.
    """
    options = {f"{dns.authenticator}-{key}": value for key, value in dns.options}
    return options | ({f"{dns.authenticator}-credentials": str(credentials)} if credentials else {})


def edit(
    certificate: Certificate,
    lineage: Lineage,
    wanted: Wanted,
    accounts: Collection[str],
    credentials: Path | None = None,
) -> Edit:
    """What has to change in the renewal configuration of a lineage whose certificate will do.

    Args:
        certificate: as declared.
        lineage: as it stands.
        wanted: what was declared.
        accounts: ids of the host's accounts at the wanted server.
        credentials: the DNS plugin's credentials file; None without one.
    """
    if lineage.conf is None:
        return Edit()
    values: dict[str, str] = {}
    params: dict[str, str] = {}
    window = _window_option(lineage)
    if window:
        values["renew_before_expiry"] = window
    webroot = None
    if certificate.dns:
        options = plugin_options(certificate.dns, credentials)
        stored = {key.replace("-", "_"): value for key, value in options.items()}
        params |= {key: value for key, value in stored.items() if lineage.conf.params.get(key) != value}
    else:
        webroot = _webroot(lineage.conf, wanted)
        if webroot:
            params["webroot_path"] = f"{webroot},"
    # An account that is gone (a restored or rebuilt host) would fail every renewal; certbot names it by id in each
    # lineage.
    if len(accounts) == 1 and lineage.conf.params.get("account") not in accounts:
        params["account"] = next(iter(accounts))
    return Edit(values, params, webroot)
