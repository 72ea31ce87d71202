"""Every error of the technician's tool, under one root; the message is one line for people.

Each class has the exit code of commands that end with it.
"""

DONE, CANNOT = 0, 1
# 2: wrong arguments, argparse's
NO_BOARD, BOARD_FAILED, IMAGE_REFUSED, READ_BACK_DIFFERS = 3, 4, 5, 6
SETTINGS_REFUSED, AUTHORITY_REFUSED, NOT_ENROLLED, RECORD_DAMAGED = 7, 8, 9, 10
INTERRUPTED = 130


class ToolError(Exception):
    """Root of everything the tool raises. `advice`: what to do next, where a class has one."""

    exit_code = CANNOT
    advice = ""

    @property
    def told(self) -> str:
        """For people: what was wrong, and what to do next."""
        return f"{self}; {self.advice}" if self.advice else str(self)

    def as_row(self) -> dict[str, object]:
        """For programs."""
        return {"error": str(self), "advice": self.advice or None, "code": self.exit_code}


class SiteFileError(ToolError):
    """site.json cannot be read, or is not what `wattle-gateway init` writes."""

    advice = "let the gateway's operator give you his site.json again"


class CertificateError(ToolError):
    """A certificate that is none, or not this board's."""

    advice = (
        "take the file that `wattle-gateway meters enrol .. --certificate` wrote for this meter"
    )


class AdvisedError(ToolError):
    """`reason`: what was wrong, `advice`: what to do next, two clauses for people."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}; {advice}")
        self.reason = reason
        self.advice = advice

    @property
    def told(self) -> str:
        return str(self)

    def as_row(self) -> dict[str, object]:
        return {"error": self.reason, "advice": self.advice, "code": self.exit_code}


def reason_of(error: Exception) -> str:
    """What was wrong, without its advice: for an error that is raised of it with its own."""
    return error.reason if isinstance(error, AdvisedError) else str(error)


class BoardError(AdvisedError):
    """The board's folder, its identity or its answer is not as it must be."""


class ImageError(AdvisedError):
    """The firmware cannot be made into an image."""


class UpdateError(AdvisedError):
    """A bundle for meters cannot be made."""


class NoBoardError(AdvisedError):
    """No board is plugged in, or none of the name that was asked for."""

    exit_code = NO_BOARD


class SerialLineError(AdvisedError):
    """A board's line is dead, taken, or carries nothing that makes sense."""

    exit_code = BOARD_FAILED


class UnfitBoardError(AdvisedError):
    """A board that answers, but cannot take what it is to be given."""

    exit_code = BOARD_FAILED


class InterpreterImageError(AdvisedError):
    """A file that is no interpreter for this board, or that nobody has vouched for."""

    exit_code = IMAGE_REFUSED


class ReadBackError(AdvisedError):
    """What a board has stored is not what was written."""

    exit_code = READ_BACK_DIFFERS


class InterruptedJobError(AdvisedError):
    """The technician stopped it."""

    exit_code = INTERRUPTED


class ToolHomeError(ToolError):
    """A file of the tool's cannot be read or written."""

    advice = "check its name, and that you may read and write there"


class SettingsError(AdvisedError):
    """What a meter was to be set up with is refused: by the tool, or by the firmware's checks."""

    exit_code = SETTINGS_REFUSED


class AuthorityError(AdvisedError):
    """No site authority by which a certificate could be issued, or one that is not fit for it."""

    exit_code = AUTHORITY_REFUSED


class EnrolmentError(AdvisedError):
    """The gateway could not be asked, or did not enrol the meter."""

    exit_code = NOT_ENROLLED


class LabelError(AdvisedError):
    """What is to be printed on a label makes no sense."""


class SealError(AdvisedError):
    """The steps that seal a chip are not prepared."""

    exit_code = SETTINGS_REFUSED


class ExchangeError(AdvisedError):
    """Readings of an exchange that do not verify, or do not belong together."""


class BatchError(AdvisedError):
    """A file of jobs that makes no sense."""

    exit_code = SETTINGS_REFUSED


class AuditError(ToolError):
    """The record of what was done is not as it was written, or cannot be."""

    exit_code = RECORD_DAMAGED
    advice = "keep the file as it is, for whoever audits it; a new --home begins a new record"
