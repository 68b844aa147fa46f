"""perpixel."""
