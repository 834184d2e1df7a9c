"""Labelled interactions as test cases and training sets: what was said, what users thought of it, and nothing that was masked."""
