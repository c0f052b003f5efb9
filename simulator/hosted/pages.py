"""What all hosted pages share: blueprint, headers, refusals."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, render_template
from werkzeug.datastructures import Headers

from simulator.hosted.linking import UnableToUseSession
from simulator.records import OnboardingSession
from simulator.vocabulary import DEMO_PASSWORD, OTHER_ACCOUNT_DEMO, Manufacturer

hosted = Blueprint("hosted", __name__)

REFUSAL_STATUS = {"unknown": 404, "expired": 410, "completed": 410}


@hosted.after_request
def protect(response: Response) -> Response:
    """Forbid script, framing, caching and referrers: the address is a key."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@hosted.errorhandler(UnableToUseSession)
def refuse(error: UnableToUseSession) -> Response:
    """Explain why this form cannot be used."""
    if error.reason == "completed" and error.session and error.session.is_result_repeated:
        return page("hosted/connected.html", session=error.session)
    return page(
        f"hosted/{error.reason}.html",
        status=REFUSAL_STATUS[error.reason],
        language=error.session.language if error.session else "en",
    )


def page(
    template: str,
    *,
    status: int = 200,
    session: OnboardingSession | None = None,
    language: str = "en",
    **values: Any,
) -> Response:
    """Render a hosted page in the session's language attribute."""
    html = render_template(
        template,
        session=session,
        language=session.language if session else language,
        **values,
    )
    return Response(html, status=status, mimetype="text/html")


def leave_to(address: str, status: int = 302) -> Response:
    """Send the browser away, to exactly this address."""
    return Response(status=status, headers=Headers({"Location": address}))


def demo_logins(maker: Manufacturer) -> dict[str, str]:
    """Return the credentials that the page shows as a hint."""
    return {
        "username": maker.demo_username,
        "other": OTHER_ACCOUNT_DEMO,
        "password": DEMO_PASSWORD,
    }
