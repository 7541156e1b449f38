"""Backbones and their initial weights."""

from importlib import import_module

import pytest
import timm
import torch
from safetensors.torch import save_file

from seedbed.networks import weights as weights_module
from seedbed.networks.backbones import build_backbone, hold_batch_norm
from seedbed.networks.known import EMBEDDED
from seedbed.networks.weights import digest, load_weights, read_state

LITE0 = "tf_efficientnet_lite0"


def image(height=64, width=64, batch=1):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("name", [LITE0, "resnet18", "convnext_atto"])
def test_maps_have_the_sizes_that_reductions_say(name, output_stride):
    backbone = build_backbone(name, output_stride).eval()
    maps = backbone(image())
    assert backbone.reductions[-1] == output_stride
    for feature, channels, reduction in zip(maps, backbone.channels, backbone.reductions, strict=True):
        assert feature.shape == (1, channels, 64 // reduction, 64 // reduction)


def test_transformer_takes_any_size():
    backbone = build_backbone("vit_tiny_patch16_224", 16).eval()
    assert backbone(image(33, 50))[-1].shape == (1, 192, 3, 4)


def published(name):
    """The tensors of a package, read as its own function says."""
    package = import_module(EMBEDDED[name])
    (file,) = [found for key, found in vars(package).items() if key.endswith("ModelFile")]
    return torch.load(file.get_model_file_path(), weights_only=True)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_weights_are_the_published_network(name):
    """The stages behind timm's own whole network with the published tensors, in order."""
    whole = timm.create_model(name).eval()
    whole.load_state_dict(dict(zip(whole.state_dict(), published(name).values(), strict=True)))
    backbone = build_backbone(name, 32, "embedded", conv_head=True).eval()
    with torch.no_grad():
        assert torch.equal(backbone(image())[-1], whole.forward_features(image()))
    assert backbone.channels[-1] == 1280
    # Input (x - 127) / 128 with x in 0..255.
    assert backbone.mean[0] * 255 == pytest.approx(127)
    assert backbone.std[0] * 255 == pytest.approx(128)
    assert backbone.provenance["source"] == "embedded"
    assert len(backbone.provenance["sha256"]) == 64


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_key_order_pairs_equal_roles(name):
    """Both lists name weights, biases and statistics at the same places."""
    theirs = published(name)
    ours = load_weights("embedded", name).state
    assert ours is not None
    assert [name.rpartition(".")[2] for name in theirs] == [name.rpartition(".")[2] for name in ours]
    assert ["depthwise_conv" in name for name in theirs] == ["conv_dw" in name for name in ours]


def test_random_initialisation_is_keyed_and_leaves_the_global_state():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (build_backbone("resnet18", 32, rng=r).state_dict() for r in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert digest(first) == digest(again) != digest(other)


def test_stages_partition_the_modules():
    backbone = build_backbone(LITE0, 16, conv_head=True)
    inside = [id(m) for stage in backbone.stages for m in stage]
    assert len(inside) == len(set(inside))
    parameters = [id(p) for stage in backbone.stages for m in stage for p in m.parameters(recurse=False)]
    assert sorted(parameters) == sorted(id(p) for p in backbone.parameters())


def test_first_stage_ends_where_its_map_is_taken():
    backbone = build_backbone("resnet18", 32)
    assert backbone.body.conv1 in backbone.stages[0]
    assert backbone.body.layer1 not in backbone.stages[0]
    assert backbone.body.layer1[0].conv1 in backbone.stages[1]


def test_frozen_batch_norm_has_no_gradient_and_no_updates():
    backbone = build_backbone("resnet18", 32).train()
    hold_batch_norm(backbone, "frozen")
    before = backbone.body.bn1.running_mean.clone()
    backbone(image(batch=2))[-1].sum().backward()
    assert torch.equal(backbone.body.bn1.running_mean, before)
    assert backbone.body.bn1.weight.grad is None
    assert backbone.body.conv1.weight.grad is not None


def test_batch_norm_with_fixed_statistics_learns_scale_and_shift():
    """IRN's layers 3 and 4: γ (x − m) / √(v + ε) + β, with the running mean m and variance v as they were."""
    backbone = build_backbone("resnet18", 32).train()
    hold_batch_norm(backbone, "statistics")
    norm = backbone.body.bn1
    before = norm.running_mean.clone()
    backbone(image(batch=2))[-1].sum().backward()
    assert torch.equal(norm.running_mean, before)
    assert norm.weight.grad is not None
    assert norm.bias.grad is not None
    x = torch.rand(2, 64, 3, 3)
    scaled = (x - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + norm.eps).sqrt()
    torch.testing.assert_close(norm(x), scaled * norm.weight[:, None, None] + norm.bias[:, None, None])


def test_the_stem_is_read_before_or_behind_its_max_pool():
    """IRN reads maxpool(relu(bn(conv(x)))), stride 4; a family without a max-pool has its stem as it is."""
    plain, pooled = (build_backbone("resnet18", 32, pooled_stem=p).eval() for p in (False, True))
    assert (plain.reductions[:2], pooled.reductions[:2]) == ([2, 4], [4, 4])
    body, x = pooled.body, image()
    stem = body.act1(body.bn1(body.conv1(x)))
    assert torch.equal(plain(x)[0], stem)
    assert torch.equal(pooled(x)[0], torch.nn.functional.max_pool2d(stem, 3, 2, 1))
    assert build_backbone("tf_efficientnet_lite0", 32, pooled_stem=True).reductions[0] == 2


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_from_a_file(tmp_path, suffix):
    state = timm.create_model("resnet18", num_classes=3).state_dict()
    path = tmp_path / f"mine{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(
        {"state_dict": {f"module.{k}": v for k, v in state.items()}}, path
    )
    backbone = build_backbone("resnet18", 16, f"file:{path}")
    assert torch.equal(backbone.body.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])
    assert backbone.provenance == {
        "source": f"file:mine{suffix}",
        "sha256": digest(state),
        "trained_on_masks": "no",
    }


def test_weights_of_another_network_are_refused(tmp_path):
    state = timm.create_model("resnet18").state_dict()
    del state["conv1.weight"]
    state["extra"] = torch.zeros(1)
    state["bn1.weight"] = torch.zeros(2)
    path = tmp_path / "other.safetensors"
    save_file(state, path)
    expected = (
        r"do not fit the backbone and its 122 keys: 1 missing \(conv1.weight\); 1 additional \(extra\); "
        r"1 of another shape \(bn1.weight\)"
    )
    with pytest.raises(ValueError, match=expected):
        build_backbone("resnet18", 16, f"file:{path}")


def test_unreadable_weights_are_named(tmp_path):
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"no tensors here")
    with pytest.raises(ValueError, match=r"bad.pth is neither safetensors nor a torch state dict"):
        read_state(bad)
    with pytest.raises(ValueError, match=r"expected a file at .*absent.pth, but there is none"):
        read_state(tmp_path / "absent.pth")
    listed = tmp_path / "list.pth"
    torch.save([torch.zeros(1)], listed)
    with pytest.raises(ValueError, match="expected a state dict"):
        read_state(listed)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "code.pth"
    torch.save({"a": timm.create_model("resnet18").conv1}, path)
    with pytest.raises(ValueError, match="neither safetensors nor a torch state dict"):
        read_state(path)


@pytest.mark.parametrize(
    "spec", ["file:/x/deeplabv1_resnet101-coco.pth", "timm:fcn_coco", "file:/x/voc.safetensors"]
)
def test_weights_trained_on_masks_are_refused_unless_asked_for(spec, tmp_path):
    with pytest.raises(ValueError, match="marked as trained on pixel masks"):
        load_weights(spec, "resnet18")
    path = tmp_path / "resnet18-coco.safetensors"
    save_file(timm.create_model("resnet18").state_dict(), path)
    asked = load_weights(f"file:{path}", "resnet18", allow_mask_trained=True)
    assert asked.provenance["trained_on_masks"] == "yes"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet81", 16), "unknown backbone 'resnet81'; did you mean"),
        (("vgg11", 8), "backbone vgg11 cannot have output stride 8; use its own, 32"),
        (
            ("resnet18", 16, "embedded"),
            "embedded weights exist for tf_efficientnet_lite0, .*_lite1, .*_lite2 only, not for resnet18",
        ),
        (("resnet18", 16, "imagenet"), "unknown initial weights 'imagenet'"),
        (("resnet18", 16, "timm:a1_in1"), "unknown weights tag of resnet18 'a1_in1'; did you mean a1_in1k"),
    ],
)
def test_mistakes_get_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        build_backbone(*arguments)
    assert "\n" not in str(error.value)


def test_conv_head_needs_a_family_that_has_one():
    with pytest.raises(ValueError, match="resnet18 has no convolution after its last stage"):
        build_backbone("resnet18", 16, conv_head=True)


def test_timm_weights_come_from_timms_loader(monkeypatch):
    """No network here: timm's loader is replaced at the last step, the download."""
    create = timm.create_model
    tensors = create("resnet18").state_dict()

    def download(name, pretrained=False, **settings):
        model = create(name, pretrained=False, **settings)
        if pretrained and "." in name:
            model.load_state_dict(tensors)
        return model

    monkeypatch.setattr(weights_module.timm, "create_model", download)
    loaded = load_weights("timm:a1_in1k", "resnet18")
    assert loaded.state is not None
    assert digest(loaded.state) == digest(tensors) == loaded.provenance["sha256"]
    assert loaded.mean == (0.485, 0.456, 0.406)


def test_failed_download_says_what_to_do(monkeypatch):
    def offline(name, pretrained=False, **settings):
        raise OSError("no route")

    monkeypatch.setattr(weights_module.timm, "create_model", offline)
    with pytest.raises(
        ValueError, match=r"timm:a1_in1k of resnet18 could not be downloaded \(OSError\).*file:<path>"
    ):
        load_weights("timm:a1_in1k", "resnet18")
