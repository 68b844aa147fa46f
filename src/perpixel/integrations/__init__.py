"""Places where people already label: the formats and functions that they ask for."""
