"""Set-up of the tests over drawn examples: the same ones in every run."""

import tempfile

from hypothesis import HealthCheck, configuration, settings

# Nothing is left in the repository.
configuration.set_hypothesis_home_dir(f'{tempfile.gettempdir()}/hypothesis')
settings.register_profile(
    'same examples',
    derandomize=True,
    database=None,
    deadline=None,  # other work may run beside
    # Each example seeds its tensors by itself.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile('same examples')
