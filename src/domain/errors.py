"""Every error that the program raises on purpose.

Exception
|-- DeadlineError            a piece of work took longer than its limit
|-- InjectedFault            a failpoint of a test
'-- ProgramError             reaches a person: an exit code, and a fix
|-- ConfigError          78  settings, files or permissions
|   '-- TuningError      78  examples or training that cannot be used
|-- UsageError            2  a command that cannot be carried out as typed
|   '-- BusyError         2  another run holds the writer lock
|-- StorageError         74  the database, a file, or the disk under them
|   |-- DamagedError     74  the database file is corrupt or incomplete
|   '-- LockedError      75  another program holds the database
|-- AccountError         77  X refuses the account, the app or the token
|-- TemporaryError       75  X could not be reached or made no sense
|   '-- HubError         75  the model hub could not be reached or made no sense
|-- NoContentError       69  there are not enough texts for what the settings ask for
'-- ModelError           69  the model cannot be used
"""

from __future__ import annotations

from collections.abc import Mapping

from src.domain.fixes import NO_FIX, Fix
from src.domain.runs import Exit


class DeadlineError(Exception):
    """A piece of work took longer than its limit as a whole."""


class InjectedFault(Exception):  # noqa: N818 (a fault on purpose, no error of the program)
    """Raised by a failpoint whose action is `raise`."""


class ProgramError(Exception):
    """A failure with an exit code, a message, and what the owner can do."""

    exit_code = Exit.BUG
    data: Mapping[str, object] = {}  # what a command had found before, for `--json`

    def __init__(self, message: str, fix: Fix = NO_FIX) -> None:
        super().__init__(message)
        self.fix = fix


class ConfigError(ProgramError):
    """Settings, files or permissions that only the owner can change."""

    exit_code = Exit.CONFIG


class TuningError(ConfigError):
    """The examples or the training cannot be used; the model in use stays as it is."""


class UsageError(ProgramError):
    """A command that cannot be carried out as typed."""

    exit_code = Exit.USAGE


class BusyError(UsageError):
    """Another run holds the writer lock. Nothing was changed."""


class StorageError(ProgramError):
    """The database, a file, or the disk under them. The database file is never deleted."""

    exit_code = Exit.IO


class DamagedError(StorageError):
    """The database file is corrupt or incomplete. This run reports it; the next run moves the file aside."""


class LockedError(StorageError):
    """Another program holds the database for longer than the busy timeout. A later run can succeed."""

    exit_code = Exit.TEMPORARY


class AccountError(ProgramError):
    """X refuses the account, the app or the token."""

    exit_code = Exit.BLOCKED


class TemporaryError(ProgramError):
    """X could not be reached, or its answer made no sense. Nothing was changed."""

    exit_code = Exit.TEMPORARY


class HubError(TemporaryError):
    """The model hub could not be reached or does not answer as it should. The model in use stays."""


class NoContentError(ProgramError):
    """There are not enough texts for what the settings ask for."""

    exit_code = Exit.NO_CONTENT


class ModelError(ProgramError):
    """The model cannot be used. Never a reason to stop a run: vetted text is posted without it."""

    exit_code = Exit.NO_CONTENT
