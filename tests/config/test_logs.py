"""Log lines: whole, ours, and without keys or people, in either shape."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from typing import Any

import pytest
from django.test import Client
from django_guid import clear_guid, set_guid

from config.logs import JsonLines, LineFormatter, formatter
from onboarding.log_context import lines_name
from tests.factories import make_customer
from tests.journeys.customer import Customer
from tests.simulator.launch import RunningSimulator

LINE = LineFormatter("{asctime} {levelname} {name} {message}", style="{")
JSON = JsonLines()
BOTH = pytest.mark.parametrize("shape", [LINE, JSON], ids=["line", "json"])

KEYS = [
    ("/optimize/return/very-secret-token/success/?deviceId=1", "very-secret-token"),
    ("onboarding_session_id=1234-5678", "1234-5678"),
    ("GET /enter/?token=abc.def", "abc.def"),
    ("client_secret=hush", "hush"),
    ("Authorization: Bearer abcdef", "abcdef"),
    ("Authorization: Basic abcdef==", "abcdef"),
    ("mail to anna.huber@example.com failed", "anna.huber@example.com"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJDIn0.c2ln", "eyJzdWIiOiJDIn0"),
    ("wrong row\nDETAIL:  Key (email)=(Anna) exists.", "Anna"),
]
HOSTILE = [
    "two\nlines",
    "two\r\nlines",
    "red \x1b[31m text",
    "bell \x07 and back \x08",
    "unicode line\u2028separator\u2029and\x85next",
    "turned \u202e around",
]


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("onboarding", logging.INFO, __file__, 1, message, (), None)
    made.__dict__.update(extra)
    return made


def failed_with(text: str) -> logging.LogRecord:
    try:
        raise ValueError(text)  # noqa: TRY301
    except ValueError as error:
        made = record("It broke")
        made.exc_info = (ValueError, error, error.__traceback__)
        return made


@BOTH
@pytest.mark.parametrize(("text", "key"), KEYS)
def test_keys_and_people_are_taken_out_everywhere(
    shape: logging.Formatter, text: str, key: str
) -> None:
    for each in (record(text), record("plain", reason=text), failed_with(text)):
        assert key not in shape.format(each)


@BOTH
def test_text_that_another_handler_has_made_of_a_traceback_is_not_used(
    shape: logging.Formatter,
) -> None:
    made = failed_with("anna@example.com")
    made.exc_text = "anna@example.com"

    assert "anna@example.com" not in shape.format(made)


@BOTH
@pytest.mark.parametrize("text", HOSTILE)
def test_nobody_can_write_a_line_of_their_own(shape: logging.Formatter, text: str) -> None:
    for each in (record(text), record("plain", reason=text)):
        line = shape.format(each)
        assert line.splitlines() == [line]
        assert line.isprintable()


def test_traceback_cannot_pass_for_a_line_of_the_log() -> None:
    made = failed_with("broken\n2026-01-01 00:00:00,000 INFO onboarding All is well")

    first, *others = LINE.format(made).split("\n")

    assert first.endswith("It broke")
    assert all(line.startswith("    ") for line in others)


def test_json_line_says_what_is_known_and_nothing_else() -> None:
    made = record(
        "Podero called", endpoint="create_user", seconds=0.3, counts={"a": 1}, request=object()
    )

    told = json.loads(JSON.format(made))

    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "INFO",
        "logger": "onboarding",
        "message": "Podero called",
        "endpoint": "create_user",
        "seconds": 0.3,
        "counts": {"a": 1},
    }


def test_json_line_carries_the_traceback_in_a_field() -> None:
    told = json.loads(JSON.format(failed_with("no")))

    assert told["exception"].endswith("ValueError: no")


@BOTH
def test_line_names_its_request_and_the_attempt_in_hand(shape: logging.Formatter) -> None:
    class Row:
        reference = uuid.UUID("0e1f0000-0000-4000-8000-000000000001")

    @lines_name("attempt")
    def flow(*, attempt: Row) -> str:
        return shape.format(record("deep inside"))

    set_guid("11111111-2222-4333-8444-555555555555")
    inside, after = flow(attempt=Row()), shape.format(record("after"))
    clear_guid()

    for part in ("11111111-2222-4333-8444-555555555555", str(Row.reference), "0E1F0000"):
        assert part in inside
    assert "0E1F0000" not in after
    assert "request_id" not in shape.format(record("outside"))


@BOTH
def test_error_is_told_with_what_it_broke_in_by_whoever_tells_of_it_later(
    shape: logging.Formatter,
) -> None:
    """Django, Celery and Sentry log what was raised when the flow is over."""

    class Row:
        def __init__(self, reference: str) -> None:
            self.reference = reference

    class Device(Row):
        attempt = Row("0e1f0000-0000-4000-8000-000000000001")

    @lines_name("device", "device.attempt")
    def flow(*, device: Device) -> None:
        raise ValueError

    try:
        try:
            flow(device=Device("d0000000"))
        except ValueError as error:
            raise RuntimeError from error
    except RuntimeError:
        told = shape.format(record("it broke", exc_info=sys.exc_info()))

    for part in ("d0000000", "0e1f0000-0000-4000-8000-000000000001", "0E1F0000"):
        assert part in told
    assert "0E1F0000" not in shape.format(record("another one"))


def test_error_that_is_its_own_cause_is_told_like_any_other() -> None:
    error = ValueError("ring")
    error.__cause__ = RuntimeError()
    error.__cause__.__cause__ = error

    line = LineFormatter().format(record("it broke", exc_info=(ValueError, error, None)))

    assert "ring" in line


def test_format_is_chosen_by_name() -> None:
    assert formatter("json") == {"()": "config.logs.JsonLines"}
    assert formatter("line")["()"] == "config.logs.LineFormatter"


# --- Requests ---------------------------------------------------------------------------------

GOOD_IDS = ["c0ffee00-1111-4222-8333-444455556666", "c0ffee0011114222833344445555666a"]
BAD_IDS = [
    "",
    "no id at all",
    "urn:uuid:c0ffee00-1111-4222-8333-444455556666",
    "{c0ffee00-1111-4222-8333-444455556666}",
    "c0ffee00-1111-4222-8333-444455556666\nX-Evil: 1",
    "-" * 4000 + "c0ffee0011114222833344445555666a",
    "anna@example.com",
]


@pytest.mark.django_db
@pytest.mark.parametrize("given", GOOD_IDS)
def test_id_of_a_proxy_is_kept(given: str) -> None:
    answer = Client(HTTP_HOST="localhost").get("/optimize/", headers={"X-Request-ID": given})

    assert answer.headers["X-Request-ID"] == given


@pytest.mark.django_db
@pytest.mark.parametrize("given", BAD_IDS)
def test_what_does_not_look_like_an_id_is_replaced(
    given: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Client(HTTP_HOST="localhost").get("/optimize/", headers={"X-Request-ID": given})

    assert uuid.UUID(answer.headers["X-Request-ID"]).version == 4
    assert not [line for line in caplog.messages if given and given in line]


@pytest.mark.django_db(transaction=True)
def test_each_line_of_an_opt_in_names_request_and_attempt(
    podero_settings: Any,
    simulator: RunningSimulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="onboarding")
    caplog.handler.setFormatter(JSON)
    customer = Customer(make_customer())
    simulator.control.arm("create_session", "http_503", count=1)

    answer = customer.opt_in()

    lines = [json.loads(line) for line in caplog.text.splitlines()]
    assert [line.get("endpoint") for line in lines] == [
        "fetch_token",
        "create_user",
        "create_onboarding_session",
        "create_onboarding_session",
    ]
    for line in lines:
        assert line["request_id"] == answer.headers["X-Request-ID"]
        assert line["attempt"] == str(customer.attempt.reference)
        assert line["support_code"] == customer.attempt.support_code
