"""Real servers for tests, each on a free port and in a folder of its own, stopped by its starter.

By hand: `python -m tests.servers postgres -- pytest` runs a command with TEST_DATABASE set. Then
the tests in this process use that PostgreSQL, and each app they start gets a database of its own
there and a Redis of its own: the scaled installation instead of the embedded one.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit

import jwt
import psycopg
import psycopg.sql

from scripts.environment import DEMO_BRAND
from tests.settings import ENVIRONMENT
from tests.simulator.launch import RunningSimulator, free_port

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
STOP_SECONDS = 10.0


class NotInstalled(Exception):
    """A server's program is not on this machine; the message says what to install."""


class UnableToStart(Exception):
    """A server did not come up; the message is what it printed."""


def find_program(*names: str) -> str | None:
    """Return the first of these programs in PATH, or among PostgreSQL's, where Debian hides them."""
    hidden = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for name in names:
        for folder in (*hidden, None):
            found = shutil.which(name, path=str(folder) if folder else None)
            if found:
                return found
    return None


def find_chromium() -> str | None:
    """The one without windows if it is there: half the work. CHROMIUM names another one."""
    own = os.environ.get("CHROMIUM")
    return own or find_program("chromium-headless-shell", "chromium", "chromium-browser")


def _version(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


class RunningServer:
    """A database or cache server that belongs to the caller, who stops it."""

    def __init__(
        self,
        *,
        command: Sequence[str],
        folder: Path,
        url: str,
        answers: Callable[[], bool],
        owner: pwd.struct_passwd | None = None,
    ) -> None:
        self._command = command
        self._folder = folder
        self._answers = answers
        self._owner = owner
        self.url = url
        self.log = folder / "log"
        self.start()

    def start(self) -> None:
        """Start the server (again), with the files it left. Raises UnableToStart."""
        self._process = spawn(self._command, log=self.log, cwd=self._folder, owner=self._owner)
        wait_until(self._answers, self._process, self.log, self.stop)

    def kill(self, by: signal.Signals = signal.SIGKILL) -> None:
        """End the server without any good order."""
        self._process.send_signal(by)
        self._process.wait(STOP_SECONDS)

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End the server without waiting for its clients, and remove its files."""
        end(self._process, signal.SIGINT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def create_database(self, name: str) -> str:
        """Make an empty PostgreSQL database; returns its DATABASE_URL."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(_sql("CREATE DATABASE {}", name))
        return _database(self.url, name)


def start_postgres(*, is_durable: bool = False) -> RunningServer:
    """Start an empty PostgreSQL that logs as docs/deploy.md says. Raises NotInstalled, UnableToStart.

    Unless it `is_durable`, it would not survive a power cut, which makes it faster.
    """
    initdb, postgres = find_program("initdb"), find_program("postgres")
    if initdb is None or postgres is None:
        raise NotInstalled("no PostgreSQL: install Debian's package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="tests-postgres-"))
    owner = _someone_else_than_root()
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data, port = folder / "data", free_port()
    _run_as(
        owner,
        [initdb, "--pgdata", str(data), "--username=postgres", "--auth=trust", "--no-sync",
         "--encoding=UTF8", "--locale=C.UTF-8"],
        folder,
    )  # fmt: skip
    url = f"postgres://postgres@127.0.0.1:{port}/postgres"
    return RunningServer(
        command=[
            postgres, "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c",
            f"unix_socket_directories={folder}", "-c", f"fsync={'on' if is_durable else 'off'}",
            "-c", "max_connections=200", "-c", "log_error_verbosity=terse",
            "-c", "log_min_error_statement=panic",
        ],
        folder=folder,
        url=url,
        answers=lambda: _postgres_answers(url),
        owner=owner,
    )  # fmt: skip


def _sql(words: LiteralString, *names: str) -> psycopg.sql.Composed:
    return psycopg.sql.SQL(words).format(*(psycopg.sql.Identifier(name) for name in names))


def _database(url: str, name: str) -> str:
    return url.rsplit("/", 1)[0] + f"/{name}"


def _copy_of_prepared_database(url: str) -> str:
    """The DATABASE_URL of a new database as `prepare` leaves one, on the server of `url`."""
    with psycopg.connect(url, autocommit=True) as connection:
        # Until the connection ends; of several test runners the first one prepares.
        connection.execute("SELECT pg_advisory_lock(1)")
        names = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'prepared'")
        if names.fetchone() is None:
            connection.execute("CREATE DATABASE unfinished")
            with tempfile.TemporaryDirectory(prefix="tests-app-") as folder:
                prepare(Path(folder), {"DATABASE_URL": _database(url, "unfinished")})
            connection.execute("ALTER DATABASE unfinished RENAME TO prepared")
        name = f"app_{secrets.token_hex(6)}"
        connection.execute(_sql("CREATE DATABASE {} TEMPLATE prepared", name))
    return _database(url, name)


def start_redis() -> RunningServer:
    """Start an empty Redis that keeps nothing. Raises NotInstalled, UnableToStart."""
    program = find_program("redis-server", "valkey-server")
    if program is None:
        raise NotInstalled("no Redis: install Debian's package redis-server")
    folder, port = Path(tempfile.mkdtemp(prefix="tests-redis-")), free_port()
    return RunningServer(
        command=[
            program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
        ],
        folder=folder,
        url=f"redis://127.0.0.1:{port}/0",
        answers=lambda: _redis_answers(port),
    )  # fmt: skip


def _redis_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


# --- The app --------------------------------------------------------------------------------


@dataclass
class RunningApp:
    """The app as real processes, each with a log of its own."""

    base_url: str
    env: dict[str, str]
    var_dir: Path
    processes: dict[str, subprocess.Popen[bytes]]
    owns_var_dir: bool
    redis: RunningServer | None = None

    def handoff_link(self, customer: str, email: str, **claims: object) -> str:
        """Return the address that the portal would send this customer to; good for one use."""
        now = int(time.time())
        told = {
            "iss": self.env["HANDOFF_ISSUER"],
            "aud": self.env["HANDOFF_AUDIENCE"] or "podero-onboarding",
            "iat": now,
            "exp": now + 300,
            "jti": secrets.token_urlsafe(),
            "sub": customer,
            "email": email,
        }
        token = jwt.encode(told | claims, self.env["HANDOFF_SECRET"], algorithm="HS256")
        return f"{self.base_url}/enter/?token={token}"

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command as an operator would; does not raise when it fails."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def database_url(self) -> str:
        return self.env["DATABASE_URL"] or f"sqlite:///{self.var_dir / 'db.sqlite3'}"

    def sql(self, statement: str, *values: object) -> list[Any]:
        """Run one statement in the app's database, past the app; values stand for `?`."""
        address = urlsplit(self.database_url)
        if address.scheme == "sqlite":
            with closing(sqlite3.connect(address.path, timeout=20)) as database:
                database.execute("PRAGMA legacy_alter_table=ON")
                rows = database.execute(statement, values).fetchall()
                database.commit()
                return rows
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            done = connection.execute(statement.replace("?", "%s"), values)
            return done.fetchall() if done.description else []

    def forget_podero(self) -> None:
        """Close the breaker, as if the wait were over and Podero well."""
        self.sql("DELETE FROM onboarding_breaker")

    def log_file(self, name: str) -> Path:
        """Return the log of `web`, `worker` or `beat`."""
        return self.var_dir / f"{name}.log"

    def logs(self) -> str:
        """Return everything that all processes printed so far."""
        return "".join(self.log_file(name).read_text() for name in self.processes)

    def start(self, name: str) -> None:
        """Start `web`, `worker` or `beat` (again)."""
        command = {
            "web": [sys.executable, "-m", "gunicorn", "config.wsgi"],
            "worker": [sys.executable, "-m", "celery", "-A", "config", "worker"],
            "beat": [sys.executable, "-m", "celery", "-A", "config", "beat"],
        }[name]
        self.processes[name] = spawn(command, log=self.log_file(name), cwd=ROOT, env=self.env)
        if name == "web":
            ready = lambda: is_ready(self.base_url)  # noqa: E731
            wait_until(ready, self.processes[name], self.log_file(name), self.stop)

    def kill(self, name: str) -> None:
        """End a process and its children at once, as a power cut would."""
        process = self.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """End all processes politely, then firmly."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            end(process, signal.SIGTERM)
        if self.redis is not None:
            self.redis.stop()
        if self.owns_var_dir:
            shutil.rmtree(self.var_dir, ignore_errors=True)


def app_environment(var_dir: Path, port: int, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an app under test, none of them from this machine's own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ENVIRONMENT and name not in {"DJANGO_SETTINGS_MODULE", "TEST_DATABASE"}
    }
    return inherited | {
        **ENVIRONMENT,
        **DEMO_BRAND,
        "ALLOWED_HOSTS": "",
        "DATABASE_URL": "",
        "SITE_URL": f"http://localhost:{port}",
        "PORT": str(port),
        "VAR_DIR": str(var_dir),
        "WEB_WORKERS": "1",
        "PYTHONUNBUFFERED": "1",
        **env,
    }


def prepare(var_dir: Path, env: Mapping[str, str] | None = None) -> None:
    """Migrate, make demo data and collect static files. Raises UnableToStart."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.prepare"],
        cwd=ROOT,
        env=app_environment(var_dir, 8000, env or {}),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UnableToStart(done.stdout + done.stderr)


def start_app(
    *,
    simulator: RunningSimulator,
    var_dir: Path | None = None,
    with_worker: bool = False,
    env: Mapping[str, str] | None = None,
) -> RunningApp:
    """Start the app and wait until it is ready; `with_worker` adds Celery's worker and beat.

    `var_dir` is one that `prepare` made; without it one is made, and removed with the app.
    `env` adds variables; a DATABASE_URL among them is prepared first. With TEST_DATABASE set the
    app is a scaled one, unless `env` says where its data are.
    Raises UnableToStart with what was printed.
    """
    port = free_port()
    folder = var_dir or Path(tempfile.mkdtemp(prefix="tests-app-"))
    given = env or {}
    chosen = {"PODERO_BASE_URL": simulator.base_url, "PODERO_CONNECT_HOSTS": simulator.host}
    redis = None
    server = os.environ.get("TEST_DATABASE")
    if server and not {"DATABASE_URL", "REDIS_URL"} & {*given}:
        redis = start_redis()
        chosen |= {"DATABASE_URL": _copy_of_prepared_database(server), "REDIS_URL": redis.url}
    variables = app_environment(folder, port, {**chosen, **given})
    if var_dir is None or "DATABASE_URL" in given:
        prepare(folder, variables)
    app = RunningApp(f"http://localhost:{port}", variables, folder, {}, var_dir is None, redis)
    for name in ("web", "worker", "beat") if with_worker else ("web",):
        app.start(name)
    return app


def is_ready(base_url: str) -> bool:
    """Ask the app's health page whether it can serve customers."""
    address = urlsplit(base_url)
    connection = HTTPConnection("127.0.0.1", address.port, timeout=5)
    try:
        connection.request("GET", "/health/ready", headers={"Host": address.netloc})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


# --- Processes ------------------------------------------------------------------------------


def _someone_else_than_root() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _run_as(owner: pwd.struct_passwd | None, command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **_as(owner),
    )
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise UnableToStart(done.stdout)


def _as(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    if owner is None:
        return {}
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    owner: pwd.struct_passwd | None = None,
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **_as(owner),
        )


def wait_until(
    is_up: Callable[[], bool],
    process: subprocess.Popen[bytes],
    log: Path,
    stop: Callable[[], None],
) -> None:
    ends_at = time.monotonic() + START_SECONDS
    while time.monotonic() < ends_at and process.poll() is None:
        if is_up():
            return
        time.sleep(0.05)
    printed = log.read_text(errors="replace")
    stop()
    raise UnableToStart(printed)


def end(process: subprocess.Popen[bytes], by: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(by)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)


def _inherited() -> dict[str, str]:
    """Our own environment but for what importing the settings has put into it."""
    own = {*ENVIRONMENT, "DJANGO_SETTINGS_MODULE"}
    return {name: value for name, value in os.environ.items() if name not in own}


def main() -> None:
    """Run a command beside a PostgreSQL that ends with it."""
    if len(sys.argv) < 4 or sys.argv[1:3] != ["postgres", "--"]:
        sys.exit(__doc__)
    server = start_postgres()
    try:
        done = subprocess.run(
            sys.argv[3:], check=False, env=_inherited() | {"TEST_DATABASE": server.url}
        )
    finally:
        server.stop()
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
