"""Learners' code that does not run, or does what it should not: it is told so, and nothing is left behind."""

import os
import re
import time

import pytest

from demos.exercises.catalogue import EXERCISES, Verdict
from demos.exercises.judge import judge
from exercise_answers import solved, with_mistake

def rule(*lines, before=""):
    """A file for exercise 1, whose function has these lines."""
    return f"{before}\n\ndef multiply_vjp(g, y, a, b):\n" + "".join(f"    {line}\n" for line in lines)


SILENT = """class Silent(Exception):
    def __str__(self):
        raise ValueError("no text")
"""
ENDLESS = """class Endless(tuple):
    def __len__(self):
        raise OverflowError("no end")
"""
SECRET = """class Secret:
    def __array__(self, *args, **kwargs):
        raise KeyError("no array")
"""
OPENED = """import os


def write(text):  # into every file that is open
    for fd in range(3, 20):
        try:
            os.write(fd, text)
        except OSError:
            pass
"""
DAMAGED = "A file of the checker's is damaged: your code"
RIGHT = "return g * b, g * a"

BROKEN = {  # a file for exercise 1, and what the report must say
    "a syntax error": ("def multiply_vjp(g, y, a, b:\n    return g\n",
     "Syntax error.*in line 1\n +def mult"),
    "an import that fails": ("import nothing_of_that_name\n", "exception.*line 1.*ModuleNotFoundError"),
    "another name": ("def multiply(g, y, a, b):\n    return g\n",
     "The function is missing.*multiply_vjp"),
    "not a function": ("multiply_vjp = 3\n", "The function is missing"),
    "other arguments": ("def multiply_vjp(g, a, b):\n    return g\n",
     "Wrong arguments.*\\(g, y, a, b\\)"),
    "an exception": ("def multiply_vjp(g, y, a, b):\n    c = 1\n    return c / 0\n",
                     "exception in your code.*line 3, in multiply_vjp:  return c / 0.*ZeroDivision"),
    "an ellipsis": ("def multiply_vjp(g, y, a, b):\n    return ...\n", "Nothing is returned"),
    "a string": ("def multiply_vjp(g, y, a, b):\n    return 'g', 'b'\n", "Not an array"),
    "exit": ("import sys\nsys.exit(0)\n", "exception in your code.*line 2.*SystemExit"),
    "a hard exit": ("import os\nos._exit(3)\n", "The process ended.*status 3"),
    "input": ("def multiply_vjp(g, y, a, b):\n    return input()\n", "EOFError"),
    "an endless loop": ("def multiply_vjp(g, y, a, b):\n    while True:\n        a = a + 1\n",
                        "Stopped: your code was still running after 1 seconds.*line [23], in mult"),
    "an endless loop at the top": ("while True:\n    pass\n", "Stopped.*line [12], in <module>"),
    "a huge array": ("import numpy as np\n\n\n"
                     "def multiply_vjp(g, y, a, b):\n    return np.ones((10**6, 10**5)), b\n",
                     "Too much memory.*line 5, in multiply_vjp"),
    "a list that grows": ("def multiply_vjp(g, y, a, b):\n    c = [b'']\n    while True:\n"
                          "        c.append(bytes(10**7))\n", "Too much memory.*line 4|Stopped.*line 4"),
    "endless output": ("def multiply_vjp(g, y, a, b):\n    while True:\n        print('x' * 1000)\n",
                       "Endless output|Stopped"),
    "recursion": ("def multiply_vjp(g, y, a, b):\n    return multiply_vjp(g, y, a, b)\n",
     "Too deep a recursion"),
    "not UTF-8": ("", "cannot be read"),
    "a text that raises": (rule("raise Silent", before=SILENT),
                           "exception in your code: Silent.*line 7.*text that raises"),
    "a tuple without a length": (rule("return Endless((g * b, g * a))", before=ENDLESS),
                                 "exception in your code: OverflowError.*line 3, in __len__"),
    "an array that cannot be had": (rule("return Secret(), b", before=SECRET),
                                    "exception in your code: KeyError.*line 3, in __array__"),
    "complex numbers": (rule("return g * b * 1j, g * a"), "Not an array.*real numbers"),
    "a large file": ("x = '" + 8_000_000 * "y" + "'\n", "The file is too large: 8,000,0"),
    "a long line": ("x = '" + 100_000 * "y" + "\n", "Syntax error"),
    "a deep expression": ("x = " + 50_000 * "-" + "1\n", "The file cannot be read|Syntax error"),
    "a null byte": ("x = '\0'\n", "cannot be read|Syntax error"),
    "numbers in the results": (rule("write(b'[1, 2, 3]\\n')", RIGHT, before=OPENED), DAMAGED),
    "half a line in the results": (rule("write(b'garbage')", RIGHT, before=OPENED), DAMAGED),
    "a forged verdict": (rule("write(b'[0, [\"done\", null, \"\"]]\\n')", "return g, g", before=OPENED),
                         DAMAGED),
    "garbage, and the end": (rule("write(b'\\xff\\xfe{')", "os._exit(0)", before=OPENED), DAMAGED),
    "a broken NumPy": (rule("np.array_equal = None", "return g, g", before="import numpy as np\n"),
                       "The check broke off.*TypeError"),
    "a thread that stays": (rule("threading.Thread(target=time.sleep, args=(60,)).start()", "return g, g",
                                 before="import threading, time\n"), "is wrong"),
    "40 copies of the process": (rule("for _ in range(40):", "    if os.fork() == 0:",
                                      "        time.sleep(60)", "time.sleep(0.9)", RIGHT,
                                      before="import os, time\n"),
                                 r"Too much memory: the \d+ processes|Stopped"),
}


@pytest.fixture(scope="module")
def accidents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    jobs = []
    for i, (text, _) in enumerate(BROKEN.values()):
        (folder / f"{i}.py").write_bytes(text.encode() or b"\xff\xfe")
        jobs.append((EXERCISES[0], folder / f"{i}.py"))
    return dict(zip(BROKEN, judge(jobs, seconds=1, megabytes=400)[0]))


@pytest.mark.parametrize("name", BROKEN)
def test_accidents_are_reported(accidents, name):
    verdict = accidents[name]
    assert verdict.status == "failing" and verdict.mistake
    assert re.search(BROKEN[name][1], verdict.report, re.DOTALL), verdict.report
    assert "Traceback" not in verdict.report and "checker.py" not in verdict.report
    assert len(verdict.report) < 2000


def test_one_accident_does_not_touch_the_others(tmp_path):
    right = solved(EXERCISES[0])
    texts = [BROKEN["a broken NumPy"][0], right, "import os\nos._exit(0)\n", right,
             BROKEN["half a line in the results"][0], right, "while True:\n    pass\n", right]
    jobs = []
    for i, text in enumerate(texts):
        (tmp_path / f"{i}.py").write_text(text, encoding="utf-8")
        jobs.append((EXERCISES[0], tmp_path / f"{i}.py"))
    found, _ = judge(jobs, seconds=1)
    assert [v.status for v in found] == 4 * ["failing", "done"]
    assert [v.mistake for v in found[::2]] == [
        "The check broke off", "The process ended", "A file of the checker's is damaged", "Stopped"]


def alive(pid):
    """Whether it runs, and is not merely waiting to be collected."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="asks /proc which processes there are")
@pytest.mark.parametrize("more", ["pass", "os.setpgrp()"], ids=["of its group", "of its session"])
def test_no_process_is_left_behind(tmp_path, more):
    """A right answer that starts processes: they end with the check."""
    noted, path = tmp_path / "pids", tmp_path / "a.py"
    path.write_text(f"""import os
import time

for _ in range(5):
    if os.fork() == 0:
        {more}
        with open({str(noted)!r}, "a") as file:
            file.write(f"{{os.getpid()}}\\n")
        time.sleep(100)
time.sleep(0.2)


def multiply_vjp(g, y, a, b):
    return g * b, g * a
""")
    begun = time.monotonic()
    assert judge([(EXERCISES[0], path)])[0][0].status == "done"
    pids = [int(line) for line in noted.read_text().split()]
    while any(map(alive, pids)) and time.monotonic() - begun < 50:  # a signal takes its time
        time.sleep(0.01)
    assert len(pids) == 5 and not any(map(alive, pids))


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="asks /proc which processes there are")
def test_memory_is_counted_for_all_processes_together(tmp_path):
    """Each of five takes less than the limit."""
    path = tmp_path / "a.py"
    path.write_text(rule("for _ in range(4):", "    if os.fork() == 0:", "        break", "mine = b'x' * 10**8",
                         "time.sleep(20)", RIGHT, before="import os, time\n"))
    verdict = judge([(EXERCISES[0], path)], seconds=10, megabytes=400)[0][0]
    assert verdict.mistake == "Too much memory" and "processes that your code is running in" in verdict.report


def test_a_copy_of_the_process_gives_no_verdict(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(rule("return (g, g) if COPY else (g * b, g * a)",
                         before="import os\n\nCOPY = os.fork() == 0\n"))
    assert judge([(EXERCISES[0], path), (EXERCISES[0], path)])[0] == 2 * [Verdict("done")]


@pytest.mark.parametrize("body, words", [
    ("\n    while True:\n        output = output", "Does the walk ever come to an end"),
    ("""
    total, stack = {}, [(output, 1.0)]
    while stack:
        node, g = stack.pop()
        total[node] = total.get(node, 0.0) + g
        stack += [(x, rule(g)) for x, rule in zip(node.inputs, node.rules)]
    return total""", "2⁶⁰ paths")], ids=["an endless walk", "too many paths"])
def test_what_does_not_end_is_told_what_may_be_the_matter(tmp_path, body, words):
    path = tmp_path / "a.py"
    path.write_text(with_mistake(23, "gradients", body), encoding="utf-8")
    verdict = judge([(EXERCISES[22], path)], seconds=1)[0][0]
    assert verdict.mistake == "Stopped" and words in verdict.report
