"""Encryption at rest: `gateway/STORAGE.md` states every byte.

storage key (file, passphrase, command)  wraps  root key  wraps  data keys, names key, files key
"""
