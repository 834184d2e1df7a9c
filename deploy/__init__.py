"""Running Mirante: the embedded stack, Apache Kafka for tests, the container image."""
