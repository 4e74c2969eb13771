"""The CPU kernel: one compiled call per step over all tensors."""
