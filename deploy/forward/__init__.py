"""Alerts from Kafka to receivers: who gets what (``receivers``), in which form (``payloads``), how one POST fares (``delivery``),
what Alertmanager is to know (``mirror``), and all of it together (``forwarder``)."""
