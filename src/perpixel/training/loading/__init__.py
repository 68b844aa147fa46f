"""Training data on their way to the network: augmentation and batches."""
