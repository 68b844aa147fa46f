"""What a pixel can be called, and the codec between masks, targets and logits."""
