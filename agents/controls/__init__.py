"""Kill switches and throttles: what is in force (``fold``), automatic rules, and the audit of both."""
