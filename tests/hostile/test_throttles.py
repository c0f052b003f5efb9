"""Too often: who is counted, who is told to wait until when, and who never is."""

from __future__ import annotations

import logging
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from onboarding.checks import check_deployment
from onboarding.flows import opt_in, throttling
from onboarding.flows.opt_in import Agreement
from onboarding.lockout import client_address
from onboarding.models import Consent, OnboardingSession, Reconnection, Tally
from onboarding.states import State
from onboarding.tasks import forget_what_ran_out
from tests.factories import NOON, make_attempt, make_consent, make_customer, make_device
from tests.journeys.customer import Customer, heading_of
from tests.views.test_enter import enter, nobody_is_in, token

pytestmark = pytest.mark.django_db

WAIT = "Please wait a little"
DOORS = ["/sign-in/", "/admin/login/"]


@pytest.fixture
def ann() -> User:
    """Somebody who signs in with a password."""
    account = User.objects.create_user("ann@example.com", password="demo", is_staff=True)
    make_customer(account=account, email="ann@example.com")
    return account


def sign_in(
    browser: Client, password: str, *, name: str = "ann@example.com", door: str = DOORS[0]
) -> Any:
    return browser.post(door, {"username": name, "password": password})


def guess(times: int, *, name: str = "ann@example.com", address: str = "203.0.113.1") -> None:
    """Wrong passwords by a stranger at this address, each from a browser that says another name."""
    for number in range(times):
        stranger = Client(REMOTE_ADDR=address, HTTP_USER_AGENT=f"browser {number}")
        sign_in(stranger, "wrong", name=name)


@pytest.mark.parametrize("door", DOORS)
def test_account_is_closed_after_ten_wrong_passwords(ann: User, door: str) -> None:
    for _wrong in range(9):
        assert sign_in(Client(), "wrong", door=door).status_code == 200
    tenth = sign_in(Client(), "wrong", door=door)
    right = sign_in(Client(), "demo", door=door)

    assert (tenth.status_code, right.status_code) == (429, 429)
    assert heading_of(right) == WAIT
    assert "help@alpenstrom.example" in right.content.decode()
    assert "_auth_user_id" not in right.wsgi_request.session


@pytest.mark.parametrize("name", ["ANN@example.com", " ann@EXAMPLE.com ", "Ann@example.com"])
@pytest.mark.parametrize("door", DOORS)
def test_spelling_of_the_name_gives_no_more_tries(ann: User, name: str, door: str) -> None:
    guess(9)

    sign_in(Client(), "wrong", name=name, door=door)

    assert sign_in(Client(), "demo").status_code == 429


def test_tries_at_either_door_count_together(ann: User) -> None:
    for number in range(10):
        sign_in(Client(), "wrong", door=DOORS[number % 2])

    assert {sign_in(Client(), "demo", door=door).status_code for door in DOORS} == {429}


def test_account_that_nobody_has_is_closed_just_the_same() -> None:
    guess(10, name="nobody@example.com")

    assert sign_in(Client(), "x", name="nobody@example.com").status_code == 429


def test_account_opens_again_when_the_page_said_so(ann: User) -> None:
    with time_machine.travel(datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC), tick=False) as clock:
        guess(10)
        closed = sign_in(Client(), "demo")
        clock.shift(timedelta(seconds=int(closed.headers["Retry-After"]) - 1))
        still_closed = sign_in(Client(), "demo")
        clock.shift(timedelta(seconds=2))
        opened = sign_in(Client(), "demo")

    text = closed.content.decode()
    assert closed.headers["Retry-After"] == "900"
    # The installation's zone is Austria's: 12:15:30 UTC, and a clock shows minutes.
    assert "<strong>13:16</strong> (CET), in 15 minutes" in text
    assert still_closed.status_code == 429
    assert opened.status_code == 302


def test_knocking_on_a_closed_door_does_not_keep_it_closed(ann: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        guess(10)
        for _minute in range(16):
            clock.shift(timedelta(minutes=1))
            guess(1)
        # The sixteenth minute's guess is the first that counts again.
        opened = sign_in(Client(), "demo")

    assert opened.status_code == 302


def test_stranger_cannot_keep_the_owner_out_of_a_browser_they_have_used(ann: User) -> None:
    own_browser = Client()
    sign_in(own_browser, "demo")
    own_browser.post(reverse("sign_out"))
    guess(10)

    elsewhere, at_home = sign_in(Client(), "demo"), sign_in(own_browser, "demo")

    assert elsewhere.status_code == 429
    assert at_home.status_code == 302


def test_known_browser_has_no_more_tries_than_any_other(ann: User) -> None:
    own_browser = Client()
    sign_in(own_browser, "demo")
    own_browser.post(reverse("sign_out"))

    answers = [sign_in(own_browser, "wrong").status_code for _wrong in range(10)]

    assert answers == [200] * 9 + [429]
    assert sign_in(own_browser, "demo").status_code == 429
    assert sign_in(Client(), "demo").status_code == 302


@pytest.mark.parametrize("forged", ["", "nonsense", "a.b", "a:b:c", "é"])
def test_browser_is_known_by_our_signature_only(ann: User, forged: str, settings: Any) -> None:
    stranger = Client()
    stranger.cookies[settings.KNOWN_BROWSER_COOKIE_NAME] = forged
    guess(10)

    assert sign_in(stranger, "demo").status_code == 429


def test_browser_known_to_one_account_is_a_stranger_to_another(ann: User) -> None:
    make_customer(account=User.objects.create_user("mallory@example.com", password="demo"))
    browser = Client()
    sign_in(browser, "demo", name="mallory@example.com")
    guess(10)

    assert sign_in(browser, "demo").status_code == 429


def test_right_password_forgets_the_owners_own_slips(ann: User) -> None:
    owner = Client()
    for _day in range(3):
        for _slip in range(9):
            sign_in(owner, "wrong")
        assert sign_in(owner, "demo").status_code == 302
        owner = Client()


def test_guesser_cannot_start_anew_by_signing_in_to_an_account_of_their_own(ann: User) -> None:
    make_customer(account=User.objects.create_user("mallory@example.com", password="demo"))
    for number in range(50):
        sign_in(Client(), "wrong", name=f"customer{number}@example.com")
        if number % 10 == 0:
            sign_in(Client(), "demo", name="mallory@example.com")

    assert sign_in(Client(), "wrong", name="somebody@example.com").status_code == 429


def test_address_is_closed_after_fifty_wrong_passwords_and_others_are_not(ann: User) -> None:
    for number in range(50):
        guess(1, name=f"customer{number}@example.com")

    closed = sign_in(Client(REMOTE_ADDR="203.0.113.1"), "demo")
    elsewhere = sign_in(Client(REMOTE_ADDR="203.0.113.2"), "demo")

    assert (closed.status_code, elsewhere.status_code) == (429, 302)


@pytest.mark.parametrize("wrong", ["password", "link"])
def test_handoff_opens_whatever_others_at_the_address_have_tried(wrong: str) -> None:
    for number in range(60):
        if wrong == "password":
            guess(1, name=f"customer{number}@example.com", address="127.0.0.1")
        else:
            enter(Client(), "nonsense")

    response = enter(Client(), token())

    assert response.status_code == 302


def test_handoff_opens_for_a_customer_whose_old_links_are_tried_again_and_again() -> None:
    old = token()
    enter(Client(), old)
    for _try in range(30):
        enter(Client(), old)

    response = enter(Client(), token(jti="two"))

    assert response.status_code == 302


def test_refused_links_from_one_address_are_told_to_wait() -> None:
    with time_machine.travel(NOON, tick=False):
        answers = [enter(Client(), "nonsense") for _try in range(51)]

    assert [answer.status_code for answer in answers] == [400] * 50 + [429]
    assert heading_of(answers[-1]) == WAIT
    assert answers[-1].headers["Retry-After"] == "900"
    assert "13:15" in answers[-1].content.decode()
    assert nobody_is_in(answers[-1].client)


def test_refused_links_of_one_customer_are_told_to_wait_wherever_they_come_from() -> None:
    old = token(iat=int(time.time()) - 400, exp=int(time.time()) - 100)

    answers = [
        enter(Client(REMOTE_ADDR=f"203.0.113.{number}"), old).status_code for number in range(11)
    ]

    assert answers == [400] * 10 + [429]


def test_link_that_is_not_signed_does_not_count_for_the_customer_it_names() -> None:
    forged = token("another secret that is long enough ........")
    for number in range(11):
        enter(Client(REMOTE_ADDR=f"203.0.113.{number}"), forged)

    expired = token(iat=int(time.time()) - 400, exp=int(time.time()) - 100)

    assert enter(Client(), expired).status_code == 400


def test_full_tally_is_not_written_to_and_starts_anew_in_time() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        for _try in range(60):
            enter(Client(), "nonsense")
        counted = Tally.objects.get().count
        clock.shift(timedelta(minutes=15))
        again = enter(Client(), "nonsense")

    assert counted == 50
    assert again.status_code == 400
    assert Tally.objects.get().count == 1


def test_log_is_not_filled_by_links_beyond_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    for _try in range(60):
        enter(Client(), "nonsense")

    assert [record.message for record in caplog.records].count("Hand-off refused") == 50


# --- Attempts ---------------------------------------------------------------------------------


def start_at(customer: Any, now: datetime, submission: uuid.UUID | None = None) -> Any:
    return opt_in.start_attempt(
        customer=customer,
        agreement=Agreement(
            version="1", language="en", words="I agree.", allows_control=True,
            allows_data_exchange=True,
        ),
        device_type="ev",
        submission=submission or uuid.uuid4(),
        now=now,
    )  # fmt: skip


def test_eleventh_attempt_within_an_hour_has_to_wait() -> None:
    customer = make_customer()
    for minute in range(10):
        start_at(customer, NOON + timedelta(minutes=minute))

    with pytest.raises(throttling.TooOften) as refusal:
        start_at(customer, NOON + timedelta(minutes=59))
    start_at(customer, NOON + timedelta(hours=1))

    assert refusal.value.retry_at == NOON + timedelta(hours=1)
    assert OnboardingSession.objects.count() == Consent.objects.count() == 11


def test_thirty_first_attempt_within_a_day_has_to_wait() -> None:
    customer = make_customer()
    for number in range(30):
        start_at(customer, NOON + timedelta(minutes=10 * number))

    with pytest.raises(throttling.TooOften) as refusal:
        start_at(customer, NOON + timedelta(hours=12))

    assert refusal.value.retry_at == NOON + timedelta(days=1)


def test_attempts_of_others_do_not_count() -> None:
    for _other in range(20):
        start_at(make_customer(), NOON)


def test_second_press_of_the_last_button_is_still_the_same_attempt() -> None:
    customer, submission = make_customer(), uuid.uuid4()
    for _number in range(9):
        start_at(customer, NOON)
    last = start_at(customer, NOON, submission)

    assert start_at(customer, NOON, submission) == last


def test_customer_who_starts_too_often_is_told_when_by_their_own_clock() -> None:
    customer = Customer(make_customer(price_zone="RO"))
    with time_machine.travel(NOON, tick=False):
        for _number in range(10):
            make_attempt(customer=customer.podero_user, state=State.EXPIRED)
        response = customer.opt_in()

    text = response.content.decode()
    assert response.status_code == 429
    assert "<strong>15:00</strong> (EET), in 60 minutes" in text
    assert reverse("devices") in text
    assert response.headers["Retry-After"] == "3600"
    assert OnboardingSession.objects.count() == 10


def test_customer_who_goes_to_sign_in_again_too_often_has_to_wait() -> None:
    device = make_device()
    customer = Customer(device.podero_user)
    for _number in range(10):
        Reconnection.objects.create(
            device=device, state=Reconnection.State.EXPIRED, started_at=timezone.now()
        )

    response = customer.browser.post(reverse("reconnect_device", args=[device.reference]))

    assert response.status_code == 429
    assert "sign in at the manufacturer many times" in response.content.decode()
    assert Reconnection.objects.count() == 10


def test_fresh_forms_for_an_old_attempt_count_as_well() -> None:
    customer = Customer(make_customer())
    now = timezone.now()
    consent = make_consent(customer.podero_user)
    for _number in range(10):
        make_attempt(
            customer=customer.podero_user, consent=consent, state=State.EXPIRED, started_at=now
        )

    response = customer.press_continue()

    assert response.status_code == 429
    assert OnboardingSession.objects.count() == 10


# --- What is kept, and what is told ------------------------------------------------------------


def test_what_is_counted_is_digests_and_addresses_only(ann: User) -> None:
    browser = Client(HTTP_USER_AGENT="a browser", HTTP_ACCEPT="text/x-mine")
    browser.post(
        "/sign-in/?next=/optimize/", {"username": "ann@example.com", "password": "hunter2"}
    )

    row = AccessAttempt.objects.get()

    assert row.ip_address == "127.0.0.1"
    assert "ann" not in row.username
    assert len(row.username) == 64
    kept = [row.user_agent, row.http_accept, row.path_info, row.get_data, row.post_data]
    assert kept == [""] * 5


def test_what_does_not_count_any_more_is_forgotten(ann: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        guess(3)
        enter(Client(), "nonsense")
        clock.shift(timedelta(minutes=14))
        forget_what_ran_out()
        assert AccessAttempt.objects.count() == Tally.objects.count() == 1
        clock.shift(timedelta(minutes=47))
        call_command("sweep")

    assert AccessAttempt.objects.count() == Tally.objects.count() == 0


def test_log_of_a_closed_account_names_nobody(ann: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    guess(11)

    assert "ann" not in caplog.text.lower()
    assert "203.0.113" not in caplog.text


def test_sign_in_leaves_no_log_of_who_came_when(ann: User) -> None:
    sign_in(Client(), "demo")

    assert AccessAttempt.objects.count() == 0


def test_customers_from_the_portal_get_no_cookie_for_passwords(settings: Any) -> None:
    response = enter(Client(), token())

    assert settings.KNOWN_BROWSER_COOKIE_NAME not in response.cookies


# --- Whose address it is -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, None, "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1"),
        (1, None, "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.7, 203.0.113.9", "198.51.100.7"),
        (2, "1.1.1.1, 198.51.100.7, 203.0.113.9", "198.51.100.7"),
        (3, "203.0.113.9", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "nonsense", None),
        (1, "203.0.113.9\n", "203.0.113.9"),
        (1, ",", "192.0.2.1"),
    ],
)
def test_address_is_the_one_that_our_own_proxies_saw(
    settings: Any, proxies: int, forwarded: str | None, expected: str | None
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory(REMOTE_ADDR="192.0.2.1").get("/")
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded

    assert client_address(request) == expected


def test_where_no_address_is_known_accounts_are_counted_all_the_same(ann: User) -> None:
    for number in range(60):
        sign_in(Client(REMOTE_ADDR=""), "wrong", name=f"customer{number}@example.com")
    assert sign_in(Client(REMOTE_ADDR=""), "demo").status_code == 302

    for _wrong in range(10):
        sign_in(Client(REMOTE_ADDR=""), "wrong")

    assert sign_in(Client(REMOTE_ADDR=""), "demo").status_code == 429


# --- The switch --------------------------------------------------------------------------------


def test_switch_turns_all_of_it_off(settings: Any, ann: User) -> None:
    settings.IS_THROTTLED = settings.AXES_ENABLED = False
    customer = make_customer()

    guess(12)
    links = {enter(Client(), "nonsense").status_code for _try in range(51)}
    for _number in range(12):
        start_at(customer, NOON)

    assert sign_in(Client(), "demo").status_code == 302
    assert links == {400}
    assert AccessAttempt.objects.count() == Tally.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("IS_THROTTLED", False, "onboarding.W010"),
        ("TRUSTED_PROXIES", 0, "onboarding.W011"),
    ],
)
def test_deploy_check_complains(settings: Any, name: str, value: Any, said: str) -> None:
    settings.IS_HTTPS, settings.TRUSTED_PROXIES = True, 1
    assert said not in {problem.id for problem in check_deployment()}

    setattr(settings, name, value)

    assert said in {problem.id for problem in check_deployment()}
