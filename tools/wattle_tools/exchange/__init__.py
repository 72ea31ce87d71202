"""Exchanging a meter or its device: what the old one showed last, and the new one first."""
