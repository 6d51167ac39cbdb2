"""What each function of each exercise is called with, what is expected of it, and known mistakes."""

from . import engine, images, losses, models, operations
from .task import Complaint, Task

# A list of tasks has the name of its exercise's file, in capitals.
BY_NAME = {name.lower(): tasks for module in (operations, losses, images, engine, models)
           for name, tasks in vars(module).items()
           if name.isupper() and isinstance(tasks, list) and isinstance(tasks[0], Task)}
