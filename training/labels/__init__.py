"""How the model file of the labels agent is made (development only; nothing here is imported by a worker)."""
