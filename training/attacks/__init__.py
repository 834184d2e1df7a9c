"""Attacks on the model: where texts come from, and how the models that find them are made."""
