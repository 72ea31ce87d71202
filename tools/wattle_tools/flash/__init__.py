"""Filling boards: the interpreter by esptool, the application by mpremote, several at once."""
