"""What the machine itself refuses: disk, open files, memory. That is no bug, and the owner can mend it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from src.domain.errors import StorageError
from src.domain.fixes import Fix, env_file
from src.system import bytecode

FIX_DISK = Fix("free some space on the disk, or raise the quota of this user")
FIX_DEVICE = Fix("look at the disk: `dmesg` and `smartctl -a` tell whether it fails")
FIX_READ_ONLY = Fix("mount the disk for writing; a disk that turned read-only by itself may be failing")
FIX_FILES = Fix("too many files are open for this user: end what holds them (ulimit -n, lsof)")
FIX_NAME = Fix("name a shorter path; DATA_DIR, LOG_DIR and SOURCES are in ", env_file())
FIX_LOOP = Fix("a link leads back to itself: `ls -l` shows where")
FIX_MEMORY = Fix("this machine is out of memory: end other programs, or add swap space")
FIXES = {
    errno.ENOSPC: FIX_DISK,
    errno.EDQUOT: FIX_DISK,
    errno.EFBIG: FIX_DISK,
    errno.EIO: FIX_DEVICE,
    errno.ESTALE: FIX_DEVICE,
    errno.EROFS: FIX_READ_ONLY,
    errno.EMFILE: FIX_FILES,
    errno.ENFILE: FIX_FILES,
    errno.ENOMEM: FIX_MEMORY,
    errno.ENAMETOOLONG: FIX_NAME,
    errno.ELOOP: FIX_LOOP,
}


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Raise `StorageError` with its fix where the machine refuses a file or memory; any other error passes.

    A module is read when it is first needed, so a full table of open files can meet any line of the program.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FIXES:
            raise
        raise StorageError(_said(error), FIXES[error.errno]) from error
    except MemoryError as error:
        raise StorageError("there is no memory left", FIX_MEMORY) from error
    except (EOFError, ValueError, TypeError) as error:  # what Python says of a module's incomplete bytecode
        file = bytecode.incomplete_file(error)
        if file is None:
            raise
        raise StorageError(bytecode.remove(file), Fix(bytecode.FIX)) from error


def _said(error: OSError) -> str:
    named = str(error.filename or "")[:200]
    return f"{named}: {error.strerror}" if named else str(error.strerror)
