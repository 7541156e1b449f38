"""Weakly supervised semantic segmentation: from image-level labels to pixel masks."""
