from __future__ import annotations

import pickle

import pytest

from onboarding import podero

CLASSES: list[tuple[type[podero.PoderoError], str, bool]] = [
    (podero.Unavailable, "unreachable", True),
    (podero.Unauthorized, "unauthorized", False),
    (podero.Forbidden, "forbidden", False),
    (podero.NotFound, "not_found", False),
    (podero.Refused, "refused", False),
    (podero.UnexpectedReply, "unexpected_reply", False),
]


@pytest.mark.parametrize(("error_class", "code", "is_retryable"), CLASSES)
def test_each_class_knows_its_code_and_whether_to_retry(
    error_class: type[podero.PoderoError], code: str, is_retryable: bool
) -> None:
    error = error_class("create_user")

    assert (error.code, error.is_retryable, error.is_outcome_unknown) == (
        code,
        is_retryable,
        False,
    )


def test_text_is_endpoint_code_and_status() -> None:
    error = podero.Unavailable("create_user", "server_error", 503)

    assert str(error) == "create_user: server_error (503)"
    assert repr(error) == "<Unavailable create_user: server_error (503)>"
    assert str(podero.Unavailable("get_user", "timeout")) == "get_user: timeout"


def test_error_survives_the_way_between_processes() -> None:
    error = podero.Refused("create_user", status=422, fields=("email",), retry_after_seconds=3.0)

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert type(copy) is podero.Refused
    assert copy.args == error.args
    assert vars(copy) == vars(error)


def test_unknown_code_is_a_mistake_of_the_programmer() -> None:
    with pytest.raises(ValueError, match="surprising"):
        podero.PoderoError("create_user", "surprising")
