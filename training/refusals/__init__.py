"""The model of refusals: where its examples come from, and how it is made and measured."""
