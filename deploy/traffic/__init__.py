"""What is published to Mirante's topics for replays, demonstrations, benchmarks and tests.

Sources are iterators of `TimedRecord`: trace files (`formats.read_trace`), demonstration traffic (`demo.demo`) and
exact load (`load.Load`). `publisher.publish` sends any of them to Kafka; `replay.replay` does both for a file.
"""
