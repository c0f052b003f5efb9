"""Starts the simulator: `python -m simulator --port 8001`."""

from __future__ import annotations

import argparse
import os
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from simulator.application import create_app
from simulator.config import Config
from simulator.runtime import EXTENSION

THREADS = 64


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with one worker process: the memory is the worker's own."""

    def __init__(self, config: Config, bind: str) -> None:
        self.simulator_config = config
        self.bind = bind
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn would otherwise read from its command line."""
        options = {
            "bind": [self.bind],
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "worker_connections": 2000,
            "keepalive": 60,
            "timeout": 120,
            "graceful_timeout": 1,
            "loglevel": "warning",
            "proc_name": "podero-simulator",
            "control_socket_disable": True,
            "worker_exit": _close,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the application; called in the worker process."""
        return create_app(self.simulator_config)


def _close(_server: Any, worker: Any) -> None:
    app = getattr(worker, "wsgi", None)
    if isinstance(app, Flask):
        app.extensions[EXTENSION].close()


def main() -> None:
    """Read the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--data", metavar="FILE", help="keep users and devices in this file")
    options = parser.parse_args()
    if options.data:
        os.environ["SIMULATOR_DATA"] = options.data
    address = f"http://{options.host}:{options.port}"
    print(f"Simulator of Podero on {address} (control page: {address}/control)", flush=True)
    Server(Config.from_environment(), f"{options.host}:{options.port}").run()


if __name__ == "__main__":
    main()
