"""What holds for all tests."""

import os

from hypothesis import settings

# How long an example takes says more about the machine than about the code. The same code gets the same examples, so that a change
# is never refused for what was there before; HYPOTHESIS_PROFILE=seek looks for others each time.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("seek", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
