"""Boards that are plugged in: their lines, who they are, and what is on them."""
