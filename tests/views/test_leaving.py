"""The pages of leaving: asked first, dated, honest, and quick even where Podero is not."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail as outbox_of
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from playwright.sync_api import Page

from onboarding.flows import withdrawal
from onboarding.models import Device, LeavingReason, Mail, OnboardingSession, PoderoUser
from onboarding.models.removals import NOT_TO_BE_REMOVED
from onboarding.states import State
from onboarding.tasks import send_due_mails
from onboarding.views.problems import bad_request, permission_denied, server_error
from tests.factories import NOON, make_attempt, make_consent, make_customer, make_device
from tests.journeys.customer import Customer, heading_of
from tests.journeys.test_leaving import leave, link_a_device
from tests.simulator.launch import RunningSimulator

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)


@pytest.fixture
def device(client: Client) -> Device:
    """A working device of the customer who is signed in."""
    device = make_device(
        attempt=make_attempt(customer=make_customer(price_zone="AT"), state=State.LINKED),
        confirmed_at=NOON,
        is_optimization_wanted=True,
        is_optimization_active=True,
    )
    client.force_login(device.podero_user.account)
    return device


def remove_page(device: Device) -> str:
    return reverse("remove_device", args=[device.reference])


# --- Removing one device ----------------------------------------------------------------------


def test_device_is_asked_about_before_it_is_removed(client: Client, device: Device) -> None:
    assert remove_page(device) in client.get(reverse("devices")).content.decode()

    page = client.get(remove_page(device))

    assert heading_of(page) == "Remove this device?"
    text = page.content.decode()
    assert "Tesla Model 3" in text
    assert "Tesla: sign in to your Tesla account" in text
    assert Device.objects.get().is_optimization_wanted


def test_removing_is_carried_out_later_where_podero_cannot_be_reached(
    client: Client, device: Device
) -> None:
    page = client.post(remove_page(device), follow=True)

    assert page.redirect_chain == [(remove_page(device), 302)]
    assert heading_of(page) == "The device is being removed"
    device.refresh_from_db()
    assert (device.is_optimization_wanted, device.is_being_removed) == (False, True)
    text = client.get(reverse("devices")).content.decode()
    assert "Being removed" in text
    assert remove_page(device) not in text


def test_removing_twice_changes_nothing_more(client: Client, device: Device) -> None:
    client.post(remove_page(device))
    device.refresh_from_db()
    first = device.removal_wanted_at

    client.post(remove_page(device))

    device.refresh_from_db()
    assert device.removal_wanted_at == first
    assert device.attempt.events.filter(event="removal_wanted").count() == 1


def test_device_of_another_is_not_found_and_not_removed(client: Client, device: Device) -> None:
    other = make_device()

    assert client.get(remove_page(other)).status_code == 404
    assert client.post(remove_page(other)).status_code == 404
    unknown = reverse("remove_device", args=[uuid.uuid4()])
    assert client.post(unknown).status_code == 404
    other.refresh_from_db()
    assert not other.is_removal_wanted


def test_stranger_removes_nothing(device: Device) -> None:
    answer = Client().post(remove_page(device))

    assert answer.headers["Location"].startswith(reverse("sign_in"))
    device.refresh_from_db()
    assert not device.is_removal_wanted


@pytest.mark.parametrize("maker", ["Nibe", "NIBE", "Tesla", "Fronius", ""])
def test_what_remains_is_said_per_manufacturer(client: Client, maker: str) -> None:
    device = make_device(manufacturer=maker)
    client.force_login(device.podero_user.account)

    text = client.get(remove_page(device)).content.decode()

    said = {
        "nibe": "Nibe: sign in to myUplink",
        "tesla": "Tesla: sign in to your Tesla account",
        "fronius": "Fronius: sign in to the account at the manufacturer",
        "": "app or website. In the settings of your account, look for",
    }
    assert [words in text for words in said.values()] == [key == maker.lower() for key in said]
    assert "connected services or third-party apps" in text


def test_name_of_a_manufacturer_is_no_markup(client: Client) -> None:
    device = make_device(manufacturer="<script>alert(1)</script>")
    client.force_login(device.podero_user.account)

    assert "<script>alert" not in client.get(remove_page(device)).content.decode()


# --- Withdrawing ------------------------------------------------------------------------------


def test_acknowledgement_names_what_was_ended(client: Client, device: Device) -> None:
    customer = device.podero_user
    other = make_consent(customer, given_at=NOON - timedelta(days=3))
    make_attempt(customer=customer, consent=other, state=State.OPEN)
    before = make_consent(customer, given_at=NOON - timedelta(days=9), withdrawn_at=NOON)
    gone = make_device(attempt=device.attempt, model="Model Y")
    Device.objects.filter(pk=gone.pk).update(removal_wanted_at=NOON, removed_at=NOON)

    withdrawal.withdraw(customer=customer, now=LATER)

    text = client.get(reverse("left")).content.decode()
    assert "3 March 2026, 13:00:00 CET" in text
    assert f"customer number {customer.external_user_id}" in text
    for consent in (device.attempt.consent, other):
        assert reverse("receipt", args=[consent.reference]) in text
    assert reverse("receipt", args=[before.reference]) not in text
    assert text.count("What you started on") == 1
    assert "Tesla Model 3" in text
    assert "Model Y" not in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"is_optimization_in_doubt": True},
            "Podero has not confirmed yet that optimization is off",
        ),
        ({}, "not removed at Podero yet"),
        ({"removal_refusals": 1}, "could not be removed at Podero"),
        ({"removal_due_at": None, "removed_at": LATER}, "removed at Podero"),
    ],
)
def test_acknowledgement_is_honest_about_each_device(
    client: Client, device: Device, fields: dict[str, Any], said: str
) -> None:
    withdrawal.withdraw(customer=device.podero_user, now=LATER)
    off = {"is_optimization_active": False, "is_optimization_in_doubt": False}
    Device.objects.update(**(off | fields))

    text = " ".join(client.get(reverse("left")).content.decode().split())

    assert said in text
    assert "it has removed your devices" not in text


def test_confirming_again_neither_moves_the_date_nor_sends_another_mail(
    client: Client, device: Device, settings: Any
) -> None:
    settings.IS_MAIL_ON = True
    client.post(reverse("leave"))
    first = PoderoUser.objects.get().withdrawn_at

    client.post(reverse("leave"))

    assert PoderoUser.objects.get().withdrawn_at == first
    assert Mail.objects.filter(kind=Mail.Kind.WITHDRAWAL).count() == 1


def test_leaving_from_two_loaded_copies_is_one_withdrawal(device: Device, settings: Any) -> None:
    settings.IS_MAIL_ON = True
    one, two = PoderoUser.objects.get(), PoderoUser.objects.get()
    withdrawal.withdraw(customer=one, now=LATER)

    withdrawal.withdraw(customer=two, now=LATER + timedelta(seconds=5))

    assert PoderoUser.objects.get().withdrawn_at == LATER
    assert Mail.objects.count() == 1


def test_withdrawal_is_on_record_whole_or_not_at_all(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may be killed between any two lines, and nobody repeats the rest for the customer."""
    customer = device.podero_user
    attempt = make_attempt(podero_user=customer, consent=device.attempt.consent)
    with monkeypatch.context() as patched:
        patched.setattr(OnboardingSession, "mark_cancelled", lambda *_all, **_fields: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            withdrawal.withdraw(customer=customer, now=NOON)

    assert customer.consents.get().withdrawn_at is None

    withdrawal.withdraw(customer=PoderoUser.objects.get(pk=customer.pk), now=NOON)

    attempt.refresh_from_db()
    assert attempt.state == State.CANCELLED
    assert customer.consents.get().withdrawn_at == NOON


def test_second_withdrawal_after_coming_back_is_acknowledged_anew(
    device: Device, settings: Any
) -> None:
    settings.IS_MAIL_ON = True
    customer = device.podero_user
    withdrawal.withdraw(customer=customer, now=LATER)
    make_consent(customer)
    customer.record_return_to_service()

    withdrawal.withdraw(customer=customer, now=LATER + timedelta(days=1))

    assert Mail.objects.filter(kind=Mail.Kind.WITHDRAWAL).count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", ["timeout_before", "drip"])
def test_page_does_not_wait_for_a_podero_that_hangs(
    podero_settings: Any, simulator: RunningSimulator, fault: str
) -> None:
    customer = Customer(make_customer())
    link_a_device(customer, simulator)
    simulator.control.arm("*", fault, count=-1)
    started = time.monotonic()

    page = customer.browser.post(reverse("leave"), follow=True)

    assert time.monotonic() - started < 6
    assert heading_of(page) == "You have withdrawn"
    assert Device.objects.get().is_being_removed
    simulator.control.clear_faults()


@pytest.mark.django_db(transaction=True)
def test_mail_tells_what_was_ended_and_carries_no_key(
    podero_settings: Any, simulator: RunningSimulator
) -> None:
    podero_settings.IS_MAIL_ON = True
    customer = Customer(make_customer(price_zone="AT"))
    link_a_device(customer, simulator)
    customer.opt_in()
    leave(customer)

    send_due_mails()
    send_due_mails()

    (message,) = [m for m in outbox_of.outbox if "withdrawn" in m.subject]
    text = str(message.body)
    assert message.to == [customer.podero_user.email]
    assert f"Customer number: {customer.podero_user.external_user_id}" in text
    assert "Tesla Model 3: optimization is off; removed at Podero" in text
    assert "Not finished, and ended: what you started on" in text
    assert "- Tesla: sign in to your Tesla account" in text
    assert (
        f"http://localhost:8000{reverse('withdrawal', args=[customer.attempt.consent.reference])}"
        in text
    )
    for session in simulator.control.state()["sessions"]:
        for key in (session["id"], session["success_url"].split("/")[-3], simulator.host):
            assert key not in str(message.message())


def test_mail_that_is_sent_after_coming_back_tells_of_the_withdrawal_alone(
    device: Device, settings: Any
) -> None:
    settings.IS_MAIL_ON = True
    customer = device.podero_user
    withdrawal.withdraw(customer=customer, now=LATER)
    again = make_attempt(customer=customer, state=State.LINKED, started_at=LATER)
    make_device(attempt=again, model="Model Y")
    PoderoUser.objects.update(withdrawn_at=None)

    send_due_mails()

    (message,) = outbox_of.outbox
    assert "Model 3" in str(message.body)
    assert "Model Y" not in str(message.body)
    assert "You have agreed anew after this withdrawal" in str(message.body)
    assert "We keep asking Podero until all that you withdrew is off" in str(message.body)
    assert "What remains for you to do" not in str(message.body)


@pytest.mark.parametrize("has_left_again", [True, False])
def test_who_has_come_back_still_finds_the_confirmation_of_what_they_withdrew(
    client: Client, device: Device, has_left_again: bool
) -> None:
    customer = device.podero_user
    withdrawal.withdraw(customer=customer, now=LATER)
    PoderoUser.objects.update(withdrawn_at=None)
    again = make_attempt(customer=customer, state=State.LINKED, started_at=LATER)
    make_device(attempt=again, model="Model Y")
    if has_left_again:
        customer.refresh_from_db()
        withdrawal.withdraw(customer=customer, now=LATER + timedelta(days=1))
    address = reverse("withdrawal", args=[device.attempt.consent.reference])
    assert (
        address
        in client.get(reverse("receipt", args=[device.attempt.consent.reference])).content.decode()
    )

    text = " ".join(client.get(address).content.decode().split())

    assert "You have agreed anew after that." in text
    assert "Model 3" in text
    assert "Model Y" not in text
    assert "Podero has not confirmed yet that optimization is off." in text
    assert "What got in the way?" not in text
    assert ("What remains for you to do" in text) is has_left_again
    assert ("start from the beginning" in text) is has_left_again
    last = client.get(reverse("left")).content.decode()
    assert ("You have agreed anew after that." in last) is not has_left_again
    assert "Confirm withdrawal" not in last


def test_confirmation_of_a_withdrawal_says_when_all_of_it_is_done_after_coming_back(
    client: Client, device: Device
) -> None:
    customer = device.podero_user
    withdrawal.withdraw(customer=customer, now=LATER)
    Device.objects.update(
        is_optimization_active=False,
        is_optimization_in_doubt=False,
        removed_at=LATER,
        removal_due_at=None,
    )
    PoderoUser.objects.update(withdrawn_at=None, **NOT_TO_BE_REMOVED)

    text = client.get(reverse("left")).content.decode()

    assert "Nothing of what you had linked then is left to be done there." in text


def test_consent_in_force_has_no_confirmation_of_a_withdrawal(
    client: Client, device: Device
) -> None:
    consent = device.attempt.consent

    answer = client.get(reverse("withdrawal", args=[consent.reference]))

    assert answer.headers["Location"] == reverse("receipt", args=[consent.reference])


def test_confirmation_of_somebody_elses_withdrawal_is_not_found(
    client: Client, device: Device
) -> None:
    other = make_attempt(customer=make_customer())
    withdrawal.withdraw(customer=other.podero_user, now=LATER)

    address = reverse("withdrawal", args=[other.consent.reference])

    assert client.get(address, follow=True).status_code == 404


@pytest.mark.parametrize("name", ["devices", "consent", "start", "leave"])
def test_withdrawing_is_one_link_away_on_every_page(
    client: Client, device: Device, name: str
) -> None:
    assert f'href="{reverse("leave")}"' in client.get(reverse(name)).content.decode()


@pytest.mark.parametrize("problem", [bad_request, permission_denied, server_error])
def test_page_that_knows_no_request_leads_to_withdrawing_as_well(
    rf: RequestFactory, problem: Callable[..., HttpResponse]
) -> None:
    assert f'href="{reverse("leave")}"' in problem(rf.get("/")).content.decode()


def test_how_long_something_is_kept_is_said_before_and_after(
    client: Client, device: Device, settings: Any
) -> None:
    settings.RETAIN_CONSENTS_DAYS, settings.RETAIN_ATTEMPTS_DAYS = 1461, 60
    before = client.get(reverse("leave"))
    withdrawal.withdraw(customer=device.podero_user, now=LATER)
    after = client.get(reverse("left"))

    for page in (before, after):
        text = " ".join(page.content.decode().replace("\xa0", " ").split())
        assert "erased 4 years after you withdraw" in text
        assert "what you started is erased after 1 month, 4 weeks" in text


# --- What got in the way? ---------------------------------------------------------------------


@pytest.fixture
def withdrawn(client: Client, device: Device) -> Client:
    withdrawal.withdraw(customer=device.podero_user, now=LATER)
    return client


def answer(client: Client, reason: str) -> Any:
    return client.post(reverse("leaving_reason"), {"reason": reason}, follow=True)


@pytest.mark.parametrize("reason", LeavingReason.Reason.values)
def test_answer_is_counted_and_thanked_for_once(withdrawn: Client, reason: str) -> None:
    assert f'value="{reason}"' in withdrawn.get(reverse("left")).content.decode()

    page = answer(withdrawn, reason)
    answer(withdrawn, reason)
    answer(withdrawn, "other")

    assert heading_of(page) == "You have withdrawn"
    assert "Your answer is counted" in page.content.decode()
    assert [(row.reason, row.count) for row in LeavingReason.objects.all()] == [(reason, 1)]


@pytest.mark.parametrize("nonsense", ["", "moped", "<b>", "x" * 5000])
def test_answer_that_is_none_counts_nothing(withdrawn: Client, nonsense: str) -> None:
    page = answer(withdrawn, nonsense)

    assert LeavingReason.objects.count() == 0
    assert "If you like, choose one" in page.content.decode()


def test_whoever_has_not_left_is_not_asked(client: Client, device: Device) -> None:
    page = answer(client, "savings")

    assert LeavingReason.objects.count() == 0
    assert heading_of(page) == "Withdraw"


def test_next_withdrawal_is_asked_about_again(withdrawn: Client, device: Device) -> None:
    answer(withdrawn, "savings")
    customer = PoderoUser.objects.get()
    make_consent(customer)
    customer.record_return_to_service()
    withdrawal.withdraw(customer=customer, now=LATER + timedelta(days=9))

    answer(withdrawn, "savings")

    assert LeavingReason.objects.get().count == 2


def test_nothing_leads_from_an_answer_to_a_person() -> None:
    columns = {field.name for field in LeavingReason._meta.concrete_fields}

    assert columns == {"id", "day", "reason", "count"}


@pytest.mark.django_db(transaction=True)
def test_acknowledgement_prints_on_one_page(
    live_server: Any, page: Page, client: Client, podero_settings: Any
) -> None:
    customer = make_customer()
    for number in range(6):
        attempt = make_attempt(customer=customer, state=State.LINKED)
        make_device(attempt=attempt, model=f"Model {number}", manufacturer="Nibe")
    OnboardingSession.objects.update(expires_at=NOON)
    withdrawal.withdraw(customer=customer, now=LATER)
    client.force_login(customer.account)
    session = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])

    page.goto(live_server.url + reverse("left"))

    printed = page.pdf(format="A4", print_background=False)
    assert page.locator("h1").inner_text() == "You have withdrawn"
    assert printed.count(b"/Type /Page\n") == 1


def test_whoever_never_agreed_is_not_told_that_they_have_withdrawn(client: Client) -> None:
    customer = make_customer()
    client.force_login(customer.account)

    response = client.post(reverse("leave"))

    assert response.headers["Location"] == reverse("leave")
    customer.refresh_from_db()
    assert customer.withdrawn_at is None


def test_acknowledgement_says_what_is_not_on_record_any_more(
    client: Client, device: Device
) -> None:
    withdrawal.withdraw(customer=device.podero_user, now=LATER)
    Device.objects.all().delete()

    with time_machine.travel(LATER + timedelta(days=401)):
        client.force_login(device.podero_user.account)
        text = client.get(reverse("left")).content.decode()

    assert "None is on record" in text
    assert "None was linked" not in text
