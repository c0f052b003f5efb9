"""Keys and personal data stay out of errors, values' texts and logs."""

from __future__ import annotations

import logging
import traceback

import pytest
import requests
import responses

from onboarding import podero
from onboarding.podero import parsing

from . import values
from .conftest import MakeClient, Serve
from .servers import keeps_alive

SECRETS = [
    values.TOKEN,
    values.EMAIL,
    values.EXTERNAL_ID,
    values.ADDRESS,
    values.CUE_SECRET,
    "secret-return-key",
    "connect.podero.com",
    "client-secret",
    "api.example",
]


def all_texts(error: BaseException) -> str:
    chain = [error, error.__cause__, error.__context__]
    texts = [f"{link}{link!r}{link.args}{vars(link)}" for link in chain if link is not None]
    return "".join([*texts, *traceback.format_exception(error)[-1:]])


@pytest.mark.parametrize("endpoint", [name for name in values.CALLS if name not in values.SILENT])
@pytest.mark.parametrize(
    "answer",
    [
        {"body": requests.ConnectionError(f"{values.TOKEN} {values.EMAIL} {values.ADDRESS}")},
        {"body": requests.ReadTimeout(values.ADDRESS)},
        {"status": 200, "body": f"<html>{values.EMAIL} {values.ADDRESS} {values.TOKEN}"},
        {"status": 200, "json": {"id": values.EMAIL, "detail": values.TOKEN}},
        {"status": 403, "json": {"detail": f"{values.EMAIL} {values.ADDRESS}"}},
        {"status": 422, "json": {"detail": [{"loc": [values.EMAIL], "input": values.TOKEN}]}},
        {"status": 500, "body": f"{values.EMAIL} {values.ADDRESS}"},
        {"status": 302, "headers": {"Location": values.ADDRESS}},
    ],
    ids=["lost", "late", "html", "odd", "forbidden", "refused", "failing", "redirect"],
)
def test_no_error_gives_anything_away(
    endpoint: str,
    answer: dict[str, object],
    client: podero.PoderoClient,
    api: responses.RequestsMock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    method, url, act = values.CALLS[endpoint]
    api.add(method, url, **answer)  # type: ignore[arg-type]
    if endpoint == "update_device":
        api.get(values.EV, **answer)
        api.assert_all_requests_are_fired = False
    if endpoint == "reauthenticate_device" and "id" in str(answer.get("json")):
        api.replace(method, url, json={"authentication_url": "https://evil.example/"})

    with pytest.raises(podero.PoderoError) as caught:
        act(client)

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    texts = all_texts(caught.value) + caplog.text
    assert [secret for secret in SECRETS if secret in texts] == []


def test_refused_credentials_give_nothing_away(
    api: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.post(f"{values.BASE_URL}/oauth2/token/", status=401, json={"error": values.EMAIL})
    source = podero.ClientCredentialsToken(
        base_url=values.BASE_URL,
        client_id="client-id",
        client_secret="client-secret",
        store=podero.MemoryStore(),
    )

    with pytest.raises(podero.Unauthorized) as caught:
        source.get()

    texts = all_texts(caught.value) + caplog.text + repr(source)
    assert [secret for secret in SECRETS if secret in texts] == []


def test_values_do_not_show_keys_or_personal_data() -> None:
    device = {
        **values.DEVICE_BODY,
        "actions": [{"code": "reauthenticate", "resolution_link": {"url": values.ADDRESS}}],
    }

    texts = repr(
        [
            parsing.user_from(values.USER_BODY),
            parsing.hosted_session_from(values.SESSION_BODY),
            parsing.device_from(device, podero.DeviceType.EV),
            parsing.reauthentication_from(values.RENEWAL_BODY),
            podero.FixedToken(values.TOKEN),
        ]
    )

    assert [secret for secret in SECRETS if secret in texts] == []


def test_nothing_about_an_exchange_is_logged(
    make_client: MakeClient, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = make_client(serve(keeps_alive(values.USER_BODY)).url)

    client.find_user_by_external_id(values.EXTERNAL_ID)

    assert caplog.records == []


def test_log_level_set_on_purpose_is_left_alone(make_client: MakeClient) -> None:
    logger = logging.getLogger("urllib3")
    before = logger.level
    logger.setLevel(logging.INFO)

    make_client()

    level = logger.level
    logger.setLevel(before)
    assert level == logging.INFO
