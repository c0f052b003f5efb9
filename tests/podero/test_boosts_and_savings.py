from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from hypothesis import given

from onboarding import podero
from onboarding.podero.parsing import NotUnderstood
from onboarding.podero.savings import savings_from

from . import values
from .test_parsing import JSON
from .values import unhurried


@pytest.mark.parametrize("endpoint", values.SILENT)
@pytest.mark.parametrize("status", [200, 204])
def test_act_that_is_done_returns_nothing(
    endpoint: str, status: int, client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    method, url, act = values.CALLS[endpoint]
    api.add(method, url, status=status)

    assert act(client) is None


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        ({"state": "ongoing", "reason": "already_charging"}, "ongoing", "already_charging"),
        ({"state": 5, "reason": "jane.doe@customer.example"}, "", ""),
        (["odd"], "", ""),
    ],
)
def test_boost_that_cannot_be_honoured_tells_why(
    body: Any,
    state: str,
    reason: str,
    client: podero.PoderoClient,
    api: responses.RequestsMock,
) -> None:
    method, url, act = values.CALLS["start_boost"]
    api.add(method, url, status=409, json=body)

    with pytest.raises(podero.BoostRefused) as caught:
        act(client)

    error = caught.value
    assert (error.state, error.reason, error.status) == (state, reason, 409)
    assert (error.code, error.is_retryable, error.is_outcome_unknown) == ("refused", False, False)


def test_savings_come_by_period_with_their_units(
    client: podero.PoderoClient, api: responses.RequestsMock
) -> None:
    _, url, act = values.CALLS["get_savings"]
    api.get(
        url,
        json={
            "metadata": {
                "units": {"savings": {"total": "EUR", "percentage": "%"}, "consumption": "Wh"},
                "error": None,
            },
            "data": [
                {
                    "resolution": "1MONTH",
                    "period": {
                        "start_period": "2026-02-01T00:00:00Z",
                        "end_period": "2026-03-01T00:00:00Z",
                    },
                    "savings": {"total": 12.5, "percentage": 20},
                    "heat_pump": None,
                },
                "odd",
            ],
        },
    )

    savings = act(client)

    assert savings == podero.Savings(
        periods=(
            podero.SavingsPeriod(
                resolution="1MONTH",
                started_at=datetime(2026, 2, 1, tzinfo=UTC),
                ended_at=datetime(2026, 3, 1, tzinfo=UTC),
                total=12.5,
                percentage=20.0,
            ),
            podero.SavingsPeriod(),
        ),
        units={"savings.total": "EUR", "savings.percentage": "%", "consumption": "Wh"},
    )


@unhurried
@given(body=JSON)
def test_any_savings_are_a_result_or_not_understood(body: object) -> None:
    for candidate in (body, {"data": body}, {"data": [{"savings": body}], "metadata": body}):
        try:
            savings = savings_from(candidate)
        except NotUnderstood:
            continue
        assert isinstance(savings, podero.Savings)
