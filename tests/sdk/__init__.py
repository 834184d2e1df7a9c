"""Tests of the SDK, in an environment of its own (`make sdk-test`): the providers' real clients
against fakes on loopback.
"""
