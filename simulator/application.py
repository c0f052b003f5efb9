"""Puts the parts together."""

from __future__ import annotations

from flask import Flask

from simulator import gate
from simulator.api import boost, cues, devices, onboarding, savings, tokens, users
from simulator.api.blueprint import api, install_error_answers
from simulator.config import Config
from simulator.control import interface, pages
from simulator.control.blueprint import control
from simulator.hosted import form, manufacturer, reconnect
from simulator.hosted.pages import hosted
from simulator.runtime import EXTENSION, Simulator
from simulator.snapshot import Snapshot

# Importing these modules puts their routes on the blueprints.
ROUTES = (
    *(boost, cues, devices, onboarding, savings, tokens, users),
    *(form, manufacturer, reconnect),
    *(interface, pages),
)


def create_app(config: Config | None = None) -> Flask:
    """Return the WSGI application of a fresh simulator, filled from its snapshot if it has one."""
    config = config or Config.from_environment()
    running = Simulator(config)
    if config.data_path is not None:
        running.snapshot = Snapshot(running.store, config.data_path)
        running.snapshot.load()
        running.snapshot.start()
    app = Flask(__name__, static_url_path="/simulator-static")
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.extensions[EXTENSION] = running
    gate.install(app)
    install_error_answers(app)
    for blueprint in (api, hosted, control):
        app.register_blueprint(blueprint)
    return app
