"""Runs a management command in the environment of `make run`: `python -m scripts.manage sweep`."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from scripts.environment import ImpossibleEnvironment, given_environment, local_environment


def main() -> None:
    try:
        os.environ.update(local_environment(given_environment()).variables)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        execute_from_command_line(["manage.py", *sys.argv[1:]])
    except (ImpossibleEnvironment, ImproperlyConfigured) as error:
        sys.exit(f"Cannot start: {error}")


if __name__ == "__main__":
    main()
