"""Faults drawn from a seed against a running Mirante, and what must hold afterwards (docs/delivery.md)."""
