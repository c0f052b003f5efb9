"""Support's window on attempts, customers and devices: everything to read, nothing to falsify."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from onboarding.admin.attempts import AttemptAdmin
from onboarding.admin.consents import ConsentAdmin
from onboarding.admin.customers import CustomerAdmin
from onboarding.admin.devices import DeviceAdmin
from onboarding.admin.leaving_reasons import LeavingReasonAdmin
from onboarding.admin.staff import StaffAdmin

admin.site.site_title = admin.site.site_header = _("Podero onboarding: support")
admin.site.index_title = _("What is on record")

__all__ = [
    "AttemptAdmin",
    "ConsentAdmin",
    "CustomerAdmin",
    "DeviceAdmin",
    "LeavingReasonAdmin",
    "StaffAdmin",
]
