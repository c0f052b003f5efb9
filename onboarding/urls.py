"""Every address of the app; the name before the dot is the module in `views/`."""

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
    reconnecting,
    reminders,
    removal,
    returning,
    start,
    steering,
)

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="start"), name="home"),
    path("enter/", enter.enter, name="enter"),
    path("sign-in/", enter.SignIn.as_view(), name="sign_in"),
    path("sign-out/", enter.SignOut.as_view(), name="sign_out"),
    path("optimize/", start.start, name="start"),
    path("optimize/consent/", consent.consent, name="consent"),
    path("optimize/consents/<uuid:reference>/", receipts.receipt, name="receipt"),
    path("optimize/consents/<uuid:reference>/withdrawal/", leave.left, name="withdrawal"),
    path("optimize/return/unknown/", returning.unknown, name="return_unknown"),
    path("optimize/return/other-customer/", returning.other_customer, name="return_other_customer"),
    path("optimize/return/<str:token>/success/", returning.success, name="return_success"),
    path(
        "optimize/return/<str:token>/success/<path:appended>",
        returning.success,
        name="return_success",
    ),
    path("optimize/return/<str:token>/cancel/", returning.cancel, name="return_cancel"),
    path(
        "optimize/return/<str:token>/cancel/<path:appended>", returning.cancel, name="return_cancel"
    ),
    path("optimize/attempts/<uuid:reference>/", attempts.attempt, name="attempt"),
    path(
        "optimize/attempts/<uuid:reference>/status", attempts.attempt_status, name="attempt_status"
    ),
    path(
        "optimize/attempts/<uuid:reference>/continue/",
        attempts.continue_attempt,
        name="continue_attempt",
    ),
    path("optimize/attempts/<uuid:reference>/back/", returning.resume, name="resume_return"),
    path("optimize/attempts/<uuid:reference>/check/", attempts.check_attempt, name="check_attempt"),
    path(
        "optimize/attempts/<uuid:reference>/no-reminder/",
        reminders.stop_here,
        name="stop_reminders_here",
    ),
    path("optimize/reminders/<str:token>/stop/", reminders.stop, name="stop_reminders"),
    path("optimize/devices/", devices.devices, name="devices"),
    path(
        "optimize/devices/<uuid:reference>/confirm/", devices.confirm_device, name="confirm_device"
    ),
    path("optimize/devices/<uuid:reference>/remove/", removal.remove_device, name="remove_device"),
    path("optimize/devices/status", devices.devices_status, name="devices_status"),
    path("optimize/devices/look/", devices.look_again, name="look_again"),
    path("optimize/devices/<uuid:reference>/pause/", steering.pause, name="pause_device"),
    path("optimize/devices/<uuid:reference>/resume/", steering.resume, name="resume_device"),
    path("optimize/devices/<uuid:reference>/charge/", steering.charge, name="charge_device"),
    path(
        "optimize/devices/<uuid:reference>/do-not-charge/",
        steering.do_not_charge,
        name="do_not_charge_device",
    ),
    path(
        "optimize/devices/<uuid:reference>/reconnect/",
        reconnecting.reconnect,
        name="reconnect_device",
    ),
    path(
        "optimize/devices/return/<str:token>/success/",
        reconnecting.success,
        name="reconnect_success",
    ),
    path(
        "optimize/devices/return/<str:token>/success/<path:appended>",
        reconnecting.success,
        name="reconnect_success",
    ),
    path(
        "optimize/devices/return/<str:token>/cancel/", reconnecting.cancel, name="reconnect_cancel"
    ),
    path(
        "optimize/devices/return/<str:token>/cancel/<path:appended>",
        reconnecting.cancel,
        name="reconnect_cancel",
    ),
    path(
        "optimize/devices/reconnections/<uuid:reference>/",
        reconnecting.reconnection,
        name="reconnection",
    ),
    path(
        "optimize/devices/reconnections/<uuid:reference>/status",
        reconnecting.reconnection_status,
        name="reconnection_status",
    ),
    path(
        "optimize/devices/reconnections/<uuid:reference>/check/",
        reconnecting.check_reconnection,
        name="check_reconnection",
    ),
    path(
        "optimize/devices/reconnections/<uuid:reference>/back/",
        reconnecting.resume,
        name="resume_reconnection",
    ),
    path("optimize/leave/", leave.leave, name="leave"),
    path("optimize/leave/done/", leave.left, name="left"),
    path("optimize/leave/reason/", leave.leaving_reason, name="leaving_reason"),
    path("brand.<str:version>.css", brand.brand_css, name="brand_css"),
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("health/metrics", health.prometheus, name="health_metrics"),
]
