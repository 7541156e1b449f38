"""Where published data sets are: official addresses, checksums where they are published, licences (`seedbed fetch`).

MD5 is what these sites, or torchvision for them, publish; it tells a damaged file, not a forged one.
"""

from typing import NamedTuple


class Source(NamedTuple):
    """One file.

    Attributes:
        url: official address.
        md5: hexadecimal; empty if none is published.
        makes: a file or folder, below `folder`, that is there once the archive is unpacked.
        folder: below the target, where an archive is unpacked.
    """

    url: str
    md5: str
    makes: str
    folder: str = "."

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rpartition("/")[2]


class Published(NamedTuple):
    """A data set that can be fetched.

    Attributes:
        licence: in one line, with the page that says so.
        sources: its files.
        declaration: what to write in params.yaml, with `{out}` for the target.
    """

    licence: str
    sources: tuple[Source, ...]
    declaration: str


_COCO = "http://images.cocodataset.org"
_COCO_LICENCE = (
    "annotations CC BY 4.0, photographs under Flickr's terms of use; https://cocodataset.org/#termsofuse"
)
_VOC_LICENCE = (
    "photographs under Flickr's terms of use; http://host.robots.ox.ac.uk/pascal/VOC/voc2012/#rights"
)
_VOC = Source(
    "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    "6cd6e144f989b92b3379bac3b3de84fd",
    "VOCdevkit/VOC2012",
)


def _coco(year: int, train: str, val: str, annotations: str) -> Published:
    return Published(
        _COCO_LICENCE,
        (
            Source(
                f"{_COCO}/annotations/annotations_trainval{year}.zip",
                annotations,
                f"annotations/instances_val{year}.json",
                "coco",
            ),
            Source(f"{_COCO}/zips/val{year}.zip", val, f"val{year}", "coco"),
            Source(f"{_COCO}/zips/train{year}.zip", train, f"train{year}", "coco"),
        ),
        f"{{kind: coco, root: {{out}}/coco, shards: 64, "
        f"splits: {{train: {{list: train{year}}}, val: {{list: val{year}}}}}}}",
    )


PUBLISHED: dict[str, Published] = {
    "voc": Published(
        _VOC_LICENCE,
        (_VOC,),
        "{kind: voc, root: {out}/VOCdevkit/VOC2012, shards: 16, splits: {train: {}, val: {}}}",
    ),
    "sbd": Published(
        f"SBD states none; VOC: {_VOC_LICENCE}",
        (
            _VOC,
            Source(
                "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
                "82b4d87ceb2ed10f6038a1cba92111cb",
                "benchmark_RELEASE",
            ),
        ),
        "{kind: sbd, root: {out}/VOCdevkit/VOC2012, shards: 16, splits: {train: {list: train_aug}, val: {}}}",
    ),
    "coco": _coco(
        2017,
        train="cced6f7f71b7629ddf16f17bbcfab6b2",
        val="442b8da7639aecaf257c1dceb8ba8c80",
        annotations="f4bbac642086de4f52a3fdda2de5fa2c",
    ),
    "coco2014": _coco(
        2014,
        train="0da8c0bd3d6becc4dcb32757491aca88",
        val="a3d79f5ed8d289b7a7554ce06a5782b3",
        annotations="0a379cfc70b0e71301e0f377548639bd",
    ),
    "pets": Published(
        "CC BY-SA 4.0; https://www.robots.ox.ac.uk/~vgg/data/pets/",
        (
            Source(
                "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
                "5c4f3ee8e5d25df40f4fd59a7f44e54c",
                "images",
                "oxford-iiit-pet",
            ),
            Source(
                "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
                "95a8c909bbe2e81eed6a22bccdf3f68f",
                "annotations",
                "oxford-iiit-pet",
            ),
        ),
        "{kind: pets, root: {out}, shards: 8, splits: {train: {list: trainval}, val: {list: test}}, "
        'class_map: {masks: {pet: "*"}}}',
    ),
}
"""By the word after `seedbed fetch`."""
