"""From findings to alerts that people trust: life cycle, inhibition, silences, a cap on pages."""
