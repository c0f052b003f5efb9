"""Values the tests of the client share, and the calls that cover every endpoint."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import HealthCheck, settings

from onboarding.podero import Cue, DeviceType, PoderoClient

# A loaded machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

BASE_URL = "https://api.example"
API = f"{BASE_URL}/api/partners/v2.0"
TOKEN = "tok-9f8e7d6c5b4a"
ORG_ID = UUID("0a000000-0000-4000-8000-000000000001")
USER_ID = UUID("0b000000-0000-4000-8000-000000000002")
OTHER_ID = UUID("0f000000-0000-4000-8000-00000000000f")
SESSION_ID = UUID("0c000000-0000-4000-8000-000000000003")
DEVICE_ID = UUID("0d000000-0000-4000-8000-000000000004")
CUE_ID = UUID("0e000000-0000-4000-8000-000000000005")
CUE_SECRET = "cue-secret-1a2b3c"
CUE = Cue(id=CUE_ID, secret=CUE_SECRET)
EMAIL = "jane.doe@customer.example"
EXTERNAL_ID = "customer-4711"
ADDRESS = f"https://connect.podero.com?onboarding_session_id={SESSION_ID}"
SUCCESS_URL = "https://retailer.example/optimize/return/secret-return-key/success/"
CANCEL_URL = "https://retailer.example/optimize/return/secret-return-key/cancel/"

ORG = f"{API}/org/{ORG_ID}"
USER = f"{ORG}/users/{USER_ID}"
SESSIONS = f"{API}/device-onboarding"
EV = f"{USER}/electric-vehicles/{DEVICE_ID}"

USER_BODY: dict[str, object] = {
    "id": str(USER_ID),
    "external_user_id": EXTERNAL_ID,
    "role": "user",
    "email": EMAIL,
    "first_name": None,
    "num_wallboxes": 0,
}
SESSION_BODY: dict[str, object] = {
    "id": str(SESSION_ID),
    "authentication_url": ADDRESS,
    "user": str(USER_ID),
    "success_url": SUCCESS_URL,
    "cancel_url": CANCEL_URL,
    "expiration_date": "2026-03-02",
    "object_id": None,
    "external_metadata": {},
}
DEVICE_BODY: dict[str, object] = {
    "id": str(DEVICE_ID),
    "owner": {"id": str(USER_ID), "external_id": EXTERNAL_ID, "email": EMAIL},
    "device_model": {"manufacturer": "Tesla", "model": "Model 3", "year": None},
    "is_authenticated": True,
    "is_smart_optimization_active": False,
    "connection_status": "ok",
}
RENEWAL_BODY: dict[str, object] = {
    "authentication_url": ADDRESS,
    "device_id": str(DEVICE_ID),
    "session_id": str(SESSION_ID),
}


def create_session(client: PoderoClient, *, device_type: DeviceType | None = None) -> object:
    return client.create_onboarding_session(
        user_id=USER_ID,
        language="de",
        price_zone="DE_LU",
        is_smart_optimization_active=False,
        success_url=SUCCESS_URL,
        cancel_url=CANCEL_URL,
        device_type=device_type,
    )


def update(client: PoderoClient) -> object:
    return client.update_device(
        USER_ID, DeviceType.EV, DEVICE_ID, is_smart_optimization_active=True
    )


def reauthenticate(client: PoderoClient) -> object:
    return client.reauthenticate_device(
        USER_ID, DeviceType.EV, DEVICE_ID, success_url=SUCCESS_URL, cancel_url=CANCEL_URL
    )


def resolve(client: PoderoClient) -> object:
    return client.resolve_cue(CUE, success_url=SUCCESS_URL, cancel_url=CANCEL_URL, language="de")


Act = Callable[[PoderoClient], object]

READS: dict[str, tuple[str, Act]] = {
    "find_user_by_external_id": (
        f"{ORG}/users/by-ext-id/{EXTERNAL_ID}",
        lambda client: client.find_user_by_external_id(EXTERNAL_ID),
    ),
    "list_users": (f"{ORG}/users", lambda client: client.list_users()),
    "get_user": (USER, lambda client: client.get_user(USER_ID)),
    "get_onboarding_session": (
        f"{SESSIONS}/{SESSION_ID}",
        lambda client: client.get_onboarding_session(SESSION_ID),
    ),
    "list_devices": (
        f"{USER}/electric-vehicles",
        lambda client: client.list_devices(USER_ID),
    ),
    "list_devices_of_type": (
        f"{USER}/electric-vehicles",
        lambda client: client.list_devices_of_type(USER_ID, DeviceType.EV),
    ),
    "get_device": (EV, lambda client: client.get_device(USER_ID, DeviceType.EV, DEVICE_ID)),
    "get_savings": (
        f"{EV}/savings?from=2026-02-01T00%3A00%3A00Z&to=2026-03-01T00%3A00%3A00Z&resolution=1MONTH",
        lambda client: client.get_savings(
            USER_ID,
            DeviceType.EV,
            DEVICE_ID,
            start=datetime(2026, 2, 1, tzinfo=UTC),
            end=datetime(2026, 3, 1, tzinfo=UTC),
        ),
    ),
    "find_device": (EV, lambda client: client.find_device(USER_ID, DEVICE_ID)),
}
WRITES: dict[str, tuple[str, str, Act]] = {
    "create_user": (
        "POST",
        f"{ORG}/users",
        lambda client: client.create_user(email=EMAIL, external_user_id=EXTERNAL_ID),
    ),
    "create_onboarding_session": ("POST", SESSIONS, create_session),
    "update_device": ("PUT", EV, update),
    "reauthenticate_device": ("POST", f"{EV}/auth_session", reauthenticate),
    "resolve_cue": ("POST", f"{API}/cues/{CUE_ID}/resolve?secret={CUE_SECRET}", resolve),
}
WRITES |= {
    "delete_device": (
        "DELETE",
        EV,
        lambda client: client.delete_device(USER_ID, DeviceType.EV, DEVICE_ID),
    ),
    "delete_user": ("DELETE", USER, lambda client: client.delete_user(USER_ID)),
    "start_boost": (
        "POST",
        f"{EV}/boost",
        lambda client: client.start_boost(USER_ID, DeviceType.EV, DEVICE_ID),
    ),
    "stop_boost": (
        "DELETE",
        f"{EV}/boost",
        lambda client: client.stop_boost(USER_ID, DeviceType.EV, DEVICE_ID),
    ),
}
# Those of whose reply nothing is needed.
SILENT = ("delete_device", "delete_user", "start_boost", "stop_boost")
CALLS: dict[str, tuple[str, str, Act]] = {
    **{name: ("GET", url, act) for name, (url, act) in READS.items()},
    **WRITES,
}
