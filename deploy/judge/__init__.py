"""The reference judge: reads `llm.judge.tasks`, asks a model, writes its scores to `llm.evaluations`."""
