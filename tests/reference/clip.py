"""The image tower of a CLIP, written from its description, frame by frame.

Everything is looked up by OpenAI's names, without what comes before them.
"""

import math

import torch
import torch.nn.functional as F


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


def layer_norm(weights, name, x):
    mean = x.mean(-1, keepdim=True)
    variance = (x - mean).square().mean(-1, keepdim=True)
    x = (x - mean) / (variance + 1e-5).sqrt()
    return x * weights[f'{name}.weight'] + weights[f'{name}.bias']


def linear(weights, name, x):
    return x @ weights[f'{name}.weight'].T + weights[f'{name}.bias']


def attention(weights, name, x, num_heads):
    n, length, c = x.shape
    qkv = x @ weights[f'{name}.in_proj_weight'].T + weights[f'{name}.in_proj_bias']
    # (n, length, 3, heads, c / heads)
    q, k, v = qkv.reshape(n, length, 3, num_heads, -1).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-1, -2) / math.sqrt(c // num_heads)
    y = (scores.softmax(-1) @ v).permute(0, 2, 1, 3).reshape(n, length, c)
    return linear(weights, f'{name}.out_proj', y)


def class_tokens(weights, images, num_heads, activation=quick_gelu):
    """Return the class tokens of images (n, 3, h, w) before the last norm, (n, c)."""
    kernel = weights['conv1.weight']
    x = F.conv2d(images, kernel, stride=kernel.size(-1)).flatten(2).transpose(1, 2)
    token = weights['class_embedding'].expand(len(x), 1, -1)
    x = torch.cat((token, x), 1) + weights['positional_embedding']
    x = layer_norm(weights, 'ln_pre', x)
    layers = {name.split('.')[2] for name in weights if name.startswith('transformer')}
    for i in range(len(layers)):
        layer = f'transformer.resblocks.{i}'
        y = layer_norm(weights, f'{layer}.ln_1', x)
        x = x + attention(weights, f'{layer}.attn', y, num_heads)
        y = layer_norm(weights, f'{layer}.ln_2', x)
        y = activation(linear(weights, f'{layer}.mlp.c_fc', y))
        x = x + linear(weights, f'{layer}.mlp.c_proj', y)
    return x[:, 0]


def clip_features(weights, clips, num_heads, activation=quick_gelu):
    """Return the features (n, c) of clips (n, 3, t, h, w) by frames 0, 2, 4, ..."""
    tokens = [
        class_tokens(weights, frame, num_heads, activation)
        for frame in clips[:, :, ::2].unbind(2)
    ]
    return layer_norm(weights, 'ln_post', torch.stack(tokens).mean(0))
