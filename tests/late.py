"""Modules that take seconds to import, for the tests that use them: collecting all tests loads none."""

from importlib import import_module


class Late:
    """Stands for a module, which is imported when a function or class of it is asked for first."""

    def __init__(self, name, before=lambda: None):
        self._name, self._before = name, before

    def __getattr__(self, name):
        if name.startswith(("_", "pytest")):  # pytest looks at everything that it collects
            raise AttributeError(name)
        self._before()
        return getattr(import_module(self._name), name)
