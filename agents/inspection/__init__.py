"""Looking at one call: personal data, refusal, attacks, schema, outcome. A library: the agent ``guards`` reports what it finds."""
