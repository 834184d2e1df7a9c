"""Apache Kafka from its published jars, without an installation."""
