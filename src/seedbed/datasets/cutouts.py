"""Outlines, drawn by hand, of objects on photographs that come with scikit-image and scikit-learn.

Coordinates are pixels of the photograph, x before y, clockwise. Nothing is downloaded: only files of the installed
packages are read.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageDraw

from seedbed.errors import SeedbedError

FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}
SUPERSAMPLING = 4
"""Outlines are drawn at this multiple, so that edges are anti-aliased."""


@dataclass(frozen=True)
class Cutout:
    """One object on one photograph."""

    name: str
    """Its class."""
    package: str
    file: str
    outline: str
    """`x,y x,y …`."""
    holes: tuple[str, ...] = ()
    cut_below: bool = False
    """The photograph's edge cuts the object, so it is placed at the lower edge of a composite."""


CUTOUTS = (
    Cutout(
        "cat",
        "skimage",
        "chelsea.png",
        "40,0 36,25 32,60 31,95 33,112 22,120 0,126 0,300 250,300 258,284 276,272 292,258 304,240"
        " 312,222 326,203 342,186 352,170 360,150 364,128 362,108 356,90 354,78 362,70 372,55 384,35"
        " 394,15 400,0",
        cut_below=True,
    ),
    Cutout(
        "cup",
        "skimage",
        "coffee.png",
        "173,105 176,85 185,65 200,47 220,33 245,23 275,18 305,20 335,27 362,40 385,57 400,77 407,98"
        " 407,118 402,140 396,160 389,178 383,195 376,212 370,222 358,235 340,240 322,246 317,255 325,262"
        " 325,268 312,280 295,285 275,286 258,283 262,270 240,282 232,292 224,304 212,306 200,300 196,285"
        " 200,268 210,255 222,237 203,219 190,200 181,176 176,150 174,122",
    ),
    Cutout(
        "flower",
        "sklearn",
        "flower.jpg",
        "302,90 315,85 335,92 352,92 370,98 388,108 391,113 405,116 412,130 425,140 429,155 432,170"
        " 440,185 446,205 445,225 440,245 438,265 430,280 420,290 415,308 408,322 395,332 382,335 370,342"
        " 355,352 335,358 315,357 300,360 285,355 265,351 248,350 236,340 220,330 205,322 198,305 186,293"
        " 178,278 172,258 168,235 170,205 178,190 175,175 180,168 188,172 188,155 190,142 205,132 208,120"
        " 220,112 232,110 245,100 262,95 278,96 290,91",
    ),
    Cutout(
        "motorcycle",
        "skimage",
        "motorcycle_left.png",
        "93,213 95,203 105,197 128,196 135,202 150,205 146,190 142,175 138,165 140,152 150,145 160,146"
        " 167,157 180,160 190,166 200,170 230,172 248,168 258,178 265,188 280,195 300,197 320,195 335,190"
        " 348,188 357,192 356,199 375,190 390,182 402,170 415,162 430,156 450,155 468,157 480,152 469,140"
        " 470,128 484,117 498,121 503,108 515,97 530,103 534,118 550,125 560,140 559,160 548,180 550,190"
        " 552,198 548,204 578,262 587,267 605,272 620,280 635,292 643,303 640,310 634,315 645,325 660,345"
        " 675,370 683,395 683,415 675,435 660,446 640,448 615,442 590,428 570,410 550,390 535,370 522,345"
        " 514,322 508,330 505,322 508,305 518,290 530,282 525,265 510,235 496,226 490,206 480,225 470,240"
        " 476,255 478,275 479,290 475,310 470,330 460,350 445,368 425,378 400,380 380,376 345,372 345,395"
        " 342,412 335,437 325,434 331,412 333,395 330,380 318,366 285,357 276,364 262,380 240,394 215,400"
        " 190,397 165,388 145,370 130,345 122,318 123,295 132,272 145,257 158,248 149,244 146,226 128,236"
        " 112,247 104,238 115,230 122,219 100,215",
        holes=("524,216 533,209 562,262 552,266 544,268",),
    ),
    Cutout(
        "person",
        "skimage",
        "astronaut.png",
        "210,22 235,16 262,22 285,38 298,65 301,90 297,110 285,125 275,135 268,136 264,150 258,165"
        " 255,173 275,185 290,205 302,228 305,240 315,240 330,250 342,268 350,290 356,310 360,330 362,345"
        " 350,352 330,362 312,380 298,400 286,425 279,455 278,512 52,512 40,495 28,470 22,440 19,400"
        " 24,350 32,310 40,285 50,265 62,248 80,233 98,222 112,210 118,205 115,195 114,187 122,180"
        " 126,170 135,160 148,152 165,149 185,151 181,133 173,128 172,118 165,116 158,104 154,90 153,75"
        " 156,60 168,46 180,38 192,31",
        cut_below=True,
    ),
    Cutout(
        "person",
        "skimage",
        "camera.png",
        "205,64 225,68 245,78 258,92 266,105 270,118 268,130 255,132 252,140 252,150 254,165 249,172"
        " 246,182 241,192 242,207 246,225 248,243 261,226 263,212 275,207 287,212 287,294 270,303 248,312"
        " 230,308 207,295 192,313 171,341 151,365 141,380 146,410 149,440 149,512 141,512 130,485 113,460"
        " 99,447 96,470 92,512 0,512 0,250 20,235 35,215 48,190 55,170 67,152 80,141 100,130 122,124"
        " 132,120 140,110 155,107 163,106 168,92 175,80 188,71",
        cut_below=True,
    ),
    Cutout(
        "rocket",
        "skimage",
        "rocket.jpg",
        "322,127 327,131 331,139 333,148 333,170 332,178 335,181 335,188 331,196 331,406 312,406 313,196"
        " 309,188 310,181 312,178 311,170 311,148 313,139 317,131",
    ),
    Cutout(
        "rocket",
        "skimage",
        "astronaut.png",
        "404,0 426,0 432,12 437,30 438,48 441,44 444,40 448,46 451,55 453,70 454,100 455,210 455,234"
        " 453,240 456,256 459,263 452,273 434,270 428,266 426,240 416,240 415,252 412,268 392,270 385,262"
        " 378,266 368,272 366,262 372,250 380,235 376,224 354,221 356,210 364,196 376,185 379,178 379,120"
        " 380,110 380,65 383,50 388,42 392,50 395,42 396,30 399,15",
    ),
)
"""All objects; several of a class if the packages contain several."""

BACKGROUNDS = (
    ("sklearn", "china.jpg", (0, 0, 427, 427)),
    ("sklearn", "china.jpg", (320, 60, 640, 427)),
    ("sklearn", "china.jpg", (330, 0, 560, 300)),
    ("sklearn", "flower.jpg", (450, 0, 640, 370)),
    ("sklearn", "flower.jpg", (0, 0, 165, 427)),
    ("skimage", "grass.png", (0, 0, 512, 512)),
    ("skimage", "gravel.png", (0, 0, 512, 512)),
    ("skimage", "brick.png", (0, 0, 512, 512)),
    ("skimage", "coffee.png", (482, 100, 600, 400)),
    ("skimage", "rocket.jpg", (90, 0, 195, 427)),
    ("skimage", "rocket.jpg", (455, 0, 560, 427)),
    ("skimage", "hubble_deep_field.jpg", (0, 0, 1000, 872)),
    ("skimage", "motorcycle_left.png", (0, 0, 135, 140)),
    ("skimage", "motorcycle_left.png", (585, 20, 741, 260)),
    ("skimage", "camera.png", (334, 0, 512, 300)),
    ("skimage", "camera.png", (345, 215, 512, 420)),
)
"""Package, file and a box (left, upper, right, lower) that contains no object of any class."""


def points(outline: str) -> list[tuple[float, float]]:
    """The vertices of an outline."""
    pairs = (pair.split(",") for pair in outline.split())
    return [(float(x), float(y)) for x, y in pairs]


@cache
def photograph(package: str, file: str) -> Image.Image:
    """A photograph of an installed package, RGB; kept in memory.

    Raises:
        SeedbedError: the package is not installed or does not contain the file.
    """
    spec = find_spec(package)
    folder = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else Path()
    path = folder / FOLDERS[package] / file
    if spec is None or not path.is_file():
        raise SeedbedError(
            f"composites: expected the photograph {file} inside {package}, but it is not in {path.parent};"
            " reinstall scikit-image and scikit-learn as envs/requirements.lock says"
        )
    with Image.open(path) as opened:
        return opened.convert("RGB")


@cache
def cut(cutout: Cutout) -> Image.Image:
    """An object as RGBA, cropped to its outline; alpha is the share of a pixel that lies inside; kept in memory."""
    photo = photograph(cutout.package, cutout.file)
    shape = Image.new("L", (photo.width * SUPERSAMPLING, photo.height * SUPERSAMPLING))
    draw = ImageDraw.Draw(shape)
    for outline, inside in [(cutout.outline, 255), *((hole, 0) for hole in cutout.holes)]:
        draw.polygon([(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in points(outline)], fill=inside)
    alpha = shape.reduce(SUPERSAMPLING)
    result = photo.copy()
    result.putalpha(alpha)
    box = alpha.getbbox()
    assert box is not None
    return result.crop(box)
