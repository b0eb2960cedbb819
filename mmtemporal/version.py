"""Version of the package, kept free of imports so that the build can read it."""

__version__ = '0.2.0'
