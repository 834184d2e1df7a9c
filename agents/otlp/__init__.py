"""OpenTelemetry GenAI spans as Mirante's events: each call of a model once."""
