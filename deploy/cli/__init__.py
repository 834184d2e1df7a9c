"""The command line ``mirante``. The composition root: its commands alone import agents and deploy, inside the functions."""

import os

# Before numpy is imported: a worker is one core, and threads for its small matrices only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from deploy.cli.app import main

__all__ = ["main"]
