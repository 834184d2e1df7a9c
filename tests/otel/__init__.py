"""Real clients and instrumentations, in an environment of its own (`make otel-test`), export to a
running Mirante what they tell of calls to a provider on loopback.
"""
