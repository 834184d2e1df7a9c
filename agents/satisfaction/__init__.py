"""Satisfaction of each feature over time, and when it has fallen below what it was."""
