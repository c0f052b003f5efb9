"""A partner's plain calls to the API, for testing the simulator itself."""

from __future__ import annotations

from typing import Any

import requests

ORG_ID = "00000000-0000-4000-8000-000000000001"
CLIENT = ("demo-client", "demo-secret")
SUCCESS_URL = "http://shop.test/return/abc/success/"
CANCEL_URL = "http://shop.test/return/abc/cancel/"


class Partner:
    """Calls with a bearer token; `.http` is the session underneath."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.api = f"{base_url}/api/partners/v2.0"
        self.users = f"{self.api}/org/{ORG_ID}/users"
        self.http = requests.Session()
        self.http.trust_env = False
        self.sign_in()

    def sign_in(self) -> None:
        """Fetch a token, once, for all calls that follow."""
        reply = self.token()
        if reply.status_code == 200:
            self.http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"

    def token(self, **options: Any) -> requests.Response:
        """Ask for a token; options replace those of a right request."""
        right: dict[str, Any] = {"json": {"grant_type": "client_credentials"}, "auth": CLIENT}
        if "data" in options:
            del right["json"]
        return requests.post(f"{self.base_url}/oauth2/token/", timeout=10, **(right | options))

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Call an address under the API's base, or a full one."""
        url = path if path.startswith("http") else f"{self.api}/{path}"
        options.setdefault("timeout", 10)
        return self.http.request(method, url, json=body, allow_redirects=False, **options)

    def create_user(self, **values: Any) -> requests.Response:
        """Create an end user; values replace or add to a right body."""
        body = {"role": "user", "email": "anna@example.com", "external_user_id": "C-1"} | values
        return self.call("POST", self.users, body)

    def user_id(self, **values: Any) -> str:
        """Create an end user and return the id."""
        return str(self.create_user(**values).json()["id"])

    def create_session(self, user_id: str, **values: Any) -> requests.Response:
        """Create an onboarding session; values replace or add to a right body."""
        body = {
            "user_id": user_id,
            "success_url": SUCCESS_URL,
            "cancel_url": CANCEL_URL,
            "language": "en",
            "price_zone_default": "DE_LU",
        } | values
        return self.call("POST", "device-onboarding", body)

    def session_id(self, user_id: str, **values: Any) -> str:
        """Create an onboarding session and return the id."""
        return str(self.create_session(user_id, **values).json()["id"])

    def devices(self, user_id: str, collection: str) -> str:
        """Return the address of a device collection."""
        return f"{self.users}/{user_id}/{collection}"
