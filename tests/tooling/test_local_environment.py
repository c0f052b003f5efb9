"""What `make run` makes of an environment in which nothing, something or everything is set."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from scripts.environment import ImpossibleEnvironment, local_environment
from scripts.run import commands, welcome


def test_nothing_set_means_the_simulator_and_its_credentials(tmp_path: Path) -> None:
    local = local_environment({"VAR_DIR": str(tmp_path)})

    assert local.port == 8000
    assert local.simulator_port == 8001
    chosen = local.variables
    assert chosen["SITE_URL"] == "http://localhost:8000"
    assert chosen["PODERO_BASE_URL"] == "http://localhost:8001"
    assert chosen["PODERO_CONNECT_HOSTS"] == "localhost:8001"
    assert chosen["PODERO_ORG_ID"] == "00000000-0000-4000-8000-000000000001"
    assert (chosen["PODERO_CLIENT_ID"], chosen["PODERO_CLIENT_SECRET"]) == (
        "demo-client",
        "demo-secret",
    )
    assert chosen["SIMULATOR_DATA"] == str(tmp_path / "simulator.json")
    assert chosen["BRAND_NAME"] == "Alpenstrom"
    assert [name for name, _command in commands(local)] == ["simulator", "web", "worker", "beat"]
    assert "http://localhost:8001/control" in welcome(local)


@pytest.mark.parametrize("name", ["PODERO_AUTH_TOKEN", "PODERO_CLIENT_ID", "PODERO_BASE_URL"])
def test_credentials_mean_the_real_api_and_no_simulator(tmp_path: Path, name: str) -> None:
    local = local_environment({"VAR_DIR": str(tmp_path), name: "given"})

    assert local.simulator_port is None
    assert local.variables[name] == "given"
    assert "PODERO_CONNECT_HOSTS" not in local.variables
    assert [name for name, _command in commands(local)] == ["web", "worker", "beat"]
    assert "simulator" not in welcome(local)


def test_empty_credentials_count_as_not_set(tmp_path: Path) -> None:
    local = local_environment({"VAR_DIR": str(tmp_path), "PODERO_AUTH_TOKEN": ""})

    assert local.simulator_port == 8001


def test_what_is_given_is_kept(tmp_path: Path) -> None:
    given = {
        "VAR_DIR": str(tmp_path),
        "SECRET_KEY": "given",
        "HANDOFF_PUBLIC_KEY": "given",
        "HANDOFF_ISSUER": "portal",
        "PODERO_PRICE_ZONE": "HU",
        "SITE_URL": "http://127.0.0.1:9000",
        "BRAND_NAME": "Donauwatt",
    }

    local = local_environment(given)

    assert local.variables.items() >= given.items()
    assert "HANDOFF_SECRET" not in local.variables
    assert "SUPPORT_EMAIL" not in local.variables
    assert list(tmp_path.iterdir()) == []


def test_invented_secrets_are_kept_for_the_next_run_and_from_others(tmp_path: Path) -> None:
    first = local_environment({"VAR_DIR": str(tmp_path)}).variables
    second = local_environment({"VAR_DIR": str(tmp_path)}).variables

    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert first["HANDOFF_SECRET"] == second["HANDOFF_SECRET"]
    assert first["SECRET_KEY"] != first["HANDOFF_SECRET"]
    assert len(first["SECRET_KEY"]) == 64
    for name in ("secret_key", "handoff_secret"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("value", ["eight", "0", "65536", "-1", "80.5"])
@pytest.mark.parametrize("name", ["PORT", "SIMULATOR_PORT"])
def test_impossible_port_is_refused_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ImpossibleEnvironment, match=f"^{name}: expected a port from 1 to 65535"):
        local_environment({"VAR_DIR": str(tmp_path), name: value})


def test_one_port_for_two_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImpossibleEnvironment, match="PORT, SIMULATOR_PORT: expected two ports"):
        local_environment({"VAR_DIR": str(tmp_path), "PORT": "9000", "SIMULATOR_PORT": "9000"})
