"""Which attempts are asked for, and the moves of many of them at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models import BooleanField, ExpressionWrapper, OuterRef, Q

from onboarding.models.events import SessionEvent
from onboarding.models.podero_users import PoderoUser
from onboarding.models.return_tokens import kept_hash_of, kept_hash_of_cancel
from onboarding.states import AWAITING_DEVICE, UNFINISHED, Event, FailureCode, State, sources_of

if TYPE_CHECKING:
    from onboarding.models.attempts import OnboardingSession

# What somebody has linked before coming back, Podero makes a device of within this time.
LATE = timedelta(days=1)
# In a query about devices: whether Podero's session says which attempt brought the device.
IS_DEVICE_NAMED = ExpressionWrapper(OuterRef("is_named_by_session"), output_field=BooleanField())


def _may_bring_a_device(now: datetime) -> Q:
    # One that is linked without a return is so by what a look found: its form may still be open.
    return (~Q(state=State.LINKED) | Q(returned_at=None)) & (
        Q(expires_at__gt=now)
        | Q(state__in=[State.OPEN, State.RETURNED])
        | Q(state=State.STARTED, claimed_at__isnull=False)
    )


class OnboardingSessionQuerySet(models.QuerySet["OnboardingSession"]):
    def for_customer(self, podero_user: PoderoUser) -> OnboardingSessionQuerySet:
        return self.filter(podero_user=podero_user)

    def with_success_token(self, token: str) -> OnboardingSessionQuerySet:
        """The attempt whose success address carries `token`; only its hash is known here."""
        return self.filter(return_token_hash=kept_hash_of(token))

    def with_cancel_token(self, token: str) -> OnboardingSessionQuerySet:
        return self.filter(return_token_hash=kept_hash_of_cancel(token))

    def unfinished(self) -> OnboardingSessionQuerySet:
        """Those a customer may still want to finish: not continued elsewhere, nor settled there."""
        latest = self.filter(state__in=UNFINISHED, continued_by=None)
        return latest.exclude(continues__state=State.LINKED)

    def that_may_bring_a_device(self, *, now: datetime) -> OnboardingSessionQuerySet:
        """Those whose hosted form may still be finished, or is being opened or looked at."""
        return self.filter(_may_bring_a_device(now))

    def that_came_back_elsewhere(self) -> OnboardingSessionQuerySet:
        """Those with which only another browser than the one that left came back.

        Who came back in the browser that left had finished the form, whoever else followed its
        address before or after. In another one even the customer's account shows nothing: it may
        have been signed in there by somebody else's link.
        """
        return self.filter(foreign_return_at__isnull=False, is_return_matched=False)

    def that_are_waited_for(self) -> OnboardingSessionQuerySet:
        """Those of which Podero is still to say what they brought."""
        waiting = self.filter(podero_id__isnull=False, next_try_at__isnull=False)
        return waiting.exclude(state=State.LINKED)

    def that_brought_it_elsewhere(self) -> OnboardingSessionQuerySet:
        """In a query about devices: those of them that `may_have_brought` the device."""
        came_late = Q(foreign_return_at__gte=OuterRef("linked_after") - LATE)
        ran_out_late = Q(expires_at__gte=OuterRef("linked_after"))
        is_in_time = (came_late | ran_out_late) & Q(started_at__lte=OuterRef("linked_at"))
        return self.that_came_back_elsewhere().filter(
            Q(pk=OuterRef("attempt")) | (is_in_time & ~Q(IS_DEVICE_NAMED)),
            podero_user=OuterRef("podero_user"),
        )

    def unsettled(self) -> OnboardingSessionQuerySet:
        """Those whose form somebody else may have finished, or may yet.

        Settled are those of which Podero's session names a device whose login the customer holds:
        they came back with it themselves.
        """
        own = Q(devices__is_named_by_session=True, devices__is_holder_proven=True)
        settled = self.model.objects.filter(own).values("pk")
        return self.filter(podero_id__isnull=False).exclude(pk__in=settled)

    def that_compete_with(self, attempt: OnboardingSession) -> OnboardingSessionQuerySet:
        """Others of its customer that may have brought what a return with it names."""
        return self.filter(podero_user=attempt.podero_user_id).exclude(pk=attempt.pk).unsettled()

    def that_may_matter_for_devices(self) -> OnboardingSessionQuerySet:
        """Those that came back elsewhere, and those that are `unsettled`."""
        return self.that_came_back_elsewhere() | self.unsettled()

    def due(self, *states: State, now: datetime) -> OnboardingSessionQuerySet:
        """Those to be taken up now, the one that waits longest first."""
        due = self.filter(state__in=states, next_try_at__lte=now)
        return due.order_by("next_try_at", "pk")

    def look_soon(self, *, at: datetime) -> None:
        """Have what somebody may just have linked looked for, where nobody is about to."""
        waiting = self.filter(state__in=AWAITING_DEVICE)
        waiting.filter(Q(next_try_at=None) | Q(next_try_at__gt=at)).update(next_try_at=at)

    def mark_expired(self, *, failure_code: FailureCode, at: datetime, at_most: int) -> int:
        """Expire so many of these at once; returns how many did. What others hold stays theirs."""
        return self._move(
            State.EXPIRED,
            at=at,
            event=Event.EXPIRED,
            at_most=at_most,
            failure_code=failure_code,
            finished_at=at,
            claimed_at=None,
            next_try_at=None,
        )

    def free_claims(self, *, at: datetime, at_most: int) -> int:
        """Take the claims of so many of these away at once; returns how many it were."""
        with transaction.atomic():
            held = self._hold(at_most)
            SessionEvent.objects.tell(held, Event.CLAIM_FREED, at=at)
            return held.update(claimed_at=None)

    def _move(self, to: State, *, at: datetime, event: Event, at_most: int, **fields: Any) -> int:
        """The one mover for many rows: one INSERT and one UPDATE where `_move` of a row has two.

        Rows from which `to` cannot be reached, and those that are being moved, are left out.
        """
        with transaction.atomic():
            held = self.filter(state__in=sources_of(to))._hold(at_most)
            code = fields.get("failure_code", "")
            SessionEvent.objects.tell(held, event, at=at, to=to, failure_code=code)
            return held.update(state=to, **fields)

    def _hold(self, at_most: int) -> OnboardingSessionQuerySet:
        """So many of these, which nobody else can change before the transaction ends.

        SQLite knows no locks on rows; there the transaction holds the whole database.
        """
        rows = self.select_for_update(skip_locked=True).values_list("pk", flat=True)
        return self.model.objects.filter(pk__in=list(rows[:at_most]))
