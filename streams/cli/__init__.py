"""The command line ``mirante``. The composition root: its commands alone import agents and deploy, inside the functions."""

from streams.cli.app import main

__all__ = ["main"]
