"""Networks that map an image (N, C, H, W) to logits (N, K, H, W), for any H and W."""
