"""How the instrumentation libraries say the same things: one module each."""
