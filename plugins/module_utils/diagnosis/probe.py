"""One connection, one TLS handshake, one HTTP request: each says how far it got and how long it took.

Nothing here reads a proxy variable: what is to be seen is the way itself.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.diagnosis.nested import Nested

# Seconds after which senders of webhooks give up (Stripe documents "a 2xx quickly", and cuts off at about that).
SENDER_TIMEOUT = 10.0
# Seconds. The probe waits longer than senders do, so that "slow" and "silent" can be told apart.
CONNECT_TIMEOUT = 4.0
ANSWER_TIMEOUT = 15.0
USER_AGENT = "portside-diagnose"

# What a port says (the same words as modules/firewall_probe.py).
OPEN, REFUSED, SILENT, UNREACHABLE = "open", "refused", "silent", "unreachable"
# There is no way from here to that family of addresses; that is nobody's fault.
NO_WAY = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

# As large as events get that carry whole objects; nginx's own default of 1 MB lets them in, 8 kB would not.
BODY_BYTES = 65536


def milliseconds(since: float) -> int:
    """Whole milliseconds since a value of time.monotonic()."""
    return round((time.monotonic() - since) * 1000)


def connect(host: str, port: int, timeout: float = CONNECT_TIMEOUT) -> tuple[socket.socket | None, dict[str, Any]]:
    """A TCP connection, and `{answer, error, ms}`. Without an answer there is no socket."""
    begin = time.monotonic()
    try:
        connection = socket.create_connection((host, port), timeout)
    except TimeoutError:
        return None, {"answer": SILENT, "error": f"no answer within {timeout:g} s", "ms": milliseconds(begin)}
    except OSError as error:
        answer = UNREACHABLE if error.errno in NO_WAY else REFUSED
        return None, {"answer": answer, "error": error.strerror or str(error), "ms": milliseconds(begin)}
    return connection, {"answer": OPEN, "error": "", "ms": milliseconds(begin)}


def trusting(certificates: str = "", bundle: str = "", added: Iterable[str] = ()) -> ssl.SSLContext:
    """A context that trusts these certificates (PEM) or that bundle, or, without either, what this machine trusts.

    Args:
        certificates: PEM.
        bundle: a file, or a directory with hashed names.
        added: files to trust beside them.
    """
    folder = bundle if bundle and Path(bundle).is_dir() else None
    file = None if folder else bundle or None
    context = ssl.create_default_context(cadata=certificates or None, cafile=file, capath=folder)
    for beside in added:
        context.load_verify_locations(cafile=beside)
    # Python 3.13 asks more of a CA certificate than browsers do.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def trusting_anything() -> ssl.SSLContext:
    """A context for what is asked behind a certificate that was judged already."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def handshake(
    raw: socket.socket, name: str, context: ssl.SSLContext, timeout: float = ANSWER_TIMEOUT
) -> tuple[Any, dict[str, Any]]:
    """TLS over a connection, which may be TLS itself, and `{ok, code, error, ms}`; without a handshake there is none.

    `code` is OpenSSL's X509_V_ERR_… or 0.
    """
    begin = time.monotonic()
    raw.settimeout(timeout)
    try:
        if isinstance(raw, ssl.SSLSocket):
            secured: Any = Nested(raw, context, name)
        else:
            secured = context.wrap_socket(raw, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        raw.close()
        return None, {"ok": False, "code": error.verify_code, "error": error.verify_message, "ms": milliseconds(begin)}
    except (OSError, ValueError) as error:
        raw.close()
        said = getattr(error, "reason", None) or str(error) or type(error).__name__
        return None, {"ok": False, "code": 0, "error": str(said), "ms": milliseconds(begin)}
    return secured, {"ok": True, "code": 0, "error": "", "ms": milliseconds(begin)}


def ask(
    connection: socket.socket,
    host: str,
    method: str,
    target: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = ANSWER_TIMEOUT,
) -> dict[str, Any]:
    """One request over an open connection, which is closed: `{status, location, forwarded, error, ms}`; 0 is no answer.

    `forwarded` is whether a proxy in between passed the answer on: it has to say so in `Via` (RFC 9110, section 7.6.3).
    Squid says so of its own errors, too, and marks those.
    """
    begin = time.monotonic()
    connection.settimeout(timeout)
    client = http.client.HTTPConnection(host, timeout=timeout)
    client.sock = connection
    found: dict[str, Any] = {"status": 0, "location": "", "forwarded": False, "error": ""}
    try:
        sent = {"Host": host, "User-Agent": USER_AGENT, "Connection": "close", **(headers or {})}
        # A refusal may come before the body is through (413); then it is the answer that counts.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.request(method, target, body=body, headers=sent)
        answer = client.getresponse()
        found |= {"status": answer.status, "location": answer.headers.get("Location", "")}
        found["forwarded"] = "Via" in answer.headers and "X-Squid-Error" not in answer.headers
    except TimeoutError:
        found["error"] = f"no answer within {timeout:g} s"
    except (http.client.HTTPException, OSError) as error:
        found["error"] = str(error) or type(error).__name__
    finally:
        client.close()
    return {**found, "ms": milliseconds(begin)}


def event() -> bytes:
    """The body of a webhook, as large as a large one: odd bytes included, which a parser would write differently."""
    whole = {"id": "evt_portside_diagnose", "object": "event", "type": "portside.diagnose", "data": {"object": {}}}
    text = json.dumps(whole | {"note": 'K\u00e4se \u2713 \r\n\t"1.0e1"'}, ensure_ascii=False, indent=1)
    return text.encode() + b"\n" + b" " * (BODY_BYTES - len(text.encode()) - 1)


def signature(body: bytes, secret: str, moment: int) -> str:
    """The header Stripe-Signature: an HMAC over time and raw body (https://docs.stripe.com/webhooks/signature, v1).

    Args:
        body: as it is sent.
        secret: the endpoint's signing secret, `whsec_…`.
        moment: seconds since 1970.
    """
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def webhook_headers(secret: str = "", body: bytes = b"") -> dict[str, str]:
    """What a webhook carries: without a secret no signature, and a good receiver answers 400."""
    signed = {"Stripe-Signature": signature(body, secret, int(time.time()))} if secret else {}
    return {"Content-Type": "application/json; charset=utf-8", **signed}
