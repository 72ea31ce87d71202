"""Sealing a chip: what burns its eFuses, prepared for whoever decides to run it."""
