"""What crosses the boundary of Mirante: events in and out, their JSON Schema and AsyncAPI, table rows, ClickHouse migrations."""
