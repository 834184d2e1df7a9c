"""Tests and benchmarks. What they measure runs as the command line would run it."""

import os

# As in deploy/cli: on a busy machine, threads for small matrices wait for each other up to twenty times as long as they work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
