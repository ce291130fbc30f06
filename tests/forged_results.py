"""Programs that make their result up: none may pass a test of `add`."""

FORGERIES = {
    "leaving": "import os\nos._exit(0)\n",
    "leaving in the call": "import os\ndef add(a, b):\n    os._exit(0)\n",
    "leaving politely": "raise SystemExit(0)\n",
    "leaving in the call politely": "def add(a, b):\n    raise SystemExit(0)\n",
    "the sentinel": """
import os
for descriptor in range(0, 64):
    try:
        os.write(descriptor, b'{"passed": true}\\n{"passed": true}\\n{"passed": true}\\n{"count": 3}\\n')
    except OSError:
        pass
def add(a, b):
    return 0
""",
    "the line": """
import os
for descriptor in range(3, 64):
    try:
        os.write(descriptor, b'{"is": true}\\n' * 50)
    except OSError:
        pass
def add(a, b):
    return True
""",
    "always equal": """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
def add(a, b):
    return Equal()
""",
    "an equal number": """
class Equal(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __index__(self): return 3
    def __repr__(self): return "3"
    __str__ = __repr__
    def __add__(self, other): return 3
def add(a, b):
    return Equal(0)
""",
    "an equal list": """
class Equal(list):
    def __eq__(self, other): return True
    def __iter__(self): return iter([3])
    def __len__(self): return 1
def add(a, b):
    return Equal()
""",
    "patched comparison": """
import builtins, operator, unittest, json
unittest.TestCase.assertEqual = lambda *_: None
builtins.AssertionError = StopIteration
builtins.all = builtins.any = lambda *_: True
builtins.type = lambda *_: int
json.dumps = lambda *_: '{"is": 3}'
def add(a, b):
    return 0
""",
    "what lies about": """
import gc, glob, os, re, sys
def add(a, b):
    texts = []
    frame = sys._getframe()
    while frame:
        texts += [repr(frame.f_locals)[:20000], repr(frame.f_code.co_consts)]
        frame = frame.f_back
    for held in gc.get_objects():
        if isinstance(held, (dict, list, tuple)) and len(held) < 50:
            texts.append(repr(held)[:2000])
    for place in glob.glob("/program/**", recursive=True) + glob.glob("/work/**", recursive=True):
        try:
            texts.append(open(place).read())
        except OSError:
            pass
    found = re.search(r"add\\(\\s*%d\\s*,\\s*%d\\s*\\)\\s*==\\s*(-?\\d+)" % (a, b), " ".join(texts))
    return int(found[1]) if found else 0
""",
    "an exception": "def add(a, b):\n    raise AssertionError\n",
    "every exception": "def add(a, b):\n    raise GeneratorExit\n",
    "threads that leave": """
import os, threading, time
def add(a, b):
    threading.Thread(target=lambda: os._exit(0)).start()
    time.sleep(5)
""",
    "killing the tests": """
import os, signal
def add(a, b):
    for process in (1, os.getppid(), *range(3, 200)):
        try:
            os.kill(process, signal.SIGKILL)
        except OSError:
            pass
    return 0
""",
}
