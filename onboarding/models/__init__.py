"""What the app remembers. Each module holds one table's fields, constraints and named moves."""

from onboarding.models.attempts import InvalidTransition, OnboardingSession, SessionEvent
from onboarding.models.breakers import Breaker
from onboarding.models.consents import Consent, ConsentText
from onboarding.models.devices import Device
from onboarding.models.erasures import ErasedCount
from onboarding.models.handoffs import UsedHandoff
from onboarding.models.job_runs import JobRun
from onboarding.models.mails import Mail
from onboarding.models.podero_users import PoderoUser

__all__ = [
    "Breaker",
    "Consent",
    "ConsentText",
    "Device",
    "ErasedCount",
    "InvalidTransition",
    "JobRun",
    "Mail",
    "OnboardingSession",
    "PoderoUser",
    "SessionEvent",
    "UsedHandoff",
]
