from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers

from onboarding import podero

from . import values
from .conftest import MakeClient
from .values import unhurried

LINK = f"{values.API}/cues/{values.CUE_ID}/resolve?secret={values.CUE_SECRET}"


def action(url: str | None, code: str = "reauthenticate") -> podero.Action:
    return podero.Action(code=code, url=url)


def test_link_names_its_cue_and_secret(client: podero.PoderoClient) -> None:
    assert client.cue_of(action(LINK)) == values.CUE


def test_cue_on_this_machine_may_be_plain_http(make_client: MakeClient) -> None:
    client = make_client("http://127.0.0.1:8001")
    link = LINK.replace(values.BASE_URL, "http://127.0.0.1:8001")

    assert client.cue_of(action(link)) == values.CUE


@pytest.mark.parametrize(
    "link",
    [
        None,
        "",
        "not an address",
        LINK.replace("https", "http"),
        LINK.replace("api.example", "evil.example"),
        LINK.replace("api.example", "api.example.evil.example"),
        LINK.replace("api.example", "api.example@evil.example"),
        LINK.replace("api.example", "api.example:8443"),
        LINK.replace("https://api.example", "//api.example"),
        LINK.replace("https://api.example/", "https://api.example\\@evil.example/"),
        LINK.replace("https:", "javascript:"),
        LINK.replace("api.example", "connect.podero.com"),
        LINK.replace(str(values.CUE_ID), "5"),
        LINK.replace(f"/cues/{values.CUE_ID}", ""),
        LINK.replace("/cues/", f"/cues/{values.OTHER_ID}/cues/"),
        LINK.replace(f"secret={values.CUE_SECRET}", ""),
        LINK + "&secret=another",
        LINK.replace(values.CUE_SECRET, "a%0Ab"),
        LINK.replace(values.CUE_SECRET, "a" * 2001),
    ],
)
def test_link_that_cannot_be_trusted_or_read_is_no_cue(
    link: str | None, client: podero.PoderoClient
) -> None:
    assert client.cue_of(action(link)) is None


@unhurried
@given(st.text())
def test_no_link_breaks_the_reading(link: str) -> None:
    client = podero.PoderoClient(
        base_url=values.BASE_URL,
        org_id=values.ORG_ID,
        token_source=podero.FixedToken(values.TOKEN),
        connect_hosts=["connect.podero.com"],
    )

    for url in (link, f"{values.API}/cues/{link}", f"{LINK}{link}", f"{LINK}{quote(link)}"):
        cue = client.cue_of(action(url))
        assert cue is None or cue.id == values.CUE_ID
    client.close()


def test_first_sign_in_action_is_taken_and_unknown_codes_are_passed_over() -> None:
    asked = action(LINK)
    actions = (action(LINK, "information"), action(LINK, "dance"), asked, action(None))

    assert podero.reauthentication_of(actions) is asked
    assert podero.reauthentication_of(actions[:2]) is None


def test_resolving_sends_what_the_page_documents(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(
        f"{values.API}/cues/{values.CUE_ID}/resolve",
        json={"redirect_url": values.ADDRESS, "extra": 1},
        match=[
            matchers.query_param_matcher({"secret": values.CUE_SECRET}),
            matchers.header_matcher({"Authorization": f"Bearer {values.TOKEN}"}),
            matchers.json_params_matcher(
                {
                    "successUrl": values.SUCCESS_URL,
                    "cancelUrl": values.CANCEL_URL,
                    "language": "de",
                }
            ),
        ],
    )

    assert values.resolve(client) == values.ADDRESS


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"redirect_url": None},
        {"redirect_url": ""},
        {"redirect_url": 5},
        {"redirect_url": "https://evil.example/"},
        {"redirect_url": values.ADDRESS.replace("https", "http")},
        {"redirect_url": "javascript:alert(1)"},
        {"redirect_url": f"{values.ADDRESS}\r\nSet-Cookie: a=b"},
        {"redirect_url": values.ADDRESS + "a" * 8000},
    ],
)
def test_address_that_must_not_be_opened_is_unexpected(
    body: Any, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(f"{values.API}/cues/{values.CUE_ID}/resolve", json=body)

    with pytest.raises(podero.UnexpectedReply) as caught:
        values.resolve(client)

    assert caught.value.field in ("", "redirect_url")


@pytest.mark.parametrize(("is_success", "word"), [(True, "success"), (False, "fail")])
@pytest.mark.parametrize("body", [b"", b"{}", b"ok", b'{"action_id": "x"}'])
def test_outcome_is_reported_in_podero_s_words(
    is_success: bool,
    word: str,
    body: bytes,
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    api.post(
        f"{values.API}/cues/{values.CUE_ID}/state",
        body=body,
        match=[
            matchers.query_param_matcher({"secret": values.CUE_SECRET}),
            matchers.json_params_matcher({"state": word}),
        ],
    )

    assert client.report_cue(values.CUE, is_success=is_success)


def test_action_that_has_ended_already_takes_no_report(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(f"{values.API}/cues/{values.CUE_ID}/state", status=404)

    assert not client.report_cue(values.CUE, is_success=True)


def test_other_refusals_of_a_report_are_raised(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(f"{values.API}/cues/{values.CUE_ID}/state", status=403)

    with pytest.raises(podero.Forbidden):
        client.report_cue(values.CUE, is_success=True)


def test_cue_shows_no_secret() -> None:
    assert values.CUE_SECRET not in repr(values.CUE)
