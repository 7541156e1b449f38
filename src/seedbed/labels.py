"""What the values of a label map mean, and how large one may be, in one place."""

IGNORE = 255
"""No label: of a mask, VOC's void; of confident regions and pseudo masks, a neutral pixel. No stage learns from it."""

MOST_PIXELS = 64_000_000
"""Pixels of a photograph or a mask; one of 64 megapixels takes about 1 GB where its label map is made."""
