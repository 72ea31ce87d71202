"""Metering devices straight from the laptop, over a USB adapter for RS-485; nothing is signed."""
