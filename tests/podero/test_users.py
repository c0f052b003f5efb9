from __future__ import annotations

from urllib.parse import quote

import pytest
import responses

from onboarding import podero

from . import values

USERS = f"{values.ORG}/users"


@pytest.mark.parametrize("status", [200, 201])
def test_both_success_statuses_mean_created(
    status: int, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(USERS, status=status, json=values.USER_BODY)

    user = client.create_user(email=values.EMAIL, external_user_id=values.EXTERNAL_ID)

    assert user == podero.User(
        id=values.USER_ID, email=values.EMAIL, external_user_id=values.EXTERNAL_ID, role="user"
    )


def test_created_user_with_another_external_id_is_not_ours(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.post(USERS, json={**values.USER_BODY, "external_user_id": "customer-1"})

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.create_user(email=values.EMAIL, external_user_id=values.EXTERNAL_ID)

    assert caught.value.field == "external_user_id"
    assert caught.value.is_outcome_unknown


def test_unknown_external_id_finds_nobody(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(f"{USERS}/by-ext-id/{values.EXTERNAL_ID}", status=404)

    assert client.find_user_by_external_id(values.EXTERNAL_ID) is None
    assert len(api.calls) == 1


def test_reply_that_names_another_external_id_is_unexpected(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(
        f"{USERS}/by-ext-id/{values.EXTERNAL_ID}",
        json={**values.USER_BODY, "external_user_id": values.EXTERNAL_ID.upper()},
    )

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.find_user_by_external_id(values.EXTERNAL_ID)

    assert caught.value.field == "external_user_id"


@pytest.mark.parametrize("external_id", ["a/b", "a b", "ä", "50%", "a?b#c", "../x", "a+b", "a@b"])
def test_id_that_a_path_may_lose_is_quoted_and_then_looked_for_in_the_list(
    external_id: str, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    path = f"{USERS}/by-ext-id/{quote(external_id, safe='')}"
    api.get(path, status=404)
    api.get(
        USERS,
        json=[
            {**values.USER_BODY, "id": str(values.OTHER_ID)},
            {**values.USER_BODY, "external_user_id": external_id},
        ],
    )

    user = client.find_user_by_external_id(external_id)

    assert user is not None
    assert (user.id, user.external_user_id) == (values.USER_ID, external_id)
    assert [call.request.url for call in api.calls] == [path, USERS]


@pytest.mark.parametrize("external_id", ["a b", "ä", "a@b", "a:b"])
def test_id_that_quotes_protect_is_not_there_when_the_list_is_too_large(
    external_id: str, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(f"{USERS}/by-ext-id/{quote(external_id, safe='')}", status=404)
    api.get(USERS, body=b"[" + b" " * 1024 * 1024 + b"]")

    assert client.find_user_by_external_id(external_id) is None


@pytest.mark.parametrize("external_id", ["a/b", "50%", "a?b", "a#b", "a+b", "a;b", "a\\b", "a\tb"])
def test_id_that_quotes_may_not_protect_is_unknown_when_the_list_is_too_large(
    external_id: str, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(f"{USERS}/by-ext-id/{quote(external_id, safe='')}", status=404)
    api.get(USERS, body=b"[" + b" " * 1024 * 1024 + b"]")

    with pytest.raises(podero.UnexpectedReply):
        client.find_user_by_external_id(external_id)


def test_list_that_is_no_list_does_not_say_that_nobody_is_there(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(f"{USERS}/by-ext-id/a%20b", status=404)
    api.get(USERS, json={"users": []})

    with pytest.raises(podero.UnexpectedReply):
        client.find_user_by_external_id("a b")


@pytest.mark.parametrize("external_id", [".", ".."])
def test_id_that_a_path_would_resolve_is_looked_for_in_the_list_only(
    external_id: str, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(USERS, json=[values.USER_BODY])

    assert client.find_user_by_external_id(external_id) is None


def test_empty_external_id_is_a_mistake_of_the_programmer(client: podero.PoderoClient) -> None:
    with pytest.raises(ValueError, match="external_user_id"):
        client.find_user_by_external_id("")


def test_list_gives_every_user(client: podero.PoderoClient, api: responses.RequestsMock) -> None:
    api.get(USERS, json=[values.USER_BODY, {"id": str(values.OTHER_ID), "role": "guest"}])

    users = client.list_users()

    assert [user.id for user in users] == [values.USER_ID, values.OTHER_ID]
    assert users[1] == podero.User(id=values.OTHER_ID, role="guest")


def test_another_user_than_asked_for_is_unexpected(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    api.get(values.USER, json={**values.USER_BODY, "id": str(values.OTHER_ID)})

    with pytest.raises(podero.UnexpectedReply) as caught:
        client.get_user(values.USER_ID)

    assert caught.value.field == "id"
