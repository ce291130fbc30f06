import doctest
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_worked_numbers_of_the_page_hold():
    text = "\n".join(line for line in PAGE.read_text(encoding="utf-8").splitlines() if not line.startswith("```"))
    found = doctest.DocTestParser().get_doctest(text, {}, "metrics.md", str(PAGE), 0)
    assert len(found.examples) > 25
    complaints: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(found, out=complaints.append)
    assert results.failed == 0, "".join(complaints)


def test_light_code_can_import_the_package():
    code = (
        "import sys, rewardsmith.evaluate.summary, rewardsmith.evaluate.paired;"
        "print(sorted({'torch', 'sklearn', 'scipy.stats', 'scipy.optimize', 'rewardsmith.records'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
