"""How a worker collects garbage."""

import gc


def spare_what_is_loaded() -> None:
    """What lives for ever by now, code and models, is not walked again by each collection, and collections are few."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
