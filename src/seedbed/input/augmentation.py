"""Parameters of training augmentation; the defaults are from IRN (Ahn et al. 2019) and Puzzle-CAM (Jo & Yu 2021)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

Side = Annotated[int, Field(ge=1, le=8192)]
Scale = Annotated[float, Field(gt=0, le=16)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColourJitter(_Model):
    """Factors are drawn from [1 − x, 1 + x], the shift of the hue from [−hue, hue]; in random order."""

    brightness: Share = 0.3
    contrast: Share = 0.3
    saturation: Share = 0.3
    hue: float = Field(default=0.1, ge=0, le=0.5)
    """As a fraction of the full circle."""


class RandAugment(_Model):
    """RandAugment (Cubuk et al. 2020)."""

    n: PositiveInt = 2
    """Operations per image."""
    m: int = Field(default=10, ge=0, le=30)
    """Magnitude, out of 30."""
    geometric: bool = False
    """Also shear, shift and rotate. Label maps move along; what moves in from outside has no label."""


class FixMatch(_Model):
    """RandAugment as in FixMatch (Sohn et al. 2020, table 12), which the code of Puzzle-CAM and P-NOC has.

    Fourteen operations, five of them geometric, each applied with probability 1/2 at a random strength; then a black
    square is put on the image. torchvision's `RandAugment` and timm's have other operations and ranges.
    """

    n: PositiveInt = 2
    """Operations drawn per image."""
    m: int = Field(default=10, ge=2, le=10)
    """Strengths are drawn from 1 to m - 1, out of 10."""
    cutout: int = Field(default=16, ge=0, le=8192)
    """Side of the square in pixels; 0: none."""


class Augmentation(_Model):
    """What happens to a training image, in this order."""

    resize_long: tuple[Side, Side] | None = (320, 640)
    """The longer side becomes an integer drawn uniformly from [low, high]."""
    rescale: tuple[Scale, Scale] | None = None
    """Instead: both sides are multiplied by a factor drawn uniformly from [low, high] (segmenters: 0.5 to 1.5)."""
    interpolation: Literal["bicubic", "bilinear"] = "bicubic"
    """How images are resized, always antialiased; label maps take the nearest pixel."""
    crop: Side = 512
    """Side of the square crop. Smaller images are placed at random and padded."""
    flip: Share = 0.5
    """Probability of a horizontal flip."""
    rotate: float = Field(default=0.0, ge=0, le=180)
    """Largest angle in degrees by which the crop is turned about its centre, drawn uniformly to both sides. Label maps
    take the nearest pixel; what moves in from outside has no label (255)."""
    colour_jitter: ColourJitter | None = None
    randaugment: RandAugment | None = None
    fixmatch: FixMatch | None = None

    @model_validator(mode="after")
    def _ranges(self) -> "Augmentation":
        for name in ("resize_long", "rescale"):
            bounds = getattr(self, name)
            if bounds is not None and bounds[0] > bounds[1]:
                raise ValueError(f"{name}: expected [low, high], but {bounds[0]} is greater than {bounds[1]}")
        if self.randaugment is not None and self.fixmatch is not None:
            raise ValueError("expected randaugment or fixmatch, but both are set; set one to null")
        if self.rescale is not None and self.resize_long is not None:
            if "resize_long" in self.model_fields_set:
                raise ValueError("expected resize_long or rescale, but both are set; set one to null")
            object.__setattr__(self, "resize_long", None)
        return self
