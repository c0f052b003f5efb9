"""Every endpoint ends every bad exchange in the right error."""

from __future__ import annotations

import pytest
import requests
import responses

from onboarding import podero

from . import values
from .conftest import MakeClient

ANSWERED_404 = (
    "find_user_by_external_id",
    "list_devices",
    "find_device",
    "delete_device",
    "delete_user",
)
# Four collections, each of which may be refused: see test_listing_devices.py and test_devices.py.
REFUSED_ONE_BY_ONE = (400, 403, 409, 422)
STATUSES = [
    (401, podero.Unauthorized, "unauthorized"),
    (403, podero.Forbidden, "forbidden"),
    (404, podero.NotFound, "not_found"),
    (400, podero.Refused, "refused"),
    (409, podero.Refused, "refused"),
    (422, podero.Refused, "refused"),
    (429, podero.Unavailable, "rate_limited"),
    (500, podero.Unavailable, "server_error"),
    (503, podero.Unavailable, "server_error"),
    (302, podero.UnexpectedReply, "unexpected_reply"),
]


BAD_BODIES = [b"", b"<html>", b"null", b'"x"', b"{", b"[7]", b'{"id": 7}']


@pytest.mark.parametrize(
    ("endpoint", "status", "error_class", "code"),
    [
        (endpoint, *row)
        for endpoint in values.CALLS
        for row in STATUSES
        if not (row[0] == 404 and endpoint in ANSWERED_404)
        and not (row[0] == 409 and endpoint == "start_boost")
        and not (row[0] in REFUSED_ONE_BY_ONE and endpoint in ("list_devices", "find_device"))
    ],
)
def test_status_becomes_the_error_to_react_to(
    endpoint: str,
    status: int,
    error_class: type[podero.PoderoError],
    code: str,
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    method, url, act = values.CALLS[endpoint]
    api.add(method, url, status=status, body="<h1>jane.doe@customer.example</h1>")

    with pytest.raises(error_class) as caught:
        act(client)

    error = caught.value
    assert type(error) is error_class
    assert (error.endpoint, error.status, error.code) == (endpoint, status, code)
    assert error.is_retryable == (status == 429 or status >= 500)
    assert error.is_outcome_unknown == (
        endpoint in values.WRITES and (status >= 500 or status == 302)
    )
    assert error.retry_after_seconds is None
    assert len(api.calls) == 1


@pytest.mark.parametrize("endpoint", values.CALLS)
@pytest.mark.parametrize(
    ("failure", "code", "is_sent"),
    [
        (requests.ConnectTimeout("x"), "timeout", False),
        (requests.ReadTimeout("x"), "timeout", True),
        (requests.ConnectionError("reset"), "unreachable", True),
        (requests.exceptions.ProxyError("x"), "unreachable", False),
    ],
    ids=["connect-timeout", "read-timeout", "reset", "proxy"],
)
def test_lost_connection_is_worth_another_try(
    endpoint: str,
    failure: Exception,
    code: str,
    is_sent: bool,
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    method, url, act = values.CALLS[endpoint]
    api.add(method, url, body=failure)

    with pytest.raises(podero.Unavailable) as caught:
        act(client)

    error = caught.value
    assert (error.endpoint, error.status, error.code) == (endpoint, None, code)
    assert error.is_retryable
    assert error.is_outcome_unknown == (is_sent and endpoint in values.WRITES)
    assert error.cause_name == type(failure).__name__


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (endpoint, body)
        for endpoint in values.CALLS
        for body in BAD_BODIES
        # One reads back what is missing; of the others' replies nothing is needed.
        if endpoint not in ("update_device", *values.SILENT)
        and not (endpoint == "reauthenticate_device" and body.startswith(b'{"'))
    ],
)
def test_success_that_says_nothing_useful_is_unexpected(
    endpoint: str, body: bytes, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    method, url, act = values.CALLS[endpoint]
    api.add(method, url, body=body)

    with pytest.raises(podero.UnexpectedReply) as caught:
        act(client)

    error = caught.value
    assert (error.endpoint, error.status) == (endpoint, 200)
    assert not error.is_retryable
    assert error.is_outcome_unknown == (endpoint in values.WRITES)


@pytest.mark.parametrize("status", [429, 503])
def test_wish_to_wait_is_passed_on(
    status: int, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(values.USER, status=status, headers={"Retry-After": "17"})

    with pytest.raises(podero.Unavailable) as caught:
        client.get_user(values.USER_ID)

    assert caught.value.retry_after_seconds == 17.0


def test_refusal_names_the_fields(client: podero.PoderoClient, api: responses.RequestsMock) -> None:
    detail = [{"loc": ["body", "payload", "email"], "msg": "taken", "input": values.EMAIL}]
    api.post(f"{values.ORG}/users", status=422, json={"detail": detail})

    with pytest.raises(podero.Refused) as caught:
        client.create_user(email=values.EMAIL, external_user_id=values.EXTERNAL_ID)

    assert caught.value.fields == ("email",)


def test_redirect_is_not_followed(client: podero.PoderoClient, api: responses.RequestsMock) -> None:
    api.get(values.USER, status=307, headers={"Location": f"{values.BASE_URL}/elsewhere"})

    with pytest.raises(podero.UnexpectedReply):
        client.get_user(values.USER_ID)

    assert len(api.calls) == 1


def test_missing_field_is_named(client: podero.PoderoClient, api: responses.RequestsMock) -> None:
    api.get(values.USER, json={"email": values.EMAIL})

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.get_user(values.USER_ID)

    assert caught.value.field == "id"


@pytest.mark.parametrize("announced", [True, False])
def test_body_over_one_mebibyte_is_refused(
    announced: bool, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    headers = {"Content-Length": str(1024 * 1024 + 1)} if announced else {}
    body = b" " * (1024 * 1024 + 1)
    api.get(values.USER, body=body, headers=headers, auto_calculate_content_length=False)

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.get_user(values.USER_ID)

    assert (caught.value.status, caught.value.cause_name) == (200, "ReplyTooLarge")


def test_body_of_one_mebibyte_is_read(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(f"{values.ORG}/users", body=b"[]".ljust(1024 * 1024))

    assert client.list_users() == []


def test_page_of_a_failing_server_may_be_of_any_size(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(values.USER, status=502, body=b" " * (2 * 1024 * 1024))

    with pytest.raises(podero.Unavailable) as caught:
        client.get_user(values.USER_ID)

    assert caught.value.code == "server_error"


@pytest.mark.parametrize("endpoint", values.CALLS)
@pytest.mark.parametrize("page", [b"<html>", b"\n<!doctype html>"])
def test_page_is_no_answer_even_where_nothing_is_read_of_it(
    endpoint: str, page: bytes, make_client: MakeClient, api: responses.RequestsMock
) -> None:
    """Something else answers for Podero, and has done nothing."""
    noted: list[str] = []
    client = make_client(on_call=lambda _endpoint, outcome, _seconds: noted.append(outcome))
    method, url, act = values.CALLS[endpoint]
    api.add(method, url, status=200, body=page)

    with pytest.raises(podero.UnexpectedReply) as caught:
        act(client)

    assert caught.value.is_outcome_unknown == (endpoint in values.WRITES)
    assert set(noted) == {"unexpected_reply"}
