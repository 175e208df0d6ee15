"""What holds for the tests of all packages."""

from hypothesis import settings

# A time limit per example would fail on a busy machine, and says nothing: speed is measured by benchmarks.
settings.register_profile("workspace", settings(), deadline=None)
settings.load_profile("workspace")
