"""What the benchmarks share: interleaved timing, peak memory, naming the machine."""

import csv
import os
import platform
import time
from pathlib import Path
from statistics import median

# Otherwise torch's profiler prints whenever it starts and stops.
os.environ.setdefault('KINETO_LOG_LEVEL', '5')

import torch
from rich.progress import track
from torch.profiler import ProfilerActivity, profile


def interleave(
    cases, repeats, device='cpu', description='measuring', clock=time.perf_counter
):
    """Time functions, interleaved, so that a change of load meets all of them.

    The result is {name: seconds of each round}. A round before the first warms up.
    With ``time.process_time`` as the clock, which is for one thread of a CPU, other
    programs change little.
    """
    times = {name: [] for name in cases}
    for repeat in track(range(repeats + 1), description=description):
        for name, run in cases.items():
            synchronize(device)
            start = clock()
            run()
            synchronize(device)
            if repeat:
                times[name].append(clock() - start)
    return times


def check_device(parser, device):
    """Stop a program whose --device is not there."""
    known = ['cpu', *(f'cuda:{i}' for i in range(torch.cuda.device_count()))]
    if device not in known and not (device == 'cuda' and len(known) > 1):
        parser.error(f'--device {device}: torch finds {", ".join(known)}')


def synchronize(device):
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


def ratio(times, baseline):
    """Compare the rounds of two functions: (median, minimum, maximum) ratio."""
    ratios = sorted(a / b for a, b in zip(times, baseline))
    return median(ratios), ratios[0], ratios[-1]


def peak_memory(run, device='cpu'):
    """Return by how many bytes the allocated memory grows at most during a call."""
    if torch.device(device).type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = profiler.profiler.kineto_results.events()
    events = [event for event in events if event.name() == '[memory]']
    allocated = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        allocated += event.nbytes()
        peak = max(peak, allocated)
    return peak


def machine(device='cpu'):
    """Name what a time depends on, for the columns of a results file."""
    if torch.device(device).type == 'cuda':
        name = torch.cuda.get_device_name(device)
    else:
        name = _cpu_name()
    return dict(device=name, torch=torch.__version__, threads=torch.get_num_threads())


def _cpu_name():
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(': ')[1] for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()


def read_csv(path):
    """Return the lines of a table as dictionaries."""
    with Path(path).open(newline='') as file:
        return list(csv.DictReader(file))


def write_csv(path, rows):
    """Write dictionaries with the same keys as lines of a table."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
