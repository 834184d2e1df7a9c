"""The dashboard: pages that show what the AI features cost and how they behave, from ClickHouse."""
