"""`seedbed fetch` from a server on this machine: cut connections, wrong checksums, full disks, damaged archives."""

import hashlib
import io
import re
import shutil
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seedbed.datasets import DatasetDeclaration
from seedbed.datasets.sources import PUBLISHED, Published, Source
from seedbed.datasets.table import dataset_options
from seedbed.errors import SeedbedError
from seedbed.plan.config import parse_config
from seedbed.verbs.download import download, md5_of
from seedbed.verbs.fetch import fetch, unpack
from seedbed.yaml_files import parse_yaml

CONTENT = bytes(range(256)) * 2000
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files`; breaks off after `cuts` bytes, one number per request, and keeps the ranges asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/a.bin": CONTENT}
        self.cuts: list[int] = []
        self.ranges: list[str] = []
        self.knows_ranges = True
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range", ""))
        status = self.server.answers.pop(0) if self.server.answers else 200
        content = self.server.files.get(self.path)
        if content is None or status != 200:
            self.send_error(404 if status == 200 else status)
            return
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(start[1]) if start and self.server.knows_ranges else 0
        if first and first >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else len(content)
        self.wfile.write(content[first : first + cut])

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file(server, tmp_path):
    seen: list[tuple[int, int | None]] = []
    path = download(f"{server.url}/a.bin", tmp_path / "sub/a.bin", MD5, lambda *at: seen.append(at))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    download(f"{server.url}/a.bin", path, MD5)
    assert server.ranges == [""], "a file that is there is not asked for again"
    assert [p.name for p in path.parent.iterdir()] == ["a.bin"]


def test_a_cut_connection_goes_on_where_it_broke_off(server, tmp_path):
    server.cuts = [100_000, 50_000]
    path = download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5, pause=0.0)
    assert path.read_bytes() == CONTENT
    assert server.ranges == ["", "bytes=100000-", "bytes=150000-"]


def test_a_later_call_goes_on(server, tmp_path):
    server.cuts = [100_000, *[0] * 9]
    with pytest.raises(
        SeedbedError, match=r"the connection was cut after 100.0 kB; run the command again"
    ) as told:
        download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5, pause=0.0)
    assert "\n" not in str(told.value)
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:100_000]
    server.cuts.clear()
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5).read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=100000-"


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.knows_ranges, server.cuts = False, [100_000]
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5, pause=0.0).read_bytes() == CONTENT


def test_what_had_come_whole_is_verified_without_a_byte_more(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5).read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5, pause=0.0).read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    server.files["/a.bin"] = CONTENT[:-1] + b"!"
    with pytest.raises(SeedbedError, match=f"expected a file with MD5 {MD5}, got .*; it was removed") as told:
        download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5)
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_checksum_is_replaced(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5).read_bytes() == CONTENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_fills_up(server, tmp_path):
    (tmp_path / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(
        SeedbedError, match=r"cannot write .*a.bin.part: the disk is full; free some space"
    ) as told:
        download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "a.bin").exists()


def test_too_little_space_is_told_before_a_byte_is_written(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(SeedbedError, match=r"a.bin needs 512.0 kB more, but .* has 1.0 kB; free some space"):
        download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_does_not_change_is_not_asked_for_twice(server, tmp_path):
    with pytest.raises(
        SeedbedError, match=r"the server answers 404 \(Not Found\); check whether the data set"
    ):
        download(f"{server.url}/b.bin", tmp_path / "b.bin", pause=0.0)
    assert len(server.ranges) == 1


def test_a_server_that_is_busy_is_asked_again(server, tmp_path):
    server.answers = [503, 503]
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5, pause=0.0).read_bytes() == CONTENT
    assert len(server.ranges) == 3


def test_a_fault_of_tls_is_a_cut_connection(server, tmp_path, monkeypatch):
    read, faults = HTTPResponse.read, [ssl.SSLError(1, "record layer failure")]

    def flawed(self: HTTPResponse, amount: int | None = None) -> bytes:
        if faults:
            raise faults.pop()
        return read(self, amount)

    monkeypatch.setattr(HTTPResponse, "read", flawed)
    assert download(f"{server.url}/a.bin", tmp_path / "a.bin", MD5, pause=0.0).read_bytes() == CONTENT
    assert len(server.ranges) == 2


def test_no_server(tmp_path):
    with pytest.raises(SeedbedError, match=r"no connection .*refused.* after 0 B; run the command again"):
        download("http://127.0.0.1:9/a.bin", tmp_path / "a.bin", pause=0.0)


def tar_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture
def toy(server) -> dict[str, Published]:
    server.files = {"/a.tar.gz": tar_of({"images/a.jpg": b"a"}), "/b.zip": zip_of({"b.json": b"{}"})}
    sources = [
        Source(f"{server.url}/a.tar.gz", hashlib.md5(server.files["/a.tar.gz"]).hexdigest(), "images", "toy"),
        Source(f"{server.url}/b.zip", "", "b.json", "toy/annotations"),
    ]
    return {"toy": Published("free; https://example.org", tuple(sources), "{kind: voc, root: {out}/toy}")}


def test_a_data_set(server, toy, tmp_path):
    told: list[str] = []
    fetch("toy", tmp_path, tell=told.append, published=toy, pause=0.0)
    assert (tmp_path / "toy/images/a.jpg").read_bytes() == b"a"
    assert (tmp_path / "toy/annotations/b.json").read_bytes() == b"{}"
    assert told[0] == "licence: free; https://example.org"
    assert told[1].endswith("a.tar.gz: downloaded, MD5 verified, unpacked")
    assert told[2].endswith("b.zip: downloaded, no checksum is published, unpacked")
    assert told[3].endswith(f"toy: {{kind: voc, root: {tmp_path}/toy}}")
    assert not [p for p in (tmp_path / ".fetch").iterdir() if p.suffix in (".gz", ".zip", ".part")]
    told.clear()
    fetch("toy", tmp_path, tell=told.append, published=toy)
    assert [line.rpartition(": ")[2] for line in told[1:3]] == ["is there already"] * 2
    assert len(server.ranges) == 2


def test_an_unpacking_that_was_cut_is_done_again(server, toy, tmp_path):
    fetch("toy", tmp_path, keep=True, tell=str, published=toy)
    assert md5_of(tmp_path / ".fetch/a.tar.gz") == toy["toy"].sources[0].md5
    (tmp_path / ".fetch/a.tar.gz.unpacked").unlink()
    (tmp_path / "toy/images/a.jpg").unlink()
    fetch("toy", tmp_path, tell=str, published=toy)
    assert (tmp_path / "toy/images/a.jpg").read_bytes() == b"a"
    assert len(server.ranges) == 2, "the archive was still there"


def test_what_was_deleted_is_fetched_again(server, toy, tmp_path):
    fetch("toy", tmp_path, tell=str, published=toy)
    shutil.rmtree(tmp_path / "toy/images")
    fetch("toy", tmp_path, tell=str, published=toy)
    assert (tmp_path / "toy/images/a.jpg").read_bytes() == b"a"
    assert len(server.ranges) == 3, "the other archive's file is still there"


def test_an_unknown_name(tmp_path):
    with pytest.raises(SeedbedError, match="unknown data set to fetch 'cocoo'; did you mean coco"):
        fetch("cocoo", tmp_path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_damaged_archives_and_paths_outside_are_refused(tmp_path, name):
    archive = tmp_path / name
    archive.write_bytes(b"nothing of the kind")
    with pytest.raises(SeedbedError, match=f"{name}: cannot be unpacked") as told:
        unpack(archive, tmp_path / "out")
    assert "\n" not in str(told.value)
    outside = {"../../escaped.txt": b"x"}
    archive.write_bytes(zip_of(outside) if name.endswith("zip") else tar_of(outside))
    if name.endswith("zip"):
        unpack(archive, tmp_path / "deep/out")
    else:
        with pytest.raises(SeedbedError, match="cannot be unpacked"):
            unpack(archive, tmp_path / "deep/out")
    assert not (tmp_path / "escaped.txt").exists()
    assert not (tmp_path.parent / "escaped.txt").exists()


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_table_declares_what_can_be_opened(name):
    published = PUBLISHED[name]
    raw = parse_yaml(f"{{datasets: {{{name}: {published.declaration.replace('{out}', 'data')}}}}}", "here")
    config = parse_config({"dataset": name, "recipes": ["psa"], **raw})
    declaration: DatasetDeclaration = config.declaration(name)
    dataset_options(name, declaration)
    assert published.licence
    for source in published.sources:
        assert re.fullmatch("[0-9a-f]{32}|", source.md5)
        assert source.url.startswith("http")
