"""What the values of a label map mean, in one place."""

IGNORE = 255
"""No label: of a mask, VOC's void; of confident regions and pseudo masks, a neutral pixel. No stage learns from it."""
