"""The browser of the tests notices what is wrong with a page."""

import browser
import pytest

PAGE = """<!doctype html><title>probe</title>
<img id=here src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">
{}"""


@pytest.fixture
def visit(page, tmp_path):
    def visit(body):
        (tmp_path / 'probe.html').write_text(PAGE.format(body))
        page.goto((tmp_path / 'probe.html').as_uri())
        page.wait_for_load_state('networkidle')

    return visit


@pytest.mark.slow
def test_a_sound_page_has_no_problems(visit, page, problems):
    visit('')
    assert page.title() == 'probe'
    assert problems == []


@pytest.mark.slow
@pytest.mark.parametrize(
    'body, problem',
    [
        ('<script>console.error("odd")</script>', 'console: odd'),
        ('<script>undefined.x</script>', 'error: '),
        ('<img src="https://example.org/x.png">', 'request: https://example.org/x.png'),
        ('<img src="missing.png">', 'missing.png'),
    ],
)
def test_problems_are_noticed(visit, problems, body, problem):
    visit(body)
    assert any(problem in found for found in problems), problems
    problems.clear()


def test_without_a_browser_tests_are_skipped_but_not_under_ci(monkeypatch):
    monkeypatch.setenv('PATH', '')
    monkeypatch.delenv('CI', raising=False)
    with pytest.raises(pytest.skip.Exception, match='apt-get install -y chromium'):
        browser.find_browser()
    monkeypatch.setenv('CI', 'true')
    with pytest.raises(pytest.fail.Exception, match='apt-get install -y chromium'):
        browser.find_browser()
