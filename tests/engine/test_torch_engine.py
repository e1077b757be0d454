from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from vosctl.engine.devices import has_fast_cpu_bf16, resolve_placement
from vosctl.errors import UsageError, VosctlError
from vosctl.processor import cpu_flags


def random_object(seed, size=64):
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (size, size, 3), np.uint8)
    mask = (generator.random((size, size)) > 0.5).astype(np.float32)
    return image, mask


def test_the_engine_gives_the_networks_answer(tiny_engine):
    image, mask = random_object(0)
    reference = tiny_engine.encode_reference(image, mask)
    answer = tiny_engine.propagate(image[None], mask[None], [reference]).probabilities
    network = tiny_engine._network
    with torch.inference_mode():
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
        soft = torch.from_numpy(mask)[None, None]
        expected = network.propagate(pixels, soft, *network.encode_reference(pixels, soft))
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected[:, 0].numpy(), atol=1e-5)


def test_floats_and_bytes_are_the_same_image(tiny_engine):
    image, mask = random_object(0)
    floats = image.astype(np.float32) / 255
    reference = tiny_engine.encode_reference(image, mask)
    np.testing.assert_allclose(
        tiny_engine.propagate(image[None], mask[None], [reference]).probabilities,
        tiny_engine.propagate(floats[None], mask[None], [tiny_engine.encode_reference(floats, mask)]).probabilities,
        atol=1e-6,
    )
    assert floats.max() <= 1.0, "the caller's image must not be touched"


def test_the_batch_follows_the_objects(tiny_engine):
    """The batched reference states are kept between frames: they must change when objects come, go or change places."""
    objects = [random_object(seed) for seed in range(3)]
    references = [tiny_engine.encode_reference(*one) for one in objects]
    alone = [
        tiny_engine.propagate(image[None], mask[None], [reference]).probabilities[0]
        for (image, mask), reference in zip(objects, references, strict=True)
    ]
    for order in ([0, 1, 2], [2, 0], [0, 2], [1], [1, 1]):
        images = np.stack([objects[index][0] for index in order])
        masks = np.stack([objects[index][1] for index in order])
        answers = tiny_engine.propagate(images, masks, [references[index] for index in order]).probabilities
        np.testing.assert_allclose(answers, [alone[index] for index in order], atol=1e-5)


def test_auto_is_told_as_really_chosen(tiny_engine):
    placement = resolve_placement("auto", "auto")
    if placement.device.type == "cpu":
        assert placement.precision == ("bf16" if has_fast_cpu_bf16() else "fp32")
    assert tiny_engine.info.device == "cpu"
    assert tiny_engine.info.precision == "fp32"


def test_an_older_pytorch_does_not_tell_bf16_and_the_system_does():
    older = SimpleNamespace(_is_cpu_support_vnni=lambda: True)
    assert has_fast_cpu_bf16(older) == any(flag in cpu_flags() for flag in ("avx512_bf16", "amx_bf16"))
    for told in (True, False):
        newer = SimpleNamespace(_is_avx512_bf16_supported=lambda told=told: told, _is_amx_tile_supported=lambda: False)
        assert has_fast_cpu_bf16(newer) == told


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_cuda_is_an_error():
    with pytest.raises(VosctlError, match="`device='cuda'`: no CUDA device here"):
        resolve_placement("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", ""])
def test_unknown_devices_are_named(name):
    with pytest.raises(UsageError, match="unknown; give auto, cpu, cuda"):
        resolve_placement(name)


def test_precisions_that_cannot_be_had_are_errors():
    with pytest.raises(UsageError, match="`precision='fp8'`"):
        resolve_placement("cpu", cast(Any, "fp8"))
    with pytest.raises(VosctlError, match="`precision='fp16'`"):
        resolve_placement("cpu", "fp16")
    with pytest.raises(VosctlError, match="no bf16 instructions"):
        resolve_placement("cpu", "bf16", has_cpu_bf16=lambda: False)
    assert resolve_placement("cpu", has_cpu_bf16=lambda: False).precision == "fp32"


def test_a_network_that_keeps_its_reference_gives_back_the_very_states(tiny_engine):
    image, mask = random_object(0)
    states = [tiny_engine.encode_reference(image, mask), tiny_engine.encode_reference(image, 1 - mask)]
    step = tiny_engine.propagate(np.stack([image] * 2), np.stack([mask] * 2), states)
    assert all(given is back for given, back in zip(states, step.states, strict=True))
    assert step.presence is None
