"""The environment in which the app runs on a developer's machine, with nothing configured."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import environ

from simulator.config import Config

ROOT = Path(__file__).resolve().parent.parent

# One of these set means: this is for the real API (or for a simulator started elsewhere).
CONNECTION = (
    "PODERO_BASE_URL",
    "PODERO_ORG_ID",
    "PODERO_CLIENT_ID",
    "PODERO_CLIENT_SECRET",
    "PODERO_AUTH_TOKEN",
)
DEMO_BRAND = {
    "BRAND_NAME": "Alpenstrom",
    "SUPPORT_EMAIL": "help@alpenstrom.example",
    "SUPPORT_PHONE": "+43 1 234 56 78",
    "SUPPORT_HOURS": "Mon–Fri 8:00–18:00",
    "PRIVACY_URL": "https://alpenstrom.example/privacy",
    "TERMS_URL": "https://alpenstrom.example/terms",
}


class ImpossibleEnvironment(Exception):
    """A variable has a value that cannot be meant; the message names it."""


@dataclass(frozen=True)
class LocalEnvironment:
    """Variables for all processes, and the ports that two of them listen on."""

    variables: dict[str, str]
    var_dir: Path
    port: int
    simulator_port: int | None
    """Empty when the real API is used."""

    @property
    def site_url(self) -> str:
        return self.variables["SITE_URL"]


def given_environment() -> dict[str, str]:
    """Return the process's variables, and those of `.env` that the process does not have."""
    if (ROOT / ".env").is_file():
        environ.Env.read_env(ROOT / ".env")
    return dict(os.environ)


def local_environment(given: Mapping[str, str]) -> LocalEnvironment:
    """Complete what is given; an empty variable counts as one that is not set.

    Makes VAR_DIR and keeps in it the secrets it had to invent, so that sessions survive a restart.
    Raises ImpossibleEnvironment.
    """
    variables = {name: value for name, value in given.items() if value}
    port = _port(variables, "PORT", 8000)
    var_dir = ROOT / variables.get("VAR_DIR", "var")
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    variables |= {"VAR_DIR": str(var_dir), "PORT": str(port)}

    variables.setdefault("LOG_FORMAT", "line")
    variables.setdefault("SITE_URL", f"http://localhost:{port}")
    if "SECRET_KEY" not in variables:
        variables["SECRET_KEY"] = _kept_secret(var_dir / "secret_key")
    if not {"HANDOFF_SECRET", "HANDOFF_PUBLIC_KEY"} & variables.keys():
        variables["HANDOFF_SECRET"] = _kept_secret(var_dir / "handoff_secret")
    variables.setdefault("HANDOFF_ISSUER", "demo-portal")
    variables.setdefault("PODERO_PRICE_ZONE", "AT")
    if "BRAND_NAME" not in variables:
        variables = DEMO_BRAND | variables

    simulator_port = None
    if not variables.keys() & set(CONNECTION):
        simulator_port = _port(variables, "SIMULATOR_PORT", 8001)
        if simulator_port == port:
            raise ImpossibleEnvironment(
                f"PORT, SIMULATOR_PORT: expected two ports, not {port} twice"
            )
        variables |= _simulated(variables, simulator_port, var_dir)
    return LocalEnvironment(variables, var_dir, port, simulator_port)


def _simulated(variables: Mapping[str, str], port: int, var_dir: Path) -> dict[str, str]:
    simulator = Config.from_environment(variables)
    return {
        "PODERO_BASE_URL": f"http://localhost:{port}",
        "PODERO_CONNECT_HOSTS": f"localhost:{port}",
        "PODERO_ORG_ID": simulator.org_id,
        "PODERO_CLIENT_ID": simulator.client_id,
        "PODERO_CLIENT_SECRET": simulator.client_secret,
        "SIMULATOR_DATA": variables.get("SIMULATOR_DATA", str(var_dir / "simulator.json")),
    }


def _port(variables: Mapping[str, str], name: str, default: int) -> int:
    value = variables.get(name, str(default)).strip()
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= 65535:
        raise ImpossibleEnvironment(f"{name}: expected a port from 1 to 65535, not {value!r}")
    return int(value)


def _kept_secret(path: Path) -> str:
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(
            os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w"
        ) as file:
            file.write(secrets.token_urlsafe(48))
        unfinished.rename(path)
    return path.read_text().strip()
