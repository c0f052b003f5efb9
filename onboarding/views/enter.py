"""Two ways in: the portal's signed link, and e-mail with password."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from onboarding.flows import handoff, throttling
from onboarding.forms import SignInForm
from onboarding.lockout import client_address
from onboarding.views.access import is_way_back, remembered_page
from onboarding.views.coming_back import kept_across
from onboarding.views.leaving import kept_for
from onboarding.views.problems import too_often

logger = logging.getLogger(__name__)


@csrf_exempt  # The portal's form cannot have our cookie; the signed token takes its place.
@require_http_methods(["GET", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """Let in the customer whom the portal vouches for, with a fresh session."""
    tokens = (request.POST if request.method == "POST" else request.GET).getlist("token")
    try:
        # Two tokens are two opinions about who is coming.
        token = tokens[0] if len(tokens) == 1 else ""
        customer, visitor = handoff.accept(token=token, now=timezone.now())
    except handoff.UnableToEnter as refusal:
        response = _refuse(request, refusal)
        # The page's own address holds the token until the script has taken it out.
        response.headers["Referrer-Policy"] = "strict-origin"
        return response
    back_to = remembered_page(request, customer)
    with kept_across(request), kept_for(request, customer.account):
        request.session.flush()
        login(request, customer.account, backend="onboarding.accounts.CustomerBackend")
    return redirect(visitor.next_path or back_to or "start")


def _refuse(request: HttpRequest, refusal: handoff.UnableToEnter) -> HttpResponse:
    try:
        throttling.count_refused_handoff(
            address=client_address(request) or "",
            customer_number=refusal.customer_number,
            now=timezone.now(),
        )
    except throttling.TooOften as error:
        return too_often(request, retry_at=error.retry_at, what="handoff")
    logger.warning("Hand-off refused", extra={"reason": str(refusal)})
    return render(
        request,
        "onboarding/enter_refused.html",
        {"reason": refusal.reason},
        status=403 if refusal.reason == "staff" else 400,
    )


class SignIn(LoginView):
    template_name = "onboarding/sign_in.html"
    authentication_form = SignInForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            has_come_back=is_way_back(self.get_redirect_url()), **kwargs
        )

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        with kept_across(self.request):
            return super().form_valid(form)

    def get_default_redirect_url(self) -> str:
        if self.request.user.is_staff:
            return resolve_url("admin:index")
        return super().get_default_redirect_url()


class SignOut(LogoutView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with kept_across(request):
            return super().dispatch(request, *args, **kwargs)
