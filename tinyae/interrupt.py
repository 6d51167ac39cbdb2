"""Ctrl-C: a flag that a training looks at between two batches, so that it stops after a whole one."""

import signal
import threading
from contextlib import contextmanager


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: training stopped after a whole batch. The last epoch's checkpoint is as it was.

    where       the epoch and the step, in words; the message also says what can be done
    resumable   whether this run has written a checkpoint to go on from
    """

    def __init__(self, where, advice, resumable=False):
        super().__init__(f"{where}; {advice}")
        self.where, self.resumable = where, resumable


@contextmanager
def interrupt_flag():
    """An event that Ctrl-C sets, where it would otherwise break off whatever is being computed.

    A second Ctrl-C breaks off at once. Outside the main thread, which alone may handle signals, and
    where Ctrl-C is ignored, the event is never set.
    """
    event, before = threading.Event(), signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (None, signal.SIG_IGN):
        yield event
        return

    def handler(signum, frame):
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handler)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
