"""Stripe's side of a webhook: an event and the signature that Stripe sends with it."""

import hashlib
import hmac

EVENT = '{"id":"evt_1","object":"event","type":"charge.succeeded","data":{"object":{"description":"Käse\\r\\n"}}}'


def signature(body: str, secret: str, timestamp: int) -> str:
    """Value of the header Stripe-Signature for a body sent at `timestamp` (seconds since 1970).

    An HMAC over the time and the raw body: https://docs.stripe.com/webhooks/signature, scheme v1.
    """
    digest = hmac.new(secret.encode(), f"{timestamp}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"
