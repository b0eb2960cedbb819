"""What the quick start prints of a command, and what it keeps in its log."""

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from mmtemporal.quickstart.screen import TAIL, Screen

# What mmengine prints, shortened where nothing is read.
TRAINING = """
import sys
print('Loading the data')
for epoch in (1, 2):
    for step in (20, 40):
        print(f'11/29 - mmengine - INFO - Epoch(train)  [{epoch}][ {step}/40]  '
              f'lr: 2.0e-03 eta: 0:0{3 - epoch}:15  time: 0.4146  data_time: 0.0103  '
              f'loss: {1 / epoch:.4f}  top1_acc: 0.7500  loss_cls: 9.0')
    print(f'11/29 - mmengine - INFO - Epoch(val) [{epoch}][15/15]    '
          f'acc/top1: 0.{epoch}250  acc/top5: 1.0000')
"""


def run(screen, script, epochs=0):
    screen.run(sys.executable, '-c', script, epochs=epochs)


def test_an_epoch_is_a_line_and_the_log_has_all(tmp_path, capsys):
    screen = Screen(tmp_path / 'runs/a.log')
    screen.title('training')
    run(screen, TRAINING, epochs=2)
    assert capsys.readouterr().out.splitlines() == [
        '[quickstart] training',
        '  epoch 1/2  loss 1.000  top-1  12.5%  0:02:15 left',
        '  epoch 2/2  loss 0.500  top-1  22.5%  0:01:15 left',
    ]
    log = screen.log.read_text()
    assert '--- training\n' in log
    assert 'Loading the data' in log and log.count('Epoch(train)') == 4


def test_verbose_prints_all_and_the_log_has_it_too(tmp_path, capsys):
    screen = Screen(tmp_path / 'a.log', verbose=True)
    run(screen, TRAINING, epochs=2)
    printed = capsys.readouterr().out
    assert printed.count('Epoch(train)') == 4
    assert printed in screen.log.read_text()


def test_logs_are_appended(tmp_path):
    for script in ('print("first")', 'print("second")'):
        run(Screen(tmp_path / 'a.log'), script)
    log = (tmp_path / 'a.log').read_text()
    assert log.index('first') < log.index('second')
    assert log.count('===') == 2


def test_a_failure_shows_the_end_of_its_output_and_the_log(tmp_path, capsys):
    screen = Screen(tmp_path / 'a.log')
    script = (
        'import sys\n'
        'for i in range(90): print("line", i, flush=True)\n'
        'sys.exit("no such thing")'
    )
    with pytest.raises(SystemExit) as failure:
        run(screen, script)
    message = failure.value.code
    assert 'exit status 1' in message and 'no such thing' in message
    assert f'line {90 - TAIL}\n' not in message and 'line 89\n' in message
    assert message.endswith(f'All of it is in {screen.log}')
    assert capsys.readouterr().out == ''
    assert 'line 0\n' in screen.log.read_text()


def test_what_python_prints_is_captured(tmp_path, capsys):
    screen = Screen(tmp_path / 'a.log')
    with screen.captured():
        print('to the log')
        print('warning', file=sys.stderr)
    assert capsys.readouterr() == ('', '')
    assert 'to the log\nwarning\n' in screen.log.read_text()


WAIT = """
import signal
import sys
from pathlib import Path
from mmtemporal.quickstart.screen import Screen

# Processes in the background inherit that interrupts are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
child = 'import os, time; print(os.getpid(), flush=True); time.sleep(600)'
try:
    Screen(Path(sys.argv[1])).run(sys.executable, '-c', child)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interrupt_ends_the_command_too(tmp_path):
    log = tmp_path / 'a.log'
    process = subprocess.Popen([sys.executable, '-c', WAIT, str(log)])
    pattern, deadline = re.compile(r'^(\d+)$', re.MULTILINE), time.time() + 120
    while not (log.exists() and (child := pattern.search(log.read_text()))):
        assert process.poll() is None and time.time() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(child[1]), 0)


SHOW = """
import sys
from pathlib import Path
from mmtemporal.quickstart.screen import Screen

Screen(Path(sys.argv[1])).run(sys.executable, '-uc', sys.argv[2], epochs=2)
"""


def test_on_a_terminal_a_bar_shows_how_far_an_epoch_is(tmp_path):
    script = tmp_path / 'show.py'
    script.write_text(SHOW)
    slowly = f'{TRAINING}    import time; time.sleep(0.5)\n'
    shown = on_a_terminal(sys.executable, script, tmp_path / 'a.log', slowly)
    assert '━' in shown and 'epoch 2/2' in shown
    assert 'epoch 1/2  loss 1.000  top-1  12.5%  0:02:15 left' in shown
    assert 'Epoch(train)' not in shown


def on_a_terminal(*command):
    """Run a command on a terminal of its own and return what it shows."""
    parts = []

    def read(descriptor):
        parts.append(os.read(descriptor, 4096))
        return parts[-1]

    # The terminal that pty.spawn copies to is not wanted.
    stdout = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        assert pty.spawn([str(part) for part in command], read) == 0
    finally:
        os.dup2(stdout, 1)
    return b''.join(parts).decode()
