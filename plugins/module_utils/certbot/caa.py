"""Whether CAA records let this host have a certificate: the CA, the way to prove names, and the account."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """What CAA records are held against.

    Attributes:
        identities: the CA's own domains, `letsencrypt.org` for instance.
        method: how names are proved, `http-01` for instance (RFC 8555, section 9.7.8).
        accounts: the URLs of this host's accounts at the CA.
        wildcard: whether the name is a wildcard; `issuewild` then replaces `issue`.
    """

    identities: Collection[str]
    method: str = "http-01"
    accounts: Collection[str] = ()
    wildcard: bool = False


def _split(value: str) -> tuple[str, list[tuple[str, str]]]:
    """The CA's domain and the parameters of an `issue` value (RFC 8659, section 4.2)."""
    domain, *rest = (part.strip() for part in value.split(";"))
    pairs = (part.partition("=")[::2] for part in rest if part)
    return domain.lower(), [(key.strip().lower(), text.strip()) for key, text in pairs]


def _lacks(parameters: Iterable[tuple[str, str]], order: Order) -> str:
    """What a record that names the CA demands besides and this order hasn't (RFC 8657); empty when it allows it."""
    pairs = list(parameters)
    uris = [text for key, text in pairs if key == "accounturi"]
    if len(uris) > 1:
        # RFC 8657, section 3: then nobody may issue.
        return "it has `accounturi` more than once, which allows nobody: leave one record for each account"
    if uris and uris[0] not in order.accounts:
        ours = " or ".join(sorted(order.accounts))
        has = f"this host's is {ours}: write that there" if ours else "this host has none yet: leave `accounturi` out"
        return (
            f"it allows the ACME account {uris[0]} alone, and {has}, or bring the account back that it names "
            "(playbooks/restore.yml)"
        )
    for text in (text for key, text in pairs if key == "validationmethods"):
        methods = [one.strip().lower() for one in text.split(",") if one.strip()]
        if order.method not in methods:
            other_way = ", or have the names proved by DNS (`dns`)" if "dns-01" in methods else ""
            return (
                f"its `validationmethods` lack {order.method}, by which the names of this certificate are proved: "
                f"write `validationmethods={','.join([*methods, order.method])}` there{other_way}"
            )
    return ""


def refusal(records: Iterable[str], order: Order) -> str:
    """Why CAA records forbid an order, and what they would have to say; empty when one of them allows it.

    Args:
        records: `<tag> <value>`; empty for no restriction.
        order: what is to be ordered.
    """
    pairs = [record.partition(" ")[::2] for record in records]
    for tag in ["issuewild", "issue"] if order.wildcard else ["issue"]:
        values = [_split(value) for found, value in pairs if found == tag]
        if not values:
            continue
        ours = {identity.lower() for identity in order.identities}
        lacking = [_lacks(parameters, order) for domain, parameters in values if domain in ours]
        if not lacking:
            return f"it would have to name {' or '.join(order.identities)}"
        return "" if "" in lacking else lacking[0]
    return ""
