"""The record of what was done with the tool: signed, chained, verified by anybody."""
