from __future__ import annotations

from django.conf import settings
from django.db.models import Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods

from onboarding.branding import brand
from onboarding.flows import doubles, opt_in, throttling
from onboarding.forms import ConsentForm, DeviceTypeForm
from onboarding.models import Consent, Device, OnboardingSession, PoderoUser, consents
from onboarding.models.attempts import DEVICE_TYPES
from onboarding.models.consents import digest_of
from onboarding.podero.hosted_address import beginning_of
from onboarding.states import State
from onboarding.views.access import customer_required
from onboarding.views.leaving import send_to_hosted_form
from onboarding.views.problems import too_often


def consent_words() -> str:
    """The words that are agreed to, just as the page shows them."""
    return render_to_string("onboarding/partials/_consent_words.html", brand()).strip()


def consent_record(words: str) -> str:
    """All that a customer agrees to by ticking: the words and the sentences beside the boxes."""
    context = {**brand(), "words": words, "is_reminder_offered": settings.IS_MAIL_ON}
    return render_to_string("onboarding/partials/_consent_record.html", context).strip()


@require_http_methods(["GET", "HEAD", "POST"])
@customer_required
def consent(request: HttpRequest, customer: PoderoUser) -> HttpResponse:
    words = consent_words()
    record = consent_record(words)
    form = ConsentForm(
        request.POST or None,
        words_digest=digest_of(record),
        initial={
            "device_type": DeviceTypeForm(request.GET).chosen(),
            "words": digest_of(record),
        },
    )
    if request.method != "POST" or not form.is_valid():
        return _page(request, customer, form, words)
    try:
        attempt = opt_in.start_attempt(
            customer=customer,
            agreement=opt_in.Agreement(
                version=str(consents.CONSENT_VERSION),
                language=get_language() or settings.LANGUAGE_CODE,
                words=record,
                allows_control=form.cleaned_data["allows_control"],
                allows_data_exchange=form.cleaned_data["allows_data_exchange"],
                # What was not on the page cannot have been ticked.
                allows_reminder=settings.IS_MAIL_ON and form.cleaned_data["allows_reminder"],
            ),
            device_type=form.cleaned_data["device_type"],
            submission=form.cleaned_data["submission"],
            now=timezone.now(),
        )
    except OnboardingSession.DoesNotExist:
        # The page was drawn for somebody else who had been signed in here.
        return redirect("consent")
    except throttling.TooOften as error:
        return too_often(request, retry_at=error.retry_at, what="attempt")
    if attempt.state != State.STARTED:
        return redirect("attempt", attempt.reference)
    return send_to_hosted_form(request, attempt)


def _page(
    request: HttpRequest, customer: PoderoUser, form: ConsentForm, words: str
) -> HttpResponse:
    # The newest agreement, and with it, in one query, what was started last and not finished.
    attempts = OnboardingSession.objects.for_customer(customer)
    unfinished = attempts.unfinished().exclude(state=State.RETURNED)
    newest = unfinished.order_by("-started_at")[:1]
    since = (
        customer.consents.select_related("text")
        .annotate(
            unfinished_reference=Subquery(newest.values("reference")),
            unfinished_since=Subquery(newest.values("started_at")),
        )
        .order_by("-given_at", "-pk")
        .first()
    )
    present = Device.objects.for_customer(customer).present()
    linked = list(present.as_shown().order_by("-linked_at", "-pk"))
    chosen = DeviceTypeForm({"device_type": form["device_type"].value()}).chosen()
    return render(
        request,
        "onboarding/consent.html",
        {
            "form": form,
            "words": words,
            "is_reminder_offered": settings.IS_MAIL_ON,
            "customer": customer,
            "connect_addresses": sorted(map(beginning_of, settings.PODERO_CONNECT_HOSTS)),
            "device_types": DEVICE_TYPES,
            "since": since,
            "changes": _changes(since),
            "device_type": chosen,
            "linked_already": doubles.linked_already(linked, chosen),
            "shares_cable": doubles.shares_cable_with(linked, chosen),
        },
        status=422 if form.is_bound else 200,
    )


def _changes(since: Consent | None) -> list[str]:
    """The templates that say what has changed since this consent, the oldest change first."""
    if since is None:
        return []
    return [
        f"onboarding/consent_changes/{version}.html"
        for version in range(int(since.text.version) + 1, consents.CONSENT_VERSION + 1)
    ]
