"""What the page shows, as HTML that needs no other file."""

import base64
import io
import struct
from collections.abc import Iterable
from html import escape

from PIL import Image
from torch import Tensor

from .captions import CAPTIONS
from .recognition import Recognition

MAX_BARS = 5
# Of the loop of frames, in milliseconds.
FRAME_TIME = 250
# Of its smaller side, in pixels: small frames are enlarged without blur.
MIN_SIDE = 224
# Pixels of a figure for one of the page, so that its text is as large as other text.
SCALE = 1.5

STYLE = """
.gradio-container { width: 100%; max-width: 1200px !important; margin: 0 auto; }
/* Wide pictures are scrolled, and do not make the page wider than the window. */
.mmt { font-size: 1rem; line-height: 1.45; contain: inline-size; }
.mmt h2 { font-size: 1.3rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
.mmt h3 { font-size: 1.05rem; margin: 0 0 .2rem; }
.mmt p { margin: 0 0 .6rem; max-width: 46rem; }
.mmt .fine { opacity: .75; font-size: .875rem; }
.mmt-top { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.mmt-top figure { margin: 0; flex: 0 1 260px; }
.mmt-top figure img { width: 100%; max-width: 260px; border-radius: 8px; }
.mmt-top > div { flex: 1 1 280px; }
.mmt-bar { display: grid; grid-template-columns: minmax(0, 1fr) auto;
  margin: 0 0 .5rem; column-gap: 1rem; max-width: 40rem; }
.mmt-bar span { overflow-wrap: anywhere; }
.mmt-bar i { grid-column: 1 / 3; display: block; height: .6rem;
  border-radius: .3rem; overflow: hidden; background: rgb(128 128 128 / .2); }
.mmt-bar b { display: block; height: 100%; background: #0072b2; }
.mmt-bar:first-of-type span { font-weight: 600; }
.mmt-all { display: flex; flex-wrap: wrap; gap: 1.5rem; }
.mmt-all > section { flex: 1 1 auto; max-width: 100%; min-width: 0; }
.mmt-all > section > p { max-width: min(46rem, 100%); width: 0; min-width: 100%; }
.mmt-scroll { overflow-x: auto; background: white; border-radius: 8px;
  padding: .5rem; border: 1px solid var(--border-color-primary); }
.mmt-scroll img { display: block; margin: 0 auto; max-width: none; }
@media (max-width: 700px) { .mmt-all > section > p::after {
  content: " Scroll the picture sideways."; opacity: .75; } }
.mmt-error { border-left: 4px solid #d55e00; padding: .6rem 1rem;
  overflow-wrap: anywhere; background: rgb(213 94 0 / .1); }
"""


def show_scores(recognition: Recognition, title: str) -> str:
    """Return the loop of frames with the scores beside it, and the times.

    Args:
        recognition: What the network computed.
        title: Name of the video.
    """
    clip = recognition.clip
    seen = f'The {len(clip.frames)} frames that the network saw, as a loop.'
    if clip.views > 1:
        seen = (
            f'The {len(clip.frames)} frames of the first of {clip.views} views, as a '
            'loop. The scores are of all views, the pictures of the first.'
        )
    bars = ''.join(_bar(*score) for score in recognition.scores[:MAX_BARS])
    others = len(recognition.scores) - MAX_BARS
    noun = 'class' if others == 1 else 'classes'
    more = f'<p class="fine">{others} more {noun}</p>' if others > 0 else ''
    return (
        '<div class="mmt mmt-top"><figure>'
        f'<img src="{_source(_loop(clip.frames))}" alt="{seen}">'
        f'<figcaption class="fine">{seen}</figcaption></figure>'
        f'<div><h2>{escape(title)}</h2>{bars}{more}'
        f'<p class="mmt-time">Decoding: {_seconds(recognition.reading)}. '
        f'Network: {_seconds(recognition.computing)}.</p></div></div>'
    )


def show_pictures(pictures: dict[str, bytes], notes: Iterable[str]) -> str:
    """Return the pictures, each with its heading and how to read it.

    Args:
        pictures: PNG pictures by the names of the figures.
        notes: Sentences that stand above them.
    """
    sections = []
    for name in sorted(pictures, key=[*CAPTIONS].index):
        heading, text = CAPTIONS[name]
        picture = pictures[name]
        (width,) = struct.unpack('>I', picture[16:20])  # of the header of PNG
        sections.append(
            f'<section><h3>{heading}</h3><p>{text}</p>'
            f'<div class="mmt-scroll" tabindex="0"><img src="{_source(picture)}" '
            f'alt="{heading}" style="{_size(width / SCALE)}"></div></section>'
        )
    said = ''.join(f'<p class="mmt-note">{escape(note)}</p>' for note in notes)
    return (
        f'<div class="mmt">{said}<div class="mmt-all">{"".join(sections)}</div></div>'
    )


def show_error(sentence: str) -> str:
    """Return a box that says what is wrong."""
    box = f'<p class="mmt-error" role="alert">{escape(sentence)}</p>'
    return f'<div class="mmt">{box}</div>'


def _bar(name: str, score: float) -> str:
    return (
        f'<div class="mmt-bar"><span>{escape(name)}</span><span>{score:.1%}</span>'
        f'<i><b style="width: {score:.2%}"></b></i></div>'
    )


def _seconds(value: float) -> str:
    return f'{value:.2f} s' if value < 10 else f'{value:.0f} s'


def _size(width: float) -> str:
    # As wide as there is room, but not so small that it cannot be read.
    return f'width: max({0.75 * width:.0f}px, min({width:.0f}px, 100%))'


def _source(picture: bytes) -> str:
    return f'data:image/png;base64,{base64.b64encode(picture).decode("ascii")}'


def _loop(frames: Tensor) -> bytes:
    """Return frames (t, h, w, 3) as an animated PNG, which all browsers show."""
    height, width = frames.shape[1:3]
    factor = -(-MIN_SIDE // min(height, width))
    size = (factor * width, factor * height)
    images = [
        Image.fromarray(frame).resize(size, Image.Resampling.NEAREST)
        for frame in frames.contiguous().numpy()
    ]
    file = io.BytesIO()
    images[0].save(
        file,
        format='PNG',
        save_all=True,
        append_images=images[1:],
        duration=FRAME_TIME,
        loop=0,
    )
    return file.getvalue()
