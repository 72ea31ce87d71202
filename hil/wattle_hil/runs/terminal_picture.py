"""A terminal's content as an SVG that loads nothing, for documents."""

import io
from pathlib import Path

from rich.console import Console, RenderableType
from rich.terminal_theme import MONOKAI

from wattle_hil.errors import ReportError

_COLUMNS = 122
# Rich's own format fetches a font from elsewhere.
_FORMAT = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def save_picture(content: RenderableType, title: str, path: Path) -> None:
    """Draws what a terminal would show. Raises ReportError when it cannot be written."""
    console = Console(
        file=io.StringIO(), record=True, width=_COLUMNS, force_terminal=True, highlight=False
    )
    console.print(content)
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=_FORMAT, unique_id="terminal")
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error}") from error
