"""What a training shows of itself: lines with the losses, and on a terminal a bar with the time left."""

import math
import time


class Progress:
    """A line on the stream for each epoch; of more than LINES of them for the first, the last and some between.

    On a terminal also a bar within each epoch of so many steps.
    """

    WIDTH, LINES = 24, 20

    def __init__(self, stream, epochs, steps):
        self.stream, self.epochs, self.steps = stream, epochs, steps
        self.live, self.printed = stream.isatty(), False
        self.started = self.drawn = time.monotonic()
        self.first = None  # the number of steps done before this run, if it was resumed

    def share(self, epoch, step):
        """The share of the training that is done when this step of this epoch begins, in [0, 1)."""
        return ((epoch - 1) * self.steps + step - 1) / (self.epochs * self.steps)

    def step(self, epoch, step, losses):
        """Draw the bar anew, but not more often than ten times a second; the losses are Tensors, by name.

        Only then are they read, for which a GPU has to be waited for.
        """
        done = (epoch - 1) * self.steps + step
        if self.first is None:
            self.first = done - 1
        now = time.monotonic()
        if not self.live or (now - self.drawn < 0.1 and step < self.steps):
            return
        self.drawn = now
        shown = ", ".join(f"{name} {loss.item():.4g}" for name, loss in losses.items())
        left = (now - self.started) / (done - self.first) * (self.epochs * self.steps - done)
        filled = self.WIDTH * step // self.steps
        bar = "█" * filled + "░" * (self.WIDTH - filled)
        self.stream.write(f"\r\033[Kepoch {epoch}/{self.epochs} {bar} {shown}, {_minutes(left)} left")
        self.stream.flush()

    def clear(self):
        """Take the bar away, to write in its place."""
        if self.live:
            self.stream.write("\r\033[K")

    def epoch(self, record):
        """Print the losses of an epoch, from its record in the history, if it is its turn."""
        self.clear()
        if self.printed and record["epoch"] % math.ceil(self.epochs / self.LINES) and record["epoch"] < self.epochs:
            return
        self.printed = True
        parts = [f"{name} {_in_words(record[key])}"
                 for key, name in (("train", "train"), ("held_out", "held-out")) if key in record]
        print(f"epoch {record['epoch']}/{self.epochs}: {'; '.join(parts)}; {record['seconds']:.1f} s",
              file=self.stream, flush=True)


def _in_words(terms):
    """The losses by name; a loss that is their sum comes first, and they follow in brackets."""
    rest = ", ".join(f"{name} {value:.4g}" for name, value in terms.items() if name != "loss")
    if "loss" not in terms:
        return rest
    return f"{terms['loss']:.5g}" + (f" ({rest})" if rest else "")


def _minutes(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
