"""Drawing of the motion clips: labels and random numbers in, frames out."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

CLASS_NAMES = (
    'left to right',
    'right to left',
    'top to bottom',
    'bottom to top',
    'growing',
    'shrinking',
    'clockwise',
    'anticlockwise',
)
"""Class names by label. Labels 2p and 2p + 1 are each other in reversed time."""

MIRRORED_LABELS = tuple(label ^ 1 for label in range(len(CLASS_NAMES)))
"""The label of the same motion in reversed time, by label."""

# Outlines in a unit square around the origin. None maps to itself under a
# rotation below 360 degrees: a turn is visible, and since every motion uses every
# outline, the outline does not tell the motion.
_OUTLINES = {
    'arrow': [(1, 0), (0, 1), (0, 0.4), (-1, 0.4), (-1, -0.4), (0, -0.4), (0, -1)],
    'corner': [(-1, -1), (-0.2, -1), (-0.2, 0.2), (1, 0.2), (1, 1), (-1, 1)],
    'tee': [(-1, -1), (1, -1), (1, -0.3), (0.35, -0.3), (0.35, 1), (-0.35, 1)]
    + [(-0.35, -0.3), (-1, -0.3)],
    'wedge': [(1, 0), (-0.8, 0.65), (-0.8, -0.65)],
    'half disc': [
        (np.cos(a) - 0.4, np.sin(a)) for a in np.linspace(-np.pi / 2, np.pi / 2, 17)
    ],
}
_SUBPIXEL_BITS = 4


class _Track(NamedTuple):
    """Pose of the object in each frame; lengths are fractions of the frame side."""

    centre: np.ndarray  # (t, 2), x then y
    radius: np.ndarray  # (t,)
    angle: np.ndarray  # (t,), radians; the y axis points down: positive is clockwise


def draw_motion_clip(
    rng: np.random.Generator, label: int, size: int, num_frames: int
) -> np.ndarray:
    """Draw one clip of a bright object that moves over a darker static texture.

    A clip with an odd label is drawn as if it had the even label of its pair, and
    its frames are then put in reverse order. The two classes of a pair therefore
    have the same distribution of frames, up to their order.

    Args:
        rng: Source of everything random in the clip.
        label: Index into ``CLASS_NAMES``.
        size: Side of the square frames in pixels.
        num_frames: Number of frames.

    Returns:
        Array ``(num_frames, size, size, 3)``, uint8, channels in OpenCV's BGR order.

    Raises:
        ValueError: If the label is not a class.
    """
    if label not in range(len(CLASS_NAMES)):
        raise ValueError(f'got label={label!r}, expected 0 to {len(CLASS_NAMES) - 1}')
    track = _sample_track(rng, label // 2, num_frames)
    outline = _OUTLINES[str(rng.choice(list(_OUTLINES)))]
    colour = rng.uniform(110, 255, 3).astype(np.float32)
    colour *= 255 / colour.max()
    texture = _sample_texture(rng, size)
    coverage = _rasterise(np.asarray(outline), track, size)[..., None]
    frames = np.rint(texture + coverage * (colour - texture)).astype(np.uint8)
    return frames[::-1] if label % 2 else frames


def _sample_track(rng: np.random.Generator, pair: int, num_frames: int) -> _Track:
    """Draw a random course of motion ``pair``, in the direction of the even label."""
    progress = np.linspace(0, 1, num_frames)
    radius = np.full(num_frames, rng.uniform(0.13, 0.17))
    if pair == 2:
        final = rng.uniform(0.22, 0.34)
        initial = final / rng.uniform(1.8, 2.6)
        radius = initial + (final - initial) * progress
    margin = radius.max()
    centre = np.tile(rng.uniform(margin, 1 - margin, 2), (num_frames, 1))
    if pair in (0, 1):
        distance = rng.uniform(0.45, 0.65)
        start = rng.uniform(margin, 1 - margin - distance)
        centre[:, pair] = start + distance * progress
    angle = np.full(num_frames, rng.uniform(0, 2 * np.pi))
    if pair == 3:
        # The object circles a point and turns with it, like the hand of a clock:
        # turning on the spot moves so little that networks learn it much later.
        # At 8 frames of a clip, one step stays below 45 degrees.
        orbit = rng.uniform(0.27, 0.33)
        pivot = rng.uniform(margin + orbit, 1 - margin - orbit, 2)
        turned = np.deg2rad(rng.uniform(220, 320)) * progress
        phase = rng.uniform(0, 2 * np.pi) + turned
        centre = pivot + orbit * np.stack([np.cos(phase), np.sin(phase)], 1)
        angle = angle + turned
    return _Track(centre, radius, angle)


def _sample_texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a dark texture ``(size, size, 3)``: tinted noise of two random scales."""
    noise = np.zeros((size, size), np.float32)
    for weight in (0.6, 0.4):
        cells = int(rng.integers(3, 13))
        grid = rng.random((cells, cells), dtype=np.float32)
        noise += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_LINEAR)
    tint = rng.uniform(0.5, 1, 3).astype(np.float32)
    return (10 + 90 * noise[..., None]) * tint


def _rasterise(outline: np.ndarray, track: _Track, size: int) -> np.ndarray:
    """Return the share of each pixel that the object covers, ``(t, size, size)``."""
    outline = outline / np.linalg.norm(outline, axis=1).max()
    cos, sin = np.cos(track.angle), np.sin(track.angle)
    rotation = np.stack([cos, sin, -sin, cos], axis=1).reshape(-1, 2, 2)
    points = outline @ rotation * track.radius[:, None, None] + track.centre[:, None]
    # OpenCV puts the centre of the first pixel at 0.
    points = np.rint((points * size - 0.5) * 2**_SUBPIXEL_BITS).astype(np.int32)
    coverage = np.zeros((len(points), size, size), np.uint8)
    for mask, polygon in zip(coverage, points):
        cv2.fillPoly(mask, [polygon], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return coverage.astype(np.float32) / 255


def draw_contact_sheet(
    clips: Sequence[np.ndarray], titles: Sequence[str], columns: int = 8
) -> np.ndarray:
    """Lay clips out as rows of evenly spaced frames with a title on the left.

    Args:
        clips: Clips ``(t, h, w, 3)``, uint8, all of the same frame size.
        titles: One title a clip.
        columns: Number of frames shown of each clip.

    Returns:
        The picture, uint8, in the channel order of the clips.
    """
    rows = []
    for clip, title in zip(clips, titles):
        shown = clip[np.linspace(0, len(clip) - 1, columns).round().astype(int)]
        tiles = [
            cv2.copyMakeBorder(frame, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255,) * 3)
            for frame in shown
        ]
        heading = np.full((tiles[0].shape[0], 130, 3), 255, np.uint8)
        cv2.putText(
            heading,
            title,
            (6, heading.shape[0] // 2 + 5),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            (0, 0, 0),
            1,
            cv2.LINE_AA,
        )
        rows.append(np.hstack([heading, *tiles]))
    return np.vstack(rows)
