"""`mirante ingest`: what services and browsers send over HTTP, written to Kafka before it is answered."""
