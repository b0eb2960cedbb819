"""The tool that publishes models, and their entry in the metafile."""

import importlib.util

import pytest
import torch
import yaml
from published import NAME, REPOSITORY, SHIPPED, build, make_checkpoint

TOOL = REPOSITORY / 'tools' / 'publish_model.py'
METAFILE = """\
Collections:
  - Name: TAdaConvNeXt

Models:
  - Name: first
    Results:
      - Dataset: A  # a comment
        Metrics: {Top 1 Accuracy: 1.5}
        Task: Action Recognition

  # about the second
  - Name: second

Tail: kept
"""


@pytest.fixture
def run_tool(monkeypatch):
    spec = importlib.util.spec_from_file_location('publish_model_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*arguments):
        monkeypatch.setattr('sys.argv', [TOOL.name, *map(str, arguments)])
        tool.main()

    return run


RESULT = ['--dataset', 'Motion clips', '--metric', 'Top 1 Accuracy=82.5']


def test_entry(source, config, tmp_path, run_tool, capsys):
    run_tool(source, config, tmp_path, *RESULT)
    first, *rest = capsys.readouterr().out.splitlines()
    (file,) = tmp_path.iterdir()
    assert first == f'published {file}'
    (entry,) = yaml.safe_load('\n'.join(rest))
    assert entry['Metadata'].pop('FLOPs') > 0
    parameters = sum(p.numel() for p in build(config).parameters())
    assert entry == {
        'Name': NAME,
        'Config': f'configs/nano/{NAME}.py',
        'In Collection': 'tadaconvnextv2',
        'Metadata': {
            'Architecture': 'TAdaConvNeXtV2',
            'Batch Size': 8,
            'Epochs': 10,
            'Parameters': parameters,
            'Resolution': '32x32',
            'Training Data': 'Motion clips',
        },
        'Modality': 'RGB',
        'Results': [
            {
                'Dataset': 'Motion clips',
                'Metrics': {'Top 1 Accuracy': 82.5},
                'Task': 'Action Recognition',
            }
        ],
        'Weights': file.name,
    }


def test_shipped_entry_is_found_again(tmp_path, run_tool, capsys):
    """With the numbers that the repository has for its configs."""
    torch.save(make_checkpoint(build(SHIPPED)), tmp_path / 'epoch.pth')
    run_tool(tmp_path / 'epoch.pth', SHIPPED, tmp_path / 'out')
    (entry,) = yaml.safe_load(capsys.readouterr().out.partition('\n')[2])
    assert entry.pop('Weights')
    shipped = yaml.safe_load(SHIPPED.with_name('metafile.yml').read_text())['Models']
    (expected,) = (item for item in shipped if item['Name'] == SHIPPED.stem)
    assert entry == expected


def test_entry_is_appended_and_updated(source, config, tmp_path, run_tool):
    metafile, out = tmp_path / 'metafile.yml', tmp_path / 'out'
    metafile.write_text(METAFILE)
    options = ['--metafile', metafile, '--append']
    run_tool(source, config, out, *options, *RESULT)
    text = metafile.read_text()
    head, tail = METAFILE.split('\n\nTail')
    assert text.startswith(f'{head}\n\n  - Name: {NAME}\n    Config: configs/nano/')
    assert text.endswith('.pth\n\nTail' + tail)
    models = yaml.safe_load(text)['Models']
    assert [model['Name'] for model in models] == ['first', 'second', NAME]
    assert models[2]['In Collection'] == 'TAdaConvNeXt'

    with pytest.raises(SystemExit, match=f'error: .* has an entry {NAME}; pass'):
        run_tool(source, config, tmp_path / 'other', *options)
    assert metafile.read_text() == text and not (tmp_path / 'other').exists()

    # What is measured anew is replaced, and what else is known stays.
    text = text.replace('    Modality: RGB\n', '    Modality: RGB\n    Note: mine\n')
    metafile.write_text(text)
    metrics = ['--dataset', 'B', '--metric', 'mAP=0.5', '--metric', 'Top 5 Accuracy=9']
    run_tool(source, config, out, *options, *metrics, '--force')
    run_tool(source, config, out, *options, *RESULT[:3], 'mAP=3', '--force')
    entry = yaml.safe_load(metafile.read_text())['Models'][2]
    assert entry['Note'] == 'mine'
    assert [(r['Dataset'], r['Metrics']) for r in entry['Results']] == [
        ('Motion clips', {'mAP': 3}),
        ('B', {'mAP': 0.5, 'Top 5 Accuracy': 9}),
    ]
    assert metafile.read_text().partition(f'  - Name: {NAME}')[0] == f'{head}\n\n'
    assert metafile.read_text().endswith('.pth\n\nTail' + tail)


def test_entry_in_the_middle_is_updated(source, config, tmp_path, run_tool):
    metafile = tmp_path / 'metafile.yml'
    metafile.write_text(METAFILE.replace('first', NAME))
    run_tool(
        *(source, config, tmp_path / 'out', '--force', '--append'),
        *('--metafile', metafile),
    )
    text = metafile.read_text()
    assert '.pth\n\n  # about the second\n  - Name: second\n\nTail: kept\n' in text
    assert yaml.safe_load(text)['Models'][0]['Results'][0]['Dataset'] == 'A'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'there is no .*metafile.yml'),
        ('Models: []\n', 'has no list of Models'),
        ('Models:\n  - Name: [\n', 'error: '),
        ('- Name: x\n', 'has no list of Models'),
    ],
)
def test_bad_metafiles(source, config, tmp_path, run_tool, text, message):
    metafile = tmp_path / 'metafile.yml'
    if text:
        metafile.write_text(text)
    with pytest.raises(SystemExit, match=message) as error:
        run_tool(
            *(source, config, tmp_path / 'out', '--append'),
            *('--metafile', metafile),
        )
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'options',
    [
        ['--metric', 'mAP=3'],
        ['--dataset', 'A', '--metric', 'mAP'],
        ['--dataset', 'A', '--metric', 'mAP=nan'],
        ['--dataset', 'A', '--metric', '=3'],
    ],
)
def test_bad_arguments(source, config, tmp_path, run_tool, options):
    with pytest.raises(SystemExit):
        run_tool(source, config, tmp_path / 'out', *options)
    assert not (tmp_path / 'out').exists()


def test_tool_reports_errors_in_one_line(source, config, tmp_path, run_tool):
    for arguments in [(tmp_path / 'none.pth', config), (source, tmp_path / 'none.py')]:
        with pytest.raises(SystemExit, match=r'error: .*none\.p') as error:
            run_tool(*arguments, tmp_path / 'out')
        assert '\n' not in str(error.value)
