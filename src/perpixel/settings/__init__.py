"""The settings tree, its choices, presets and recipes."""
