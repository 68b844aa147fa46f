"""Tools in which people already label, and the functions that they ask for."""
