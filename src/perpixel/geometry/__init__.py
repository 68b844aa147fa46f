"""Tiles, connected components and polygons."""
