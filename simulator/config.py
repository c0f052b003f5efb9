"""What the environment decides before the simulator starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ORG_ID = "00000000-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Config:
    """Credentials, address and place of the snapshot."""

    org_id: str = DEFAULT_ORG_ID
    client_id: str = "demo-client"
    client_secret: str = "demo-secret"  # noqa: S105
    fixed_token: str = ""
    public_url: str = ""
    data_path: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Config:
        """Read the SIMULATOR_* variables; empty ones count as unset."""
        env = os.environ if environment is None else environment
        data = env.get("SIMULATOR_DATA", "")
        return cls(
            org_id=(env.get("SIMULATOR_ORG_ID") or DEFAULT_ORG_ID).lower(),
            client_id=env.get("SIMULATOR_CLIENT_ID") or cls.client_id,
            client_secret=env.get("SIMULATOR_CLIENT_SECRET") or cls.client_secret,
            fixed_token=env.get("SIMULATOR_FIXED_TOKEN", ""),
            public_url=env.get("SIMULATOR_PUBLIC_URL", "").rstrip("/"),
            data_path=Path(data) if data else None,
        )
