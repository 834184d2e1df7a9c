"""One application a client: each instruments as its documentation says, then makes the same calls.

Where the provider and Mirante are, they are told by the environment, see `tests/otel/conftest.py`.
"""
