"""Drift: whether a series of answers still behaves like its reference, and if not, since when and why."""
