"""Everything Mirante needs on one machine: processes, broker, data directory."""
