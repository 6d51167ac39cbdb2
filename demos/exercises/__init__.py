"""Gradient-check exercises: learn backpropagation by making the check pass.

    python -m demos exercises --start       copy the blank exercises to the folder exercises/
    python -m demos exercises               what is done, what fails, what comes next
    python -m demos exercises 7             check one
    python -m demos exercises 7 --hint      a hint

A check runs the learner's own file, in a process with limits on time and memory but with all the
rights of whoever started it: check only files that you would run.

    catalogue.py    the exercises: their order, their hints, and where in tinyae the same rule lives
    tasks/          what each function is called with, what is expected of it, and known mistakes
    diagnose.py     the name of a mistake, only where it gives the wrong answer in every case
    checker.py      runs a learner's function on a task and reports, in words
    judge.py        runs that in a process of its own, with limits, and collects the verdicts
    worker.py       that process
    standin.py      arrays that are not NumPy's, as CuPy's are not
    blank/          the files that a learner completes
"""
