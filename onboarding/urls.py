"""Every address of the app; the name before the dot is the module in `views/`."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.generic import RedirectView

from onboarding.views import (
    attempts,
    brand,
    consent,
    devices,
    enter,
    health,
    leave,
    receipts,
    returning,
    start,
)

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="start"), name="home"),
    path("enter/", enter.enter, name="enter"),
    path("sign-in/", enter.SignIn.as_view(), name="sign_in"),
    path("sign-out/", LogoutView.as_view(), name="sign_out"),
    path("optimize/", start.start, name="start"),
    path("optimize/consent/", consent.consent, name="consent"),
    path("optimize/consents/<uuid:reference>/", receipts.receipt, name="receipt"),
    path("optimize/return/unknown/", returning.unknown, name="return_unknown"),
    path("optimize/return/other-customer/", returning.other_customer, name="return_other_customer"),
    path("optimize/return/<str:token>/success/", returning.success, name="return_success"),
    path("optimize/return/<str:token>/cancel/", returning.cancel, name="return_cancel"),
    path("optimize/attempts/<uuid:reference>/", attempts.attempt, name="attempt"),
    path(
        "optimize/attempts/<uuid:reference>/status", attempts.attempt_status, name="attempt_status"
    ),
    path(
        "optimize/attempts/<uuid:reference>/continue/",
        attempts.continue_attempt,
        name="continue_attempt",
    ),
    path("optimize/attempts/<uuid:reference>/check/", attempts.check_attempt, name="check_attempt"),
    path("optimize/devices/", devices.devices, name="devices"),
    path(
        "optimize/devices/<uuid:reference>/confirm/", devices.confirm_device, name="confirm_device"
    ),
    path("optimize/leave/", leave.leave, name="leave"),
    path("optimize/leave/done/", leave.left, name="left"),
    path("brand.<str:version>.css", brand.brand_css, name="brand_css"),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("health/metrics", health.prometheus, name="health_metrics"),
]
