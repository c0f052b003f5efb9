"""What the app remembers. Each module holds one table's fields, constraints and named moves.

What is asked of attempts and devices is so much that it has modules of its own beside theirs.
"""

from onboarding.models.attempts import InvalidTransition, OnboardingSession
from onboarding.models.breakers import Breaker
from onboarding.models.charge_wishes import ChargeWish
from onboarding.models.consents import Consent, ConsentText
from onboarding.models.devices import Device
from onboarding.models.erasures import ErasedCount
from onboarding.models.events import SessionEvent
from onboarding.models.handoffs import UsedHandoff
from onboarding.models.job_runs import JobRun
from onboarding.models.leaving_reasons import LeavingReason
from onboarding.models.mails import Mail
from onboarding.models.podero_users import PoderoUser
from onboarding.models.reconnections import Reconnection
from onboarding.models.tallies import Tally

__all__ = [
    "Breaker",
    "ChargeWish",
    "Consent",
    "ConsentText",
    "Device",
    "ErasedCount",
    "InvalidTransition",
    "JobRun",
    "LeavingReason",
    "Mail",
    "OnboardingSession",
    "PoderoUser",
    "Reconnection",
    "SessionEvent",
    "Tally",
    "UsedHandoff",
]
