"""The page, made with gradio. Nothing else imports it: gradio is an extra."""

import logging
from collections.abc import Iterator
from pathlib import Path

import gradio

from .markup import STYLE, show_error, show_pictures, show_scores
from .recognition import Viewer

EXAMPLES_A_PAGE = 12
# Those who wait at a time, in as many tabs.
MAX_WAITING = 8
# In seconds: uploads that are older than the second are removed after the first.
CLEANING = (600, 3600)


def build_page(viewer: Viewer, about: str, examples: list[Path]) -> gradio.Blocks:
    """Build the page of a network.

    Args:
        viewer: The network.
        about: HTML that says which it is.
        examples: Videos that are listed.
    """

    def show_upload(path: str | None) -> Iterator[tuple[str, str]]:
        yield from _show(viewer, Path(path)) if path else [('', '')]

    def show_example(index: int) -> Iterator[tuple[str, str]]:
        yield from _show(viewer, examples[index])

    with gradio.Blocks(
        title='mmtemporal', analytics_enabled=False, delete_cache=CLEANING
    ) as page:
        gradio.HTML(about)
        upload = gradio.File(label='Drop a video here, or click', height=140)
        listed = gradio.Dataset(
            label='Examples',
            components=['textbox'],
            samples=[[path.name] for path in examples],
            samples_per_page=EXAMPLES_A_PAGE,
            type='index',
            visible=bool(examples),
        )
        outputs = [gradio.HTML(min_height=40), gradio.HTML()]
        for source, event, answer in (
            (upload, upload.change, show_upload),
            (listed, listed.click, show_example),
        ):
            # One queue for both: there is one network.
            event(
                answer,
                source,
                outputs,
                concurrency_id='network',
                concurrency_limit=1,
                api_visibility='private',
            )
    return page.queue(max_size=MAX_WAITING, api_open=False)


def _show(viewer: Viewer, video: Path) -> Iterator[tuple[str, str]]:
    """Yield the scores as soon as they are there, and then the pictures with them."""
    try:
        recognition = viewer.recognise(video)
        scores = show_scores(recognition, video.name)
        yield scores, ''
        yield scores, show_pictures(*viewer.draw(recognition))
    except ValueError as error:
        # The folder of an upload says nothing.
        sentence = ' '.join(str(error).replace(str(video), video.name).split())
        yield show_error(sentence), ''
    except Exception as error:
        logging.exception('%s', video)
        reason = ' '.join(str(error).split())
        yield show_error(f'{video.name}: {type(error).__name__}: {reason}'), ''


def page_style() -> tuple[gradio.Theme, str]:
    """Return a theme whose fonts are those of the system, and the style of the page."""
    theme = gradio.themes.Default(
        font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']
    )
    return theme, STYLE
