"""Errors of the bench. Foreign exceptions (OSError, csv.Error, ...) never leave the package."""


class HilError(Exception):
    """Root of everything the bench raises about its input, its host or the parts it runs."""


class ClockError(HilError):
    """A bench clock file is missing, malformed, or its numbers make no clock."""


class CurveError(HilError):
    """A load curve cannot be read; the message names file, line, column and what was expected."""


class DeviceError(HilError):
    """An emulated metering device was described in a way no real one could be."""


class LineError(HilError):
    """A serial line could not be set up, or its thread died."""


class ReportError(HilError):
    """A report cannot be written."""


class ProcessError(HilError):
    """A process of a run did not start, ended by itself, or did not do its work in time."""


class DeadlineError(HilError):
    """Something awaited did not happen in time; the message says what."""


class ScheduleError(HilError):
    """A run cannot be planned the way it was asked for."""


class RunError(HilError):
    """The folder of a run cannot be used, or lacks what a run leaves there."""


class BenchError(HilError):
    """Something could not be measured."""


class BoardError(HilError):
    """A program on the emulated board failed, or could not be made into an image for it."""
