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

from onboarding.flows import handoff
from onboarding.forms import SignInForm
from onboarding.views.access import remembered_page
from onboarding.views.coming_back import kept_across

logger = logging.getLogger(__name__)


@csrf_exempt  # The portal's form cannot have our cookie; the signed token takes its place.
@require_http_methods(["GET", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """Let in the customer whom the portal vouches for, with a fresh session."""
    token = request.POST.get("token") or request.GET.get("token", "")
    try:
        customer, visitor = handoff.accept(token=token, now=timezone.now())
    except handoff.UnableToEnter as refusal:
        logger.warning("Hand-off refused", extra={"reason": str(refusal)})
        return _refused(request, refusal)
    back_to = remembered_page(request, customer)
    with kept_across(request):
        request.session.flush()
        login(request, customer.account, backend="onboarding.accounts.CustomerBackend")
    return redirect(visitor.next_path or back_to or "start")


def _refused(request: HttpRequest, refusal: handoff.UnableToEnter) -> HttpResponse:
    response = render(
        request,
        "onboarding/enter_refused.html",
        {"reason": refusal.reason},
        status=403 if refusal.reason == "staff" else 400,
    )
    # The token stands in this page's address; forms on it still need their origin.
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


class SignIn(LoginView):
    template_name = "onboarding/sign_in.html"
    authentication_form = SignInForm

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
