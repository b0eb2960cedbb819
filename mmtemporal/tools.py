"""Run a stock MMAction2 tool with this package imported first.

    python -m mmtemporal.tools train CONFIG --work-dir WORK_DIR
    python -m mmtemporal.tools doctor
    torchrun --nproc_per_node=2 -m mmtemporal.tools train CONFIG --launcher pytorch

Some tools import ``mmaction.models``, or load a checkpoint, before they have read a
config, or without reading one, so that ``custom_imports`` comes too late for the
fixes in :mod:`mmtemporal.compat`. Configs that inherit from ``mmtemporal::...``
need the same.
"""

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Optional

LONG_VIDEOS = 'misc/clip_feature_extraction'
# What it replaces, and what it takes for replaced.
REPLACED = ('SampleFrames', 'UniformSample', 'UntrimmedSampleFrames')
USAGE = """usage: python -m mmtemporal.tools TOOL [ARGUMENTS OF THE TOOL]

Runs a tool of MMAction2, such as train, get_flops or analysis_tools/get_flops,
with mmtemporal imported first, or doctor, which prints what a report of a fault
needs. Tools:
"""


def find_tools() -> dict[str, Path]:
    """Map the names of the installed MMAction2 tools to their files.

    Returns:
        Names such as ``'analysis_tools/get_flops'``, and paths.
    """
    package = Path(find_spec('mmaction').origin).parent  # type: ignore[union-attr, arg-type]
    folder = package / '.mim' / 'tools'
    if not folder.is_dir():  # a source checkout that was never installed
        folder = package.parent / 'tools'
    files = sorted(folder.rglob('*.py'))
    return {file.relative_to(folder).with_suffix('').as_posix(): file for file in files}


def _find_fixed_sampler(arguments: list[str]) -> Optional[str]:
    """Say why the tool for long videos would not take them apart, None if it does.

    It replaces two samplers, and otherwise runs on as if it was not asked to, or
    into an unbound variable.
    """
    from mmengine import Config

    path = next((argument for argument in arguments if argument.endswith('.py')), None)
    if path is None:
        return None
    pipeline = Config.fromfile(path).test_dataloader.dataset.pipeline
    if any(step['type'] in REPLACED for step in pipeline):
        return None
    samplers = [str(step['type']) for step in pipeline if 'clip_len' in step]
    return (
        f'{path} samples by {" and ".join(samplers)} in '
        'test_dataloader.dataset.pipeline, but --long-video-mode knows '
        f'{", ".join(REPLACED)} only. Write dict(type="UntrimmedSampleFrames", '
        'clip_len=..., frame_interval=..., clip_interval=...) there, with clip_len the '
        'number of segments of the network, or of its frames if it has none; for TDN '
        'followed by dict(type="mmtemporal.FramesToWindows").'
    )


def main(argv: list[str]) -> int:
    """Run the tool that ``argv[0]`` names with the remaining arguments.

    Returns:
        The exit code where no tool was run.
    """
    tools = find_tools()
    listing = '\n'.join(f'  {name}' for name in tools)
    if argv and argv[0] in ('-h', '--help'):
        print(USAGE + listing)
        return 0
    if not argv:
        print(USAGE + listing, file=sys.stderr)
        return 2

    if argv[0] == 'doctor':
        from mmtemporal import doctor

        return doctor.main(argv[1:])

    wanted = argv[0].removesuffix('.py')
    matches = [name for name in tools if f'/{name}'.endswith(f'/{wanted}')]
    if wanted in tools:
        matches = [wanted]
    if len(matches) != 1:
        problem = 'is not a tool' if not matches else 'could be any of these tools'
        listing = '\n'.join(f'  {name}' for name in matches) or listing
        print(f'{argv[0]!r} {problem} of MMAction2:\n{listing}', file=sys.stderr)
        return 2

    if matches == [LONG_VIDEOS] and '--long-video-mode' in argv:
        problem = _find_fixed_sampler(argv[1:])
        if problem:
            print(problem, file=sys.stderr)
            return 2

    sys.argv = [str(tools[matches[0]]), *argv[1:]]
    runpy.run_path(sys.argv[0], run_name='__main__')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
