"""Support's window on attempts, customers and devices: everything to read, nothing to falsify."""

from onboarding.admin.attempts import AttemptAdmin
from onboarding.admin.consents import ConsentAdmin
from onboarding.admin.customers import CustomerAdmin
from onboarding.admin.devices import DeviceAdmin
from onboarding.admin.leaving_reasons import LeavingReasonAdmin

__all__ = ["AttemptAdmin", "ConsentAdmin", "CustomerAdmin", "DeviceAdmin", "LeavingReasonAdmin"]
