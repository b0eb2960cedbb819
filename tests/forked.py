"""Processes that start in a moment: forks of one that has imported everything.

They are for what needs a process of its own, to be killed or to be one of several, and
for what a user runs, whose imports take longer than its work on small data.
"""

import multiprocessing
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess
from tempfile import TemporaryDirectory

import torch
from backbone_libraries import hidden

# That process has never run a backward pass, whose threads would not survive a fork.
CONTEXT = multiprocessing.get_context('forkserver')
CONTEXT.set_forkserver_preload(
    [
        'matplotlib.pyplot',
        'mmtemporal.models',
        'mmtemporal.engine',
        *(f'mmaction.{part}' for part in ('apis', 'datasets', 'engine', 'evaluation')),
        'mmaction.visualization',
        'torch._dynamo',
    ]
)


def start(target, *args):
    """Start a function in a process of its own."""
    child = CONTEXT.Process(target=_run, args=(target, args))
    with hidden():
        child.start()
    return child


def _run(target, args):
    torch.set_num_threads(1)
    target(*args)


def run_tools(arguments, environs=({},), pythonpath=()):
    """Run ``python -m mmtemporal.tools``, in a process for each of the environs.

    Returns:
        What :func:`subprocess.run` would, for each.
    """
    arguments = [str(argument) for argument in arguments]
    pythonpath = [str(path) for path in pythonpath]
    with TemporaryDirectory() as folder:
        files = [f'{folder}/{rank}' for rank, _ in enumerate(environs)]
        children = [
            start(_run_tool, arguments, file, environ, pythonpath)
            for file, environ in zip(files, environs)
        ]
        for child in children:
            child.join()
        return [
            CompletedProcess(
                arguments,
                child.exitcode,
                *(Path(file + kind).read_text() for kind in ('.out', '.err')),
            )
            for child, file in zip(children, files)
        ]


def _run_tool(arguments, file, environ, pythonpath):
    os.environ.update(environ)
    sys.path[:0] = pythonpath
    for stream, kind in ((sys.stdout, '.out'), (sys.stderr, '.err')):
        with open(file + kind, 'w') as target:
            os.dup2(target.fileno(), stream.fileno())
    from mmtemporal.tools import main

    sys.exit(main(arguments))
