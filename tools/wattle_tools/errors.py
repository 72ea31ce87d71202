"""Every error of the technician's tool, under one root; the message is one line for people."""


class ToolError(Exception):
    """Root of everything the tool raises."""


class SiteFileError(ToolError):
    """site.json cannot be read, or is not what `wattle-gateway init` writes."""


class BoardError(ToolError):
    """The board's folder, its identity or its answer is not as it must be."""


class CertificateError(ToolError):
    """A certificate that is none, or not this board's."""


class ImageError(ToolError):
    """The firmware cannot be made into an image."""
