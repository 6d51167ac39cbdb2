"""Files written whole or not at all."""

import errno
import glob
import os
import secrets
import time
from pathlib import Path

ABANDONED = 3600  # seconds without a change after which an unfinished file has no writer any more


def write_whole(path, write):
    """Write a file by `write(file)`, to which a file open for writing bytes is given.

        write_whole(path, lambda file: file.write(b"..."))

    The bytes go to a file beside it with a name of its own, are forced to the disk and then moved into
    place, so that at every moment path holds either what it held before or the new file, whole. Of
    several processes that write the same path, the last one wins. A symlink stays one: what it points
    to is replaced. Folders that are missing are made.

    Where writing fails nothing is left behind, and an OSError, such as of a full disk, names the path.
    What a killed process has left unfinished is removed by a write to the same path an hour later.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:  # KeyboardInterrupt too
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error
        raise


def _remove_abandoned(target):
    for name in glob.glob(f".{glob.escape(target.name)}.*.partial", root_dir=target.parent):
        leftover = target.with_name(name)
        try:
            if time.time() - leftover.stat().st_mtime > ABANDONED:
                leftover.unlink()
        except OSError:  # another process was faster, or may do what this one may not
            pass
