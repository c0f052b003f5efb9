"""How the web processes run: `gunicorn config.wsgi` reads this file by itself.

https://gunicorn.org/reference/settings/ ; the command line and GUNICORN_CMD_ARGS win over it.
"""

import os
from pathlib import Path
from typing import Any

from config import env
from config.logs import formatter
from config.processes import forget_ended_processes

env.read_file(Path(__file__).with_name(".env"))

# In a container: `gunicorn config.wsgi --bind 0.0.0.0:8000`, reachable by the proxy only.
bind = f"127.0.0.1:{os.environ.get('PORT') or 8000}"

# A process per core, and threads that mostly wait: on Podero while others serve, of which
# PODERO_MAX_WAITING lets half do so at a time. All threads of a machine together are 80, since each
# may hold a connection to the database, of which PostgreSQL allows 100 unless told otherwise.
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS") or min(max(len(os.sched_getaffinity(0)), 2), 8))
threads = int(os.environ.get("WEB_THREADS") or max(80 // workers, 2))
# What the settings take half of.
os.environ["WEB_THREADS"] = str(threads)

# Connections that a process holds, those that wait for a thread included. With those to the
# database and to Podero they fit into the 1024 files that a process may open unless told otherwise.
worker_connections = 400

timeout = 30
# Longer than the longest press, and shorter than whoever stops us waits.
graceful_timeout = 25
# Longer than nginx keeps an idle connection to us (60 s), so that it is never us who hang up on
# a request under way.
keepalive = 75
# The heartbeat is a file; on a slow disk it would have healthy workers killed.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108

# No access log: addresses carry return and hand-off tokens. Let the proxy keep one without
# /enter/, /optimize/return/, /optimize/devices/return/ and /optimize/reminders/, see docs/deploy.md.
accesslog = None
errorlog = "-"
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "chosen": formatter(os.environ.get("LOG_FORMAT") or "json"),
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "chosen",
            "stream": "ext://sys.stderr",
        },
    },
    "root": {"handlers": [], "level": "INFO"},
    "loggers": {
        # An address that crashes the server itself is logged here, so keys are taken out.
        "gunicorn.error": {
            "handlers": ["console"],
            "level": os.environ.get("WEB_LOG_LEVEL") or "INFO",
            "propagate": False,
        },
        "gunicorn.access": {"handlers": [], "propagate": False},
    },
}

# gunicorn would open a control socket below the home directory.
control_socket_disable = True


def on_starting(_server: Any) -> None:
    """Begin to count anew; a worker that is replaced later leaves its counts behind."""
    _forget_ended_processes()


def child_exit(_server: Any, _worker: Any) -> None:
    """Not for ever: workers that end again and again would fill the disk."""
    _forget_ended_processes()


def _forget_ended_processes() -> None:
    forget_ended_processes(Path(os.environ.get("VAR_DIR") or "var") / "metrics")
