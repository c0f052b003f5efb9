from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from onboarding.models import Consent, PoderoUser
from onboarding.models.seals import Mark
from onboarding.views.access import customer_required


@require_safe
@customer_required
def receipt(request: HttpRequest, customer: PoderoUser, reference: UUID) -> HttpResponse:
    """What this customer agreed to, in the words of that day; to keep and to print."""
    own = Consent.objects.filter(podero_user=customer).with_evidence()
    consent = get_object_or_404(own, reference=reference)
    return render(
        request,
        "onboarding/receipt.html",
        {
            "consent": consent,
            "customer": customer,
            # Words that are not those that were stored are never put into a page as they are.
            "is_changed": consent.examine() is not Mark.INTACT,
            "is_mailed": settings.IS_MAIL_ON,
        },
    )
