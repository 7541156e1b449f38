"""Photographs and masks of unusual formats: read rightly, or refused by name."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from seedbed.datasets.files import (
    id_fault,
    image_faults,
    image_size,
    is_turned,
    mask_lookup,
    read_image,
    read_indices,
    read_mask,
)
from seedbed.errors import SeedbedError


def png(path, bits: int, colour: int, rows: list[bytes], width: int) -> None:
    """A PNG written by hand: IHDR, IDAT of packed rows, IEND."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    palette = chunk(b"PLTE", bytes(range(48))) if colour == 3 else b""
    content = chunk(b"IHDR", header) + palette + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize("colour", [0, 3])
@pytest.mark.parametrize(
    ("bits", "row", "expected"),
    [
        (1, b"\x50", [0, 1, 0, 1]),  # 0101 0000
        (2, b"\x1b", [0, 1, 2, 3]),  # 00 01 10 11
        (4, b"\x01\x2f", [0, 1, 2, 15]),
        (8, b"\x00\x01\x02\xff", [0, 1, 2, 255]),
    ],
)
def test_indices_of_every_depth(tmp_path, colour, bits, row, expected):
    png(tmp_path / "m.png", bits, colour, [row, row], width=4)
    assert read_indices(tmp_path / "m.png").tolist() == [expected, expected]


def test_a_4_bit_grey_mask_has_its_classes(tmp_path):
    png(tmp_path / "m.png", 4, 0, [b"\x01\x20"], width=3)
    assert read_mask(tmp_path / "m.png", mask_lookup([2, 1])).tolist() == [[0, 2, 1]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16"])
def test_masks_that_are_no_indices(tmp_path, mode):
    Image.new(mode, (2, 2)).save(tmp_path / "m.png")
    with pytest.raises(SeedbedError, match=f"its mode is {mode}"):
        read_indices(tmp_path / "m.png")


def test_a_photograph_called_a_mask(tmp_path):
    Image.new("L", (2, 2)).save(tmp_path / "m.png", "JPEG")
    with pytest.raises(SeedbedError, match=r"m\.png: not a readable mask \(not a PNG\); replace it"):
        read_indices(tmp_path / "m.png")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_not_white(tmp_path, suffix):
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / f"x.{suffix}")
    grey = np.asarray(read_image(tmp_path / f"x.{suffix}"))
    assert grey.tolist() == [[[v, v, v] for v in (0, 0, 1, 128, 255)]]


def test_16_bits_that_hold_12_are_refused(tmp_path):
    Image.fromarray(np.array([[0, 4095]], np.uint16)).save(tmp_path / "x.tif")
    (fault,) = image_faults(tmp_path / "x.tif")
    assert "expected 16-bit values up to 65535, but the largest is 4095; save it as 8 bits" in fault


@pytest.mark.parametrize(("mode", "kind"), [("I", np.int32), ("F", np.float32)])
def test_32_bits_are_refused(tmp_path, mode, kind):
    Image.fromarray(np.array([[0, 70_000]], kind)).save(tmp_path / "x.tif")
    (fault,) = image_faults(tmp_path / "x.tif")
    assert f"its mode is {mode}" in fault


@pytest.mark.parametrize("form", ["PPM", "EPS", "PDF", "ICNS"])
def test_other_formats_are_refused_whatever_they_are_called(tmp_path, form):
    Image.new("RGB", (16, 16)).save(tmp_path / "x.jpg", form)
    (fault,) = image_faults(tmp_path / "x.jpg")
    assert "x.jpg: not a readable image (none of the formats JPEG, PNG, WEBP, BMP, TIFF, GIF)" in fault


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "MPO"])
def test_formats_that_are_read(tmp_path, form):
    Image.new("RGB", (3, 2), (200, 10, 10)).save(tmp_path / "x.jpg", form)
    assert image_faults(tmp_path / "x.jpg") == []
    assert np.abs(np.asarray(read_image(tmp_path / "x.jpg"))[0, 0].astype(int) - (200, 10, 10)).max() < 8


@pytest.mark.parametrize("indices", [list(range(1, 255)), [254], [255]])
def test_indices_beyond_8_bits(indices):
    with pytest.raises(SeedbedError, match="expected at most 253 classes with indices up to 253"):
        mask_lookup(indices)


@pytest.mark.parametrize("image_id", ["a", "a/b.jpg", "./a", "a//b", "a..b", "..a"])
def test_ids_below_the_folder(image_id):
    assert id_fault(image_id) is None


def with_alpha(alpha: list[int]) -> Image.Image:
    return Image.fromarray(np.array([[(0, 0, 0, a) for a in alpha]], np.uint8))


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_transparent_photographs_are_refused(tmp_path, form):
    """Below transparent pixels lie colours that nobody sees; black objects of cut-outs would be black throughout."""
    with_alpha([255, 255, 128, 0]).save(tmp_path / "x.png", form, lossless=True)
    (fault,) = image_faults(tmp_path / "x.png")
    assert fault.endswith(
        "x.png: 50.0% of its pixels are transparent, and nothing says what is seen behind them; save it without "
        "transparency, for instance on white"
    )
    with_alpha([255, 254, 255, 255]).save(tmp_path / "x.png", form, lossless=True)
    assert image_faults(tmp_path / "x.png") == []
    assert read_image(tmp_path / "x.png").mode == "RGB"


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "LA", "PA"])
def test_transparency_of_every_kind_of_png(tmp_path, mode):
    image = with_alpha([255, 0]).convert("LA" if mode == "LA" else "RGBA")
    options = {}
    if mode in ("P", "L", "RGB"):
        image = Image.fromarray(np.array([[9, 3]], np.uint8), mode="L").convert(mode)
        options = {"transparency": (3, 3, 3) if mode == "RGB" else image.getpixel((1, 0))}
    image.save(tmp_path / "x.png", **options)
    assert "50.0% of its pixels are transparent" in image_faults(tmp_path / "x.png")[0]


def test_a_palette_with_an_unused_transparent_colour_is_opaque(tmp_path):
    Image.fromarray(np.array([[9, 3]], np.uint8), mode="P").save(tmp_path / "x.gif", transparency=7)
    assert image_faults(tmp_path / "x.gif") == []


def test_a_mask_with_swapped_sides_names_the_orientation(tmp_path):
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(
        SeedbedError, match=r"size 2x3, but it is 3x2: its sides are swapped, .* EXIF orientation"
    ):
        read_mask(tmp_path / "m.png", mask_lookup([1]), (2, 3))
    Image.new("RGB", (2, 3)).save(tmp_path / "x.jpg")
    with pytest.raises(
        SeedbedError, match=r"sides are swapped; turn the mask as the photograph is, or replace it$"
    ):
        read_mask(tmp_path / "m.png", mask_lookup([1]), (2, 3), tmp_path / "x.jpg")
    Image.new("RGB", (3, 2)).save(tmp_path / "x.jpg", exif=exif_of(b"\x12\1", b"\3\0\1\0\0\0\6\0\0\0"))
    with pytest.raises(SeedbedError, match=r"sides are swapped, .* EXIF orientation"):
        read_mask(tmp_path / "m.png", mask_lookup([1]), (2, 3), tmp_path / "x.jpg")
    with pytest.raises(SeedbedError, match=r"size 4x2, but it is 3x2$"):
        read_mask(tmp_path / "m.png", mask_lookup([1]), (4, 2))


def test_a_mask_with_an_orientation_of_its_own_is_refused(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / "m.png", exif=exif)
    with pytest.raises(SeedbedError, match="the mask has an EXIF orientation"):
        read_indices(tmp_path / "m.png")


@pytest.mark.parametrize("there", ["a.png", "a.JPG", "A.jpg", "a.heic"])
def test_a_file_that_is_there_under_another_name_is_told(tmp_path, there):
    (tmp_path / there).touch()
    (tmp_path / "ab.jpg").touch()
    (fault,) = image_faults(tmp_path / "a.jpg")
    assert fault.endswith(f"a.jpg: expected a photograph, but there is no such file, only {there}")
    (fault,) = image_faults(tmp_path / "none/a.jpg")
    assert fault.endswith("but there is no such file")


@pytest.mark.parametrize(
    "value", [b"\2\0\2\0\0\0" + b"6\0\0\0", *(b"\3\0\1\0\0\0" + bytes([k, 0, 0, 0]) for k in (0, 9))]
)
def test_an_orientation_that_is_none_is_upright(tmp_path, value):
    """As text, or beyond 1 to 8."""
    Image.new("RGB", (4, 2)).save(tmp_path / "x.jpg", exif=exif_of(b"\x12\1", value))
    assert image_size(tmp_path / "x.jpg") == read_image(tmp_path / "x.jpg").size == (4, 2)
    assert not is_turned(tmp_path / "x.jpg")


def exif_of(tag: bytes, value: bytes) -> bytes:
    """EXIF with one entry: its tag, then type, number and value."""
    return b"Exif\0\0II*\0\x08\0\0\0\1\0" + tag + value + b"\0\0\0\0"


def test_warnings_of_pillow_are_not_printed(tmp_path):
    two = b"\3\0\2\0\0\0\6\0\1\0"
    Image.new("RGB", (4, 2)).save(tmp_path / "x.jpg", exif=exif_of(b"\x12\1", two))
    told = [
        subprocess.run(
            [sys.executable, "-c", c], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stderr
        for c in (
            "from seedbed.datasets.files import Path, image_size; image_size(Path('x.jpg'))",
            "from PIL import Image; Image.open('x.jpg').getexif()[274]",
        )
    ]
    assert told[0] == ""
    assert "UserWarning" in told[1]


@pytest.mark.parametrize(
    ("colour", "bits", "samples", "key"),
    [
        (0, 1, [0, 1], 1),
        (0, 2, [0, 2], 2),
        (0, 4, [9, 3], 3),
        (0, 8, [9, 3], 3),
        (0, 16, [9000, 1234], 1234),
        (2, 8, [9, 9, 9, 1, 2, 3], (1, 2, 3)),
        (2, 16, [9000, 9000, 9000, 1234, 2345, 3456], (1234, 2345, 3456)),
    ],
)
def test_a_transparent_value_of_every_depth(tmp_path, colour, bits, samples, key):
    """The chunk tRNS names one value, in the depth of the file."""
    keys = key if isinstance(key, tuple) else (key,)
    for chosen, share in ((keys, 0.5), (tuple(k + 1 if bits > 1 else 0 for k in keys), 0.5 * (bits == 1))):
        (tmp_path / "x.png").write_bytes(png_with_key(colour, bits, samples, chosen))
        faults = image_faults(tmp_path / "x.png")
        if colour == 2 and bits == 16 and not share:
            continue  # the upper 8 bits are compared, and these are equal
        if not share and bits == 16:
            assert all("transparent" not in fault for fault in faults)
        else:
            assert [f"{share:.1%} of its pixels are transparent" in fault for fault in faults] == [True] * (
                share > 0
            )


def png_with_key(colour: int, bits: int, samples: list[int], key: tuple[int, ...]) -> bytes:
    """A PNG of one row of two pixels, written by hand."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    row = "".join(f"{value:0{bits}b}" for value in samples)
    row += "0" * (-len(row) % 8)
    packed = bytes(int(row[k : k + 8], 2) for k in range(0, len(row), 8))
    head = struct.pack(">IIBBBBB", 2, 1, bits, colour, 0, 0, 0)
    keys = b"".join(struct.pack(">H", k) for k in key)
    chunks = ((b"IHDR", head), (b"tRNS", keys), (b"IDAT", zlib.compress(b"\0" + packed)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)
