"""How a worker collects garbage."""

import gc


def spare_what_is_loaded() -> None:
    """What lives for ever by now, code and models, is not walked again by each collection, and collections are few.

    A collection walks what is new, and nearly all of that is in use: records, effects of the next checkpoint, sessions. What is held
    for some seconds at 5,000 events/s is tens of thousands of objects, which must not set one off.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)
