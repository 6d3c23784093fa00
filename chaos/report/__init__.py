"""What a run shows to people, and to the tools that they use: made from its record alone."""

from chaos.report.terminal import summary
from chaos.report.write import Reports, write_reports

__all__ = ["Reports", "summary", "write_reports"]
