"""A Stripe webhook receiver: it believes an event only when Stripe's signature on the raw body is right."""

import os
import sys
from typing import Any

import stripe
from fastapi import FastAPI, HTTPException, Request

SECRET_VARIABLE = "STRIPE_WEBHOOK_SECRET"  # noqa: S105 (the name of a variable, not a secret)


def create_app() -> FastAPI:
    """The application; uvicorn calls this (`--factory`). Ends the process when the signing secret is missing."""
    secret = os.environ.get(SECRET_VARIABLE)
    if not secret:
        sys.exit(
            f"{SECRET_VARIABLE} is not set: without it every event would have to be believed."
            " Set it to the signing secret (whsec_...) that Stripe shows for this endpoint."
        )
    version = os.environ.get("APP_VERSION", "dev")
    app = FastAPI(title="webhook-app", version=version, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Answers 200 as soon as the app can take requests."""
        return {"status": "ok", "version": version}

    @app.get("/whoami")
    async def whoami(request: Request) -> dict[str, Any]:
        """What reaches the app through everything in front of it."""
        return {
            "client": request.client.host if request.client else None,
            "scheme": request.url.scheme,
            "host": request.url.netloc,
            "headers": dict(request.headers),
            "version": version,
        }

    @app.post("/webhooks/stripe")
    async def stripe_webhook(request: Request) -> dict[str, Any]:
        """Takes an event. The signature covers the bytes as they were sent, so the body is never parsed before."""
        signature = request.headers.get("stripe-signature")
        if signature is None:
            raise HTTPException(400, "Missing Stripe-Signature header")
        try:
            event = stripe.Webhook.construct_event(await request.body(), signature, secret)
        except stripe.SignatureVerificationError as error:
            raise HTTPException(400, "Invalid Stripe-Signature header") from error
        except ValueError as error:
            raise HTTPException(400, "The body is not a Stripe event") from error
        # Stripe repeats an event until it gets a 2xx, and may send one twice: remember event.id before acting on it.
        return {"received": event.id, "type": event.type}

    return app
